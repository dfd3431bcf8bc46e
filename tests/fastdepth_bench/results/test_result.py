"""The JSON is what its schema says, and holds what was measured."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest

from fastdepth.metrics import Scores
from fastdepth_bench.case import Case
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.pooling import Pooled
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.result import SCHEMA_FILE, Report, Result, compare_with_torch


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return content


def test_real_output_is_valid(report: Report, schema: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(report.to_json()), schema)


def test_failed_and_untrained_rows_are_valid(
    case: Case,
    yardstick: Yardstick,
    pooled: Pooled,
    environment: Environment,
    schema: dict[str, Any],
) -> None:
    from fastdepth_export.cost import GraphCost

    cost = GraphCost(6_000_000, 17_600_000_000, 26_000_000)
    rows = (Result(case, yardstick, cost, pooled), Result(case, yardstick, error="no memory"))
    content = json.loads(Report(environment, rows).to_json())
    jsonschema.validate(content, schema)
    measured, failed = content["rows"]
    assert (measured["gmac"], measured["bytes"], measured["metrics"]) == (17.6, 26_000_000, None)
    assert (measured["params"], measured["deployed_params"]) == (6_472_944, 6_000_000)
    assert (measured["fps"], measured["latency_ms"]["p90"]) == (2.5, 410.0)
    assert measured["size"] == [480, 640]
    assert (failed["error"], failed["fps"], failed["latency_ms"]) == ("no memory", None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"fps": None},
        {"fps": 0},
        {"metrics": None},
        {"error": "failed, and yet has figures"},
        {"size": [640]},
        {"untrained": True},
        {"sample_hash": "short"},
    ],
    ids=str,
)
def test_schema_refuses(change: dict[str, Any], report: Report, schema: dict[str, Any]) -> None:
    content = copy.deepcopy(json.loads(report.to_json()))
    content["rows"][0].update(change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_schema_describes_every_key(report: Report, schema: dict[str, Any]) -> None:
    content = json.loads(report.to_json())
    described = schema["properties"]
    assert list(content["rows"][0]) == list(described["rows"]["items"]["properties"])
    assert list(content["environment"]) == list(described["environment"]["properties"])


def test_json_holds_the_row(report: Report) -> None:
    content = json.loads(report.to_json())
    for row, written in zip(report.rows, content["rows"], strict=True):
        assert row.timing is not None
        assert row.scores is not None
        assert written["latency_ms"]["p50"] == row.timing.p50
        assert written["metrics"] == row.scores.as_dict()
        assert written["weights"] == "unet128-dws-75.random.safetensors"
        assert written["weights_hash"]


def test_d1_is_compared_with_the_same_weights_and_size(
    case: Case, yardstick: Yardstick, scores: Scores
) -> None:
    torch = Result(case, yardstick, scores=scores)
    other = replace(
        torch, case=replace(case, runtime="onnxruntime"), scores=replace(scores, d1=0.86)
    )
    smaller = replace(other, case=replace(other.case, size=(320, 416)))
    elsewhere = replace(other, yardstick=replace(yardstick, data="rooms"))
    failed = Result(other.case, yardstick, error="failed")
    rows = compare_with_torch([other, torch, smaller, elsewhere, failed])
    differences = [row.d1_minus_torch for row in rows]
    assert differences == [pytest.approx(-0.007), 0, None, None, None]


def test_depth_is_compared_with_torch_even_without_scores(case: Case, yardstick: Yardstick) -> None:
    depth = np.full((1, 1, 4, 6), 2, np.float32)
    farther = depth.copy()
    farther[0, 0, 1, 2] = 2.5
    torch = Result(case, yardstick, depth=depth)
    other = Result(replace(case, runtime="onnxruntime"), yardstick, depth=farther)
    alone = replace(other, case=replace(other.case, variant="unet256"))
    rows = compare_with_torch([other, torch, alone])
    assert [row.max_difference_to_torch for row in rows] == [0.5, 0, None]
    assert rows[0].to_row()["max_difference_to_torch"] == 0.5
