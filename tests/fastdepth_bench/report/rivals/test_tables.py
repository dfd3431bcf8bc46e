"""Tables and plot of rivals: one alignment, measured and published apart, what is missing named."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_up_results import failed_row, new_row, results

from fastdepth_bench.report.rivals.plot import plot_committed, plot_rivals, points, undrawn
from fastdepth_bench.report.rivals.tables import (
    cells,
    lines,
    noted,
    remarks,
    rivals_markdown,
    rivals_section,
)
from fastdepth_bench.results.rivals import RIVALS

END = ".rivals.json"
NONE = {"metrics": None, "untrained": True, "weights": "untrained"}


def rival(name, p50=100.0, size=(518, 518), **changes):
    return new_row(name, p50, size=list(size), alignment="affine-disparity", **NONE | changes)


def ours(d1=0.8, **changes):
    metrics = {"alignment": "affine-disparity", "metrics": {"d1": d1}}
    return new_row("mnv2-64-dws", 20.0, **metrics | changes)


def test_the_plot_has_figures_of_one_alignment_at_the_input_that_was_timed():
    report = results(
        rival("depth-anything-v2-small"),
        rival("depth-anything-v2-small", 30.0, (252, 252)),
        rival("midas-v2.1-small (encoder alone)", 10.0, (256, 256)),
        ours(),
    )
    drawn = [(point.name, point.d1, point.here) for point in points(report)]
    assert drawn == [
        ("depth-anything-v2-small 518x518", 0.962, False),
        ("mnv2-64-dws 640x480", 0.8, True),
    ]
    said = "; ".join(undrawn(report))
    assert "depth-anything-v2-small 252x252 (no d1 found under affine-disparity" in said
    assert "midas-v2.1-small (encoder alone) 256x256 (not the whole network)" in said
    assert "fastdepth-mnv1, guidedepth-s, lite-mono-tiny, efficientvit-depth-5m (not timed)" in said


def test_the_alignment_of_the_plot_is_that_of_our_rows():
    theirs = rival("depth-anything-v2-small", size=(336, 448))
    assert [point.d1 for point in points(results(theirs, ours()))] == [0.921, 0.8]
    assert [point.d1 for point in points(results(theirs, ours(alignment="affine")))] == [0.8]


@pytest.mark.parametrize("changes", [{"data": "rooms"}, {"metrics": None}])
def test_ours_are_drawn_by_photographs_alone(changes):
    report = results(ours() | changes)
    assert points(report) == []
    assert "mnv2-64-dws 640x480 (no d1 measured on photographs" in undrawn(report)[0]


def test_a_users_own_file_is_drawn_as_it_was_measured():
    given = rival("depth-anything-v2-small", size=(336, 448), weights="theirs.onnx",
                  untrained=False, metrics={"d1": 0.9})  # fmt: skip
    report = results(given, ours())
    assert [(point.d1, point.here) for point in points(report)] == [
        (0.9, True),
        (0.921, False),
        (0.8, True),
    ]


def test_the_plot_names_what_is_not_drawn(tmp_path):
    report = results(rival("depth-anything-v2-small"), ours())
    (path,) = plot_rivals(report, tmp_path / "new" / "p.svg", (".svg",))
    ElementTree.parse(path)
    assert plot_rivals(results(rival("fastdepth-mnv1", size=(224, 224))), path) == []


def test_accuracy_is_printed_with_protocol_and_source_or_as_not_found():
    found = lines(results(ours(), rival("depth-anything-v2-small")))
    assert [line.name for line in found if line.d1 == "not found"] == ["guidedepth-s"]
    assert all(line.source and line.rules for line in found if line.d1 != "not found")
    kitti = [line for line in found if line.data == "KITTI"]
    assert [line.alignment for line in kitti] == ["median", "median"]
    assert [line.d1 for line in found if line.source == "measured here"] == ["0.800"]


def test_on_a_terminal_what_is_long_is_a_numbered_note():
    found = lines(results(ours()))
    columns, notes = noted(found)
    titles, rows = cells(columns, found)
    assert titles == ["network", "d1", "alignment", "data", "input", "note"]
    assert max(len(cell) for row in rows for cell in row) < 30
    named = {row[0]: row[-1] for row in rows}
    assert named["guidedepth-s"] == "-"
    kitti = [row[-1] for row in rows if row[3] == "KITTI"]
    assert kitti[0] == kitti[1]  # of one source and protocol
    assert notes[int(kitti[0]) - 1].startswith(f"note {kitti[0]}: github.com/noahzn/Lite-Mono: ")
    assert len({*notes}) == len(notes) == max(int(row[-1]) for row in rows if row[-1] != "-")


def test_remarks_say_of_each_whether_it_was_timed():
    report = results(rival("depth-anything-v2-small"), failed_row("fastdepth-mnv1"), ours())
    said = dict(line.split(": ", 1) for line in remarks(report))
    assert "not timed" not in said["depth-anything-v2-small"]
    assert "CC-BY-NC-4.0" in said["depth-anything-v2-small"]
    assert said["fastdepth-mnv1"].endswith("not timed")
    assert "no library has it; give its ONNX file" in said["lite-mono-tiny"]
    given = failed_row("midas-v2.1-small", weights="theirs.onnx")  # a user's own file
    said = dict(line.split(": ", 1) for line in remarks(results(given, ours())))
    assert said["midas-v2.1-small"].endswith("; MIT; not timed")
    failed = {"depth-anything-v2-small": "not timed: transformers is not installed"}
    chosen = [RIVALS["depth-anything-v2-small"]]
    (line,) = remarks(results(ours()), chosen, failed)
    assert line.endswith("not timed: transformers is not installed")


def test_markdown_is_complete_and_no_wider_than_a_page():
    text = rivals_markdown(results(rival("depth-anything-v2-small"), ours()))
    rules = [line for line in text.splitlines() if line.startswith("| --")]
    assert len(rules) == 2 and all(rule.count("---") <= 8 for rule in rules)
    assert "cpu, 2 threads, batch 1; networks in turns, restarts: 5. Random weights of" in text
    assert "Random weights" not in rivals_markdown(results(ours()))
    assert "| 0.880 | median |" in text  # as it was printed
    assert "no two of different lines compare" in text
    assert "Model of the CPU" in text


def test_the_page_shows_each_committed_file_with_its_plot(tmp_path):
    reports = {
        Path(f"xeon{END}"): results(rival("depth-anything-v2-small"), ours()),
        Path("other.json"): results(ours(0.99)),
    }
    section = rivals_section(reports)
    assert "](rivals/xeon.png)" in section and "0.990" not in section
    assert plot_committed(reports, tmp_path) == [tmp_path / "docs" / "rivals" / "xeon.png"]
    assert f"MACHINE{END}" in rivals_section({})
