"""Each estimator finds what it is made to find, and takes any points."""

from __future__ import annotations

import numpy as np
import pytest

from fastdepth.anchors.points import DistancePoints
from fastdepth.size import Size
from fastdepth_bench.anchors.estimators import ESTIMATORS, Prediction

pytest.importorskip("scipy")

HEIGHT, WIDTH = 96, 128
rng = np.random.default_rng(0)


@pytest.fixture
def depth():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    return (1.5 + 2 * columns / WIDTH + rows / HEIGHT).astype(np.float32)


def known(truth, count, seed=0):
    generator = np.random.default_rng(seed)
    where = generator.choice(truth.size, count, replace=False)
    rows, columns = np.divmod(where, WIDTH)
    return DistancePoints.of(np.stack([rows, columns, truth[rows, columns]], axis=1))


def answer(name, depth, points):
    image = np.zeros((*depth.shape, 3), np.uint8)
    return ESTIMATORS[name].estimate(Prediction(depth, image), points)


def error(found, truth):
    return float(np.abs(np.log(found / truth)).mean())


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("count", [1, 2, 3, 60])
def test_any_number_of_points(name, count, depth):
    before = depth.copy()
    found = answer(name, depth, known(1.3 * depth, count))
    assert found.shape == depth.shape and found.dtype == np.float32
    assert np.isfinite(found).all() and (found > 0).all()
    assert np.array_equal(depth, before)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_points_on_a_line_and_at_an_edge_of_a_sensor(name, depth):
    line = DistancePoints.of([[40, column, 2.0 + column / 100] for column in range(0, 120, 10)])
    zones = DistancePoints.from_tof(np.full((8, 8), 2.0), Size(HEIGHT, WIDTH))
    for points in (line, zones):
        assert np.isfinite(answer(name, depth, points)).all()


def test_scale_is_found_by_all_that_scale(depth):
    truth = 1.3 * depth
    points = known(truth, 40)
    for name in ("median", "log-affine", "residual"):
        assert error(answer(name, depth, points), truth) < 1e-3
    assert error(answer("anchored", depth, points), truth) < 0.05 < error(depth, truth)
    assert np.array_equal(answer("none", depth, points), depth)


def test_a_power_is_found_by_log_affine_alone(depth):
    truth = 0.7 * depth**1.4
    points = known(truth, 40)
    assert error(answer("log-affine", depth, points), truth) < 1e-3
    assert error(answer("median", depth, points), truth) > 0.03
    few = known(truth, 2)
    assert np.array_equal(answer("log-affine", depth, few), answer("median", depth, few))


def test_an_outlier_does_not_move_the_median(depth):
    points = known(1.3 * depth, 21)
    wrong = DistancePoints.of(
        np.stack([points.rows, points.columns, points.depth * np.where(points.rows < 9, 2, 1)], 1)
    )
    assert error(answer("median", depth, wrong), 1.3 * depth) < 1e-3


def test_interpolation_does_not_look_at_the_network(depth):
    points = known(depth, 60)
    for name in ("nearest", "linear"):
        found = answer(name, depth, points)
        assert np.array_equal(found, answer(name, np.full_like(depth, 9), points))
        assert error(found, depth) < 0.1
    inside = np.s_[20:-20, 20:-20]
    assert error(answer("linear", depth, points)[inside], depth[inside]) < 0.01
    assert answer("nearest", depth, points).max() <= points.depth.max() + 1e-6


def test_the_residual_passes_through_the_points(depth):
    points = known(depth * np.exp(0.2 * np.sin(depth * 3)), 30)
    found = answer("residual", depth, points)
    there = found[points.rows.astype(int), points.columns.astype(int)]
    assert np.median(np.abs(np.log(there / points.depth))) < 0.02


def test_what_a_fit_leads_to_stays_a_number(depth):
    points = DistancePoints.of([[0, 0, 1e-3], [0, 1, 1e3], [0, 2, 1e6]])
    for name in ESTIMATORS:
        if name != "anchored":  # refuses what is not in metres
            assert np.isfinite(answer(name, depth, points)).all()
