"""The schema is that of the types, and what is measured is as it says."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_up_results import failed_row, new_row
from made_up_results import report as made_up

from fastdepth_bench.results.file import Report, committed_results, read_report
from fastdepth_bench.results.row import Row
from fastdepth_bench.results.schema import SCHEMA_FILE, attributes, schema

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_the_file_is_that_of_the_types() -> None:
    assert SCHEMA_FILE.read_text() == schema(), "fastdepth-bench report renews it"


def test_every_key_is_described_with_its_unit(content: dict[str, Any]) -> None:
    for name, part in content["$defs"].items():
        for key, entry in part.get("properties", {}).items():
            assert entry.get("description"), f"{name}.{key}"
    described = content["$defs"]["Row"]["properties"]
    assert list(described) == [field.name for field in fields(Row)]
    assert described["fps"]["unit"] == "1/s"
    assert attributes(Row)["gmac"][1] == "10^9"


def test_real_output_is_valid(report: Report, content: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(report.to_json()), content)


def test_old_files_lack_what_was_not_measured_then(content: dict[str, Any]) -> None:
    jsonschema.validate(made_up(new_row(), failed_row()), content)


@pytest.mark.parametrize(
    "change",
    [
        {"fps": 0},
        {"error": ""},
        {"size": [640]},
        {"sample_hash": "short"},
        {"threads": 0},
        {"form": "flat"},
        {"scenario": "sever"},
        {"d1_minus_torch": 1.5},
        {"max_difference_to_against": -1e-6},
        {"latency_ms": {"p50": 1.0}},
        {"untrained": "yes"},
    ],
    ids=str,
)
def test_schema_refuses(change: dict[str, Any], report: Report, content: dict[str, Any]) -> None:
    wrong = copy.deepcopy(json.loads(report.to_json()))
    wrong["rows"][0].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, content)


@pytest.mark.parametrize("path", committed_results(ROOT), ids=lambda path: path.name)
def test_every_committed_file_is_read(path: Path, content: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(read_report(path).to_json()), content)
