from __future__ import annotations

import itertools
import json
import re
import sys
from xml.etree import ElementTree

import cv2
import pytest
from made_up_results import failed_row, new_row, old_row, read_rows, report, results

from fastdepth.errors import MissingExtraError, UsageError
from fastdepth_bench.cli import main
from fastdepth_bench.report.plots import _draw_accuracy, grouped, pareto_front, plot

pytest.importorskip("matplotlib")

NAME = "model-of-the-cpu.nyu.cpu-2"


def texts(path):
    """The words of an SVG; matplotlib leaves each as a comment beside its outlines."""
    return " ".join(re.findall(r"<!-- (.*?) -->", path.read_text()))


def coloured(image, hexadecimal):
    """Pixels of a colour."""
    red, green, blue = (int(hexadecimal[at : at + 2], 16) for at in (1, 3, 5))
    return (abs(cv2.imread(str(image)).astype(int) - (blue, green, red)).max(axis=2) < 8).sum()


def test_every_plot_is_png_and_svg_and_names_its_machine(tmp_path):
    rows = [new_row(), new_row("unet128", 200.0, runtime="openvino"), failed_row()]
    written = plot([results(*rows)], tmp_path / "plots")
    kinds = ("speed-accuracy", "latency", "stages")
    assert [path.name for path in written] == [
        f"{kind}.{NAME}{suffix}" for kind in kinds for suffix in (".png", ".svg")
    ]
    for image, drawing in zip(written[::2], written[1::2], strict=True):
        said = texts(drawing)
        assert "Model of the CPU; 4 of 8 cores; cpu, 2 threads" in said
        assert "nyu (in-painted), 498 samples, hash 903e649ece66" in said
        assert "unet128-dws" in said
        height, width, _ = cv2.imread(str(image)).shape
        assert 900 < width < 1000
        assert 200 < height < 700


def test_stages_and_end_to_end_are_seen(tmp_path):
    accuracy, _, latency, _, stages, _ = plot([results(new_row())], tmp_path)
    assert coloured(stages, "#0072b2") > 10 * coloured(stages, "#555555") > 100
    assert coloured(latency, "#0072b2") > 100
    assert coloured(latency, "#d55e00") > 100
    assert coloured(accuracy, "#0072b2") > 50


def test_old_rows_have_no_stages_and_untrained_ones_no_accuracy(tmp_path):
    written = plot([results(old_row())], tmp_path)
    assert {path.name.partition(".")[0] for path in written} == {"speed-accuracy", "latency"}
    written = plot([results(old_row(metrics=None))], tmp_path)
    assert {path.name.partition(".")[0] for path in written} == {"latency"}


@pytest.mark.parametrize(
    "change",
    [
        {"sample_hash": "0" * 12},
        {"data": "rooms"},
        {"protocol_description": "another"},
        {"threads": 1},
        {"device": "cuda"},
    ],
)
def test_unlike_rows_never_share_a_plot(tmp_path, change):
    report = results(old_row(), old_row("unet128", **change))
    groups = list(grouped([report]).values())
    assert [tuple(own) for _, own in groups] == [report.rows[:1], report.rows[1:]]
    assert groups[0][0] != groups[1][0]


def test_unlike_machines_never_share_a_plot():
    reports = [results(old_row()), results(old_row(), usable_cores=2)]
    assert list(grouped(reports)) == [NAME, f"{NAME}.2"]
    later = results(old_row(precision="int8"), date="2025-01-03T00:00:00")
    ((footer, rows),) = grouped([results(old_row()), later]).values()
    assert len(rows) == 2
    assert "2025-01-01 to 2025-01-03" in footer


def test_the_same_drawing_is_the_same_bytes(tmp_path):
    rows = [old_row(), old_row("unet128", 50.0)]
    first, second = (plot([results(*rows)], tmp_path / name) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_pareto_front():
    figures = ((10.0, 0.5), (20.0, 0.4), (30.0, 0.7), (40.0, 0.70001), (50.0, 0.6))
    rows = read_rows(*(old_row(p50=p50, metrics={"d1": d1}) for p50, d1 in figures))
    assert pareto_front(rows) == [rows[0], rows[2]]


def test_names_cover_neither_one_another_nor_points():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation, Text

    names = ["effb5-256", "effb0-256", "unet256", "unet128", "unet128-dws", "unet-dws", "eigen"]
    rows = read_rows(
        *(
            old_row(name, 50.0 + number, metrics={"d1": 0.6 + number / 2000})
            for number, name in enumerate(names)
        )
    )
    figure = Figure(layout="constrained")
    assert _draw_accuracy(figure, [*rows, *read_rows(old_row("fcrn-fc", 4000.0))])
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    (axes,) = figure.axes
    labels = [each for each in axes.get_children() if isinstance(each, Annotation)]
    assert sorted(each.get_text() for each in labels) == sorted([*names, "fcrn-fc"])
    boxes = [Text.get_window_extent(each, renderer) for each in labels]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    frame = axes.get_window_extent(renderer)
    for box in boxes:
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1
        for row in rows:
            x, y = axes.transData.transform((row.fps, row.metrics["d1"]))
            assert not box.contains(x, y)


def test_without_matplotlib_its_pip_line_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"fastdepth\[bench\]"):
        plot([results(old_row())], tmp_path)


def test_the_command_names_what_it_drew(tmp_path, capsys):
    file = tmp_path / "results.json"
    file.write_text(json.dumps(report(old_row())))
    assert main(["report", str(file), "--plot", str(tmp_path / "plots")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count(f".{NAME}.") == 4


def test_names_that_no_plot_was_made_for(tmp_path):
    hostile = ("$\\frac{", "--><script>", "\x1b[2J\u202e", "図" * 500, "_hidden", "", "a/../b\0")
    rows = [new_row(name, 10.0 + at, runtime=name) for at, name in enumerate(hostile)]
    extreme = [new_row("slow", 1e11), new_row("fast", 1e-6)]
    written = plot([results(*rows, *extreme, cpu="../" * 100, fastdepth="$x_$")], tmp_path)
    assert len(written) == 6
    assert {path.parent for path in written} == {tmp_path}
    for path in written[1::2]:
        drawing = ElementTree.fromstring(path.read_text())
        assert drawing.tag.endswith("svg")
    with pytest.raises(UsageError, match="101 rows for one plot"):
        plot([results(*(new_row() for _ in range(101)))], tmp_path)
