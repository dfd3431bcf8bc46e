from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from made_up_results import failed_row, new_row, old_row, report

from fastdepth.errors import InputError, UsageError
from fastdepth_bench.results.reading import (
    checkpoint_bytes,
    committed_results,
    machine,
    network,
    read_results,
    short_names,
)
from fastdepth_bench.results.result import SCHEMA_FILE

ROOT = Path(__file__).parents[3]


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("path", committed_results(ROOT), ids=lambda path: path.name)
def test_every_committed_file_is_read(path):
    assert read_results(path) == json.loads(path.read_text())


def test_what_tests_make_up_is_as_the_schema_says():
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.validate(report(old_row(), failed_row()), schema)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "has no rows"),
        ({"schema": 1, "rows": []}, "has no rows"),
        (report(old_row()) | {"schema": 2}, "has schema 2, this fastdepth reads 1"),
        (report(old_row()) | {"environment": {"cpu": "x"}}, "in its environment"),
        (report({"variant": "unet128"}), "in its rows"),
        ({"schema": 1, "rows": ["x"], "environment": report()["environment"]}, "in its rows"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_results(write(tmp_path / "results.json", content))


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_results(tmp_path / "results.json")
    with pytest.raises(UsageError, match="run in a checkout"):
        committed_results(tmp_path)


def test_rows_are_named_by_what_differs():
    rows = [old_row(), old_row(precision="int8"), old_row(runtime="torch")]
    assert short_names(rows) == [
        "unet128-dws onnxruntime",
        "unet128-dws onnxruntime int8",
        "unet128-dws torch",
    ]
    assert short_names([new_row(), new_row(fold=False)]) == ["unet128-dws", "unet128-dws:plain"]
    assert short_names([old_row(), old_row("unet128")]) == ["unet128-dws", "unet128"]
    assert short_names([old_row(), old_row(weights="mine")]) == [
        "unet128-dws unet128-dws.nyu",
        "unet128-dws mine",
    ]
    served = new_row(scenario="server", queries={"rate": 20.0, "n": 100, "p99_ms": 30.0})
    assert short_names([new_row(), served]) == ["unet128-dws", "unet128-dws server 20/s"]
    assert short_names([]) == []


def test_old_rows_are_folded_and_their_checkpoint_is_counted():
    assert network(old_row()) == "unet128-dws"
    assert checkpoint_bytes(old_row()) == 6_472_944 * 12
    assert checkpoint_bytes(new_row(checkpoint_bytes=5)) == 5
    assert checkpoint_bytes(old_row("stranger")) is None


def test_a_driver_makes_no_other_machine():
    one, other = (report(gpus=[f"NVIDIA X, driver {number}"]) for number in (1, 2))
    assert machine(one) == machine(other) == "Model of the CPU; 4 of 8 cores; NVIDIA X"
    assert machine(one) != machine(report())
