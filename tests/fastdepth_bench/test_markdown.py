from __future__ import annotations

import json

import numpy as np
import pytest

from fastdepth.errors import UsageError
from fastdepth_bench.markdown import HEADINGS, to_markdown
from fastdepth_bench.readme import NONE_YET, SUFFIXES, marks, room_picture, with_results
from fastdepth_bench.systems_table import systems_to_markdown


@pytest.fixture(scope="module")
def parsed(report):
    return json.loads(report.to_json())


def test_one_line_a_row_with_all_its_columns(parsed):
    lines = to_markdown(parsed).splitlines()
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) == 2 + len(parsed["rows"])
    assert {line.count(" | ") for line in table} == {len(HEADINGS) - 1}


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


def test_what_was_not_measured_is_empty_and_a_failure_is_told(parsed):
    nothing = dict.fromkeys(("fps", "latency_ms", "bytes", "deployed_params", "gmac", "metrics"))
    failed = {**parsed["rows"][0], **nothing, "d1_minus_torch": None, "error": "out of luck"}
    (line,) = [x for x in to_markdown({**parsed, "rows": [failed]}).splitlines() if "luck" in x]
    assert line.split(" | ")[3:-1] == [""] * (len(HEADINGS) - 4)


def test_results_take_the_place_between_the_marks(tmp_path, parsed):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(parsed))
    begin, end = marks("results")
    first, last = marks("systems")
    rest = f"after\n{first}\n\n{systems_to_markdown([parsed])}\n{last}\n"
    for section in ("folding", "precisions"):
        first, last = marks(section)
        rest += f"{first}\n\n{NONE_YET.format(f'.{section}.json')}\n{last}\n"
    text = with_results(f"before\n{begin}\nold\n{end}\n{rest}", [file])
    assert text == f"before\n{begin}\n\n{to_markdown(parsed)}\n{end}\n{rest}"
    assert with_results(text, [file]) == text


def test_precisions_have_a_section_of_their_own(tmp_path, parsed):
    file = tmp_path / "a.precisions.json"
    file.write_text(json.dumps(parsed))
    empty = "\n".join(mark for section in SUFFIXES for mark in marks(section))
    text = with_results(empty, [file])
    assert to_markdown(parsed) in text.partition(marks("precisions")[0])[2]


def test_the_picture_shows_a_room_its_depth_and_the_prediction(tiny_model):
    picture = room_picture(tiny_model, room=1)
    assert picture.dtype == np.uint8
    assert picture.shape[0] > 480
    assert picture.shape[1] > 3 * 640


def test_a_readme_without_marks_is_refused():
    with pytest.raises(UsageError, match="lacks the lines"):
        with_results("nothing", [])
