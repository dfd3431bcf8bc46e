from __future__ import annotations

import json

import numpy as np
import pytest
from made_up_results import failed_row, new_row, old_row, report

from fastdepth.errors import UsageError
from fastdepth_bench.report.markdown import HEADINGS, to_markdown
from fastdepth_bench.report.pages import NONE_YET, SECTIONS, marks, room_image, with_results
from fastdepth_bench.report.published_tables import seeds_to_markdown
from fastdepth_bench.report.systems_table import systems_to_markdown
from fastdepth_bench.results.reading import read_all


@pytest.fixture(scope="module")
def parsed(request):
    return json.loads(request.getfixturevalue("report").to_json())


def test_one_line_a_row_with_all_its_columns(parsed):
    lines = to_markdown(parsed).splitlines()
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 2 + len(parsed["rows"])
    assert len({line.count(" | ") for line in table}) == 1
    assert set(HEADINGS) < set(table[0].strip("| ").split(" | "))


def test_what_is_needed_to_repeat_it_stands_below(parsed):
    text = to_markdown(parsed)
    row = parsed["rows"][0]
    assert row["sample_hash"] in text
    assert row["protocol_description"] in text
    assert f"Measured on {parsed['environment']['cpu']}" in text


def test_unlike_data_get_tables_of_their_own(parsed):
    other = [{**row, "data": "elsewhere", "sample_hash": "0"} for row in parsed["rows"]]
    text = to_markdown({**parsed, "rows": [*parsed["rows"], *other]})
    assert text.count(f"| {HEADINGS[0]} |") == 2


def test_what_was_not_measured_is_empty_and_a_failure_is_told():
    failed = failed_row(error="out of luck")
    (line,) = [x for x in to_markdown(report(failed)).splitlines() if "luck" in x]
    assert line.split(" | ")[3:-1] == [""] * (len(HEADINGS) - 4)


def test_results_take_the_place_between_the_marks(tmp_path, parsed):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(parsed))
    begin, end = marks("results")
    first, last = marks("systems")
    rest = f"after\n{first}\n\n{systems_to_markdown([parsed])}\n{last}\n"
    first, last = marks("seeds")
    rest += f"{first}\n\n{seeds_to_markdown([parsed])}\n{last}\n"
    for section in ("rivals", "folding", "precisions"):
        first, last = marks(section)
        rest += f"{first}\n\n{NONE_YET.format(f'.{section}.json')}\n{last}\n"
    text = with_results(f"before\n{begin}\nold\n{end}\n{rest}", read_all([file]))
    assert text == f"before\n{begin}\n\n{to_markdown(parsed)}\n{end}\n{rest}"
    assert with_results(text, read_all([file])) == text


def test_precisions_have_a_section_of_their_own(tmp_path, parsed):
    file = tmp_path / "a.precisions.json"
    file.write_text(json.dumps(parsed))
    empty = "\n".join(mark for section in SECTIONS for mark in marks(section))
    text = with_results(empty, read_all([file]))
    assert to_markdown(parsed) in text.partition(marks("precisions")[0])[2]


def test_the_image_shows_a_room_its_depth_and_the_prediction(tiny_model):
    image = room_image(tiny_model, room=1)
    assert image.dtype == np.uint8
    assert image.shape[0] > 480
    assert image.shape[1] > 3 * 640


def test_a_readme_without_marks_is_refused():
    with pytest.raises(UsageError, match="lacks the lines"):
        with_results("nothing", {})


def cells(*rows):
    """Cells by heading of each row of a report's first table."""
    table = [line for line in to_markdown(report(*rows)).splitlines() if line.startswith("| ")]
    headings, _, *lines = ([cell.strip() for cell in line[2:-1].split(" | ")] for line in table)
    return [dict(zip(headings, line, strict=True)) for line in lines]


def test_old_rows_have_the_old_columns_alone():
    (row,) = cells(old_row())
    assert tuple(row) == HEADINGS


def test_new_columns_stand_where_a_row_has_them():
    other = {"name": "unet128-dws:plain", "ratio": 4.613, "low": 4.5, "high": 4.72}
    rows = [
        new_row(against=other, peak_gpu_bytes=5_000_000, joules_per_picture=0.125),
        new_row(fold=False),
        old_row("unet128"),
    ]
    first, plain, old = cells(*rows)
    assert plain["variant"] == "unet128-dws:plain"
    assert first["against"] == "4.61x unet128-dws:plain [4.50, 4.72]"
    assert first["frames/s, 95 %"] == "9.8 to 10.2"
    assert first["end-to-end frames/s"] == "9.2"
    assert first["end-to-end p50 ms"] == "109"
    assert first["of ceiling"] == "40 %, multiply-adds"
    assert (first["peak memory MB"], first["peak GPU MB"]) == ("300", "5")
    assert first["J/picture"] == "0.12"
    assert (plain["against"], old["of ceiling"], old["peak memory MB"]) == ("", "", "")
    assert not {"scenario", "batch"} & set(first)


def test_scenarios_and_batches_are_named():
    queries = {"rate": 20.0, "samples": None, "p99_ms": 85.4, "overloaded": True}
    single, server, offline = cells(
        new_row(),
        new_row(scenario="server", queries=queries),
        new_row(scenario="offline", batch=8),
    )
    assert single["scenario"] == ""
    assert server["scenario"] == "server 20/s, p99 85 ms overloaded"
    assert (offline["scenario"], offline["batch"]) == ("offline", "8")
    assert "batch" not in to_markdown(report(new_row(), new_row(batch=2))).split("thread(s)")[1]


def test_noisy_rows_are_named_below():
    text = to_markdown(report(new_row(noisy=True, runtime="torch"), new_row()))
    assert "scatter by more than 15 %: unet128-dws torch." in text
    assert "Noisy" not in to_markdown(report(new_row()))


def test_a_message_with_a_bar_does_not_break_the_table():
    assert "(a \\| b)" in to_markdown(report(failed_row(error="a | b")))
