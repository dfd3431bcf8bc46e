"""Files of ``fastdepth-bench anchors`` are read as they were written, and others are not."""

from __future__ import annotations

import json

import pytest
from made_up_results import new_row, report
from made_up_studies import study

from fastdepth.errors import InputError
from fastdepth_bench.results.anchors import committed_studies, read_study
from fastdepth_bench.results.file import FOLDER, committed_results


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.anchors.json"
    path.write_text(json.dumps(study()))
    return path


def test_what_was_written_is_read(file):
    found = read_study(file)
    written = json.loads(found.to_json())
    assert {**written, "environment": None} == study(environment=None)
    assert study()["environment"].items() <= written["environment"].items()
    assert found.kinds == ["1 random", "16 random", "8x8 ToF"]
    assert found.estimators == ["anchored", "none", "median"]
    file.write_text(json.dumps(study(later="a key of a later fastdepth")))
    assert read_study(file) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": []}, "Expected `array` of length >= 1"),
        ({"schema": 2}, "Invalid enum value 2"),
        ({"noise": "much"}, "Expected `float`"),
        ({"rows": [{**study()["rows"][0], "d1": 1.5}]}, "Expected `float` <= 1"),
    ],
)
def test_what_is_none_is_refused(change, message, file):
    file.write_text(json.dumps(study(**change)))
    with pytest.raises(InputError, match="give what fastdepth-bench anchors --json wrote") as found:
        read_study(file)
    assert message in str(found.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"rows": NaN}'])
def test_what_is_no_such_json_is_refused(content, file):
    file.write_bytes(content)
    with pytest.raises(InputError):
        read_study(file)


def test_both_kinds_of_results_lie_side_by_side(tmp_path):
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / "a.anchors.json").write_text(json.dumps(study()))
    (folder / "a.nyu.json").write_text(json.dumps(report(new_row())))
    assert [path.name for path in committed_studies(tmp_path)] == ["a.anchors.json"]
    assert [path.name for path in committed_results(tmp_path)] == ["a.nyu.json"]
