"""What was measured becomes a row, and is compared with PyTorch beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.bootstrap import Interval
from fastdepth_bench.measure.exactness import Differences
from fastdepth_bench.measure.pooling import InTurns
from fastdepth_bench.measure.row import Answered, Figures, compare_with_torch, empty_row, row_of
from fastdepth_bench.results.figures import Against, RooflineFigures, Stages
from fastdepth_bench.results.row import Row


@pytest.fixture
def row(case: Case, yardstick: Yardstick, figures: Figures) -> Row:
    return row_of(case, yardstick, figures)


def test_every_figure_has_its_place(row: Row) -> None:
    assert (row.gmac, row.bytes, row.weights_bytes) == (17.6, 26_000_000, 24_000_000)
    assert (row.params, row.deployed_params) == (6_472_944, 6_000_000)
    assert row.checkpoint_bytes == 12 * 6_472_944
    assert row.latency_ms is not None and row.end_to_end_ms is not None
    assert (row.fps, row.latency_ms.p90, row.end_to_end_ms.p50) == (2.5, 410, 410)
    assert (row.fps_interval, row.fps_wall, row.restarts) == ((2.4, 2.6), 2.2, 5)
    assert (row.size, row.frame_size) == (Size(480, 640), Size(480, 640))
    assert row.metrics is not None
    assert (row.metrics["d1"], row.metrics["pixels"]) == (0.867, 9)
    assert (row.untrained, row.error, row.queries) == (True, None, None)
    assert row.samples == 654


def test_a_case_without_figures_is_a_row_that_says_why(case: Case, yardstick: Yardstick) -> None:
    row = empty_row(case, yardstick, "no memory")
    assert (row.error, row.fps, row.latency_ms, row.metrics) == ("no memory", None, None, None)
    assert (row.params, row.checkpoint_bytes) == (6_472_944, 12 * 6_472_944)
    plain = empty_row(replace(case, form="plain"), yardstick, "no memory")
    assert (plain.form, plain.fold, plain.name) == ("plain", False, "unet128-dws:plain")


def test_queries_are_those_of_other_scenarios(
    case: Case, yardstick: Yardstick, figures: Figures
) -> None:
    row = row_of(replace(case, scenario="multi-stream"), yardstick, figures)
    assert row.queries == figures.pooled.queries


def test_the_roofline_is_of_the_batch(case: Case, yardstick: Yardstick, figures: Figures) -> None:
    found = replace(figures, rates=Rates(macs_per_second=88e9, bytes_per_second=1e10, threads=1))
    rates = {"macs_per_second": 88e9, "bytes_per_second": 1e10}
    one, two = (row_of(replace(case, batch=n), yardstick, found).ceiling for n in (1, 2))
    assert one == RooflineFigures(pytest.approx(200), pytest.approx(0.5), "multiply-adds", **rates)
    assert two is not None and two.least_ms == pytest.approx(400)


def test_host_copies_are_both(case: Case, yardstick: Yardstick, figures: Figures, row: Row) -> None:
    assert row.host_copies_ms is None
    stages = Stages(3.0, 4.0, 1.0, 400.0, 2.0, 6.0)
    found = replace(figures, pooled=replace(figures.pooled, stages=stages))
    assert row_of(case, yardstick, found).host_copies_ms == 3


def test_the_other_one_is_named(case: Case, yardstick: Yardstick, figures: Figures) -> None:
    in_turns = InTurns(Interval(3, 2.9, 3.1), Interval(2, 1.9, 2.1), p50=1200, rounds=24)
    found = replace(
        figures,
        pooled=replace(figures.pooled, in_turns=in_turns),
        against=replace(case, form="last-axis"),
        differences=Differences(to_against=1e-6, to_float64=2e-6),
    )
    row = row_of(case, yardstick, found)
    ratios = (3, 2.9, 3.1, Size(480, 640), 2, 1.9, 2.1)
    assert row.against == Against("unet128-dws:last-axis", *ratios, p50_ms=1200, rounds=24)
    assert (row.max_difference_to_against, row.max_difference_to_float64) == (1e-6, 2e-6)


def test_metrics_are_compared_with_the_same_weights_and_size(
    case: Case, yardstick: Yardstick, row: Row
) -> None:
    assert row.metrics is not None
    worse = replace(row, runtime="onnxruntime", metrics={**row.metrics, "d1": 0.86})
    rows = (
        worse,
        row,
        replace(worse, size=Size(320, 416)),
        replace(worse, data="rooms"),
        replace(worse, weights_hash="0123456789ab"),
        empty_row(replace(case, runtime="onnxruntime"), yardstick, "failed"),
    )
    found = compare_with_torch([Answered(each) for each in rows])
    differences = [each.d1_minus_torch for each in found]
    assert differences == [pytest.approx(-0.007), 0, None, None, None, None]
    assert found[0].metrics_minus_torch is not None
    assert found[0].metrics_minus_torch["abs_rel"] == 0
    assert "pixels" not in found[0].metrics_minus_torch


def test_depth_is_compared_even_without_scores(row: Row) -> None:
    depth = np.full((1, 1, 4, 6), 2, np.float32)
    farther = depth.copy()
    farther[0, 0, 1, 2] = 2.5
    torch = replace(row, metrics=None)
    other = replace(torch, runtime="onnxruntime")
    alone = replace(other, variant="unet256")
    answered = [Answered(other, farther), Answered(torch, depth), Answered(alone, farther)]
    found = compare_with_torch(answered)
    assert [each.max_difference_to_torch for each in found] == [0.5, 0, None]
