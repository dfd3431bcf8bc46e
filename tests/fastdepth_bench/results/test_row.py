"""A row is its JSON, both ways."""

from __future__ import annotations

import json

import pytest
from any_row import values
from hypothesis import HealthCheck, given, settings
from made_up_results import old_row
from made_up_results import report as made_up

from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=values(Row), environment=values(Environment))
def test_what_is_written_is_read(row: Row, environment: Environment) -> None:
    report = Report(environment, (row,))
    assert Report.from_json(json.loads(report.to_json())) == report


def test_a_number_that_is_none_is_never_written(environment: Environment) -> None:
    (row,) = Report.from_json(made_up(old_row())).rows
    for wrong in (float("nan"), float("inf")):
        broken = Report(environment, (Row(**{**vars(row), "cv": wrong}),))
        with pytest.raises(ValueError, match="not JSON compliant"):
            broken.to_json()


def test_a_row_says_what_it_is() -> None:
    rows = Report.from_json(
        made_up(
            old_row(precision="int8"),
            old_row(fold=False),
            old_row(form="last-axis", data="nyu train"),
        )
    ).rows
    assert [row.name for row in rows] == [
        "unet128-dws",
        "unet128-dws:plain",
        "unet128-dws:last-axis",
    ]
    assert [row.target for row in rows] == ["onnxruntime int8", "onnxruntime", "onnxruntime"]
    assert [row.learnt for row in rows] == [False, False, True]
    assert [(row.form, row.fold) for row in rows][1:] == [("plain", False), ("last-axis", False)]
    assert rows[0].yardstick != rows[2].yardstick
    assert rows[0].checkpoint == 12 * 6_472_944
