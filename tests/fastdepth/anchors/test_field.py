"""Depth that knows a few distances: what must hold whatever the points are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.anchors.field import ErrorField, anchored, anchored_with_std
from fastdepth.anchors.observe import MOST, TAKEN
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.errors import UsageError

HEIGHT, WIDTH = 120, 160
rng = np.random.default_rng(0)


@pytest.fixture
def depth():
    """A room: a floor that comes nearer below, before a wall."""
    rows = np.linspace(0, 1, HEIGHT)[:, None]
    return np.broadcast_to(np.minimum(4, 1.5 / (rows + 0.1)), (HEIGHT, WIDTH)).astype(np.float32)


def points_of(truth, count, std=None, seed=0, noise=0.0):
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, HEIGHT, count)
    columns = generator.integers(0, WIDTH, count)
    known = truth[rows, columns] * np.exp(noise * generator.standard_normal(count))
    spread = np.full(count, math.nan) if std is None else std * known
    return np.stack([rows, columns, known, spread], axis=1)


def error(answer, truth):
    return float(np.abs(np.log(answer / truth)).mean())


def test_no_points_change_nothing(depth):
    answer = anchored(depth, DistancePoints.of([]))
    assert np.array_equal(answer, depth)
    assert answer is not depth


def test_a_scale_that_points_agree_on_is_found_everywhere(depth):
    answer = anchored(depth, DistancePoints.of(points_of(1.3 * depth, 64, noise=0.02)))
    assert error(answer, 1.3 * depth) < 0.03


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_exact_points_are_met(depth, count):
    flat = np.full_like(depth, 2.0)  # no edges, near which places are in doubt
    points = points_of(1.2 * flat, count, std=1e-4, seed=count, noise=0.05)
    answer = anchored(flat, DistancePoints.of(points))
    rows, columns = points[:, 0].astype(int), points[:, 1].astype(int)
    assert answer[rows, columns] == pytest.approx(points[:, 2], rel=0.02)


def test_noisy_points_are_not_met(depth):
    flat = np.full_like(depth, 2.0)
    near = anchored(flat, DistancePoints.of([[60, 80, 2.6, 0.01]]))[60, 80]
    far = anchored(flat, DistancePoints.of([[60, 80, 2.6, 1.0]]))[60, 80]
    assert 2.0 < far < 2.2
    assert 2.5 < near < 2.6


@pytest.mark.parametrize("count", [20, MOST + 50, TAKEN + 50, 3 * TAKEN])
@given(seed=st.integers(0, 2**32 - 1), kinds=st.integers(1, 50))
@settings(max_examples=5, deadline=None)
def test_order_is_nothing(count, seed, kinds):
    """Also where many points have the same error, or are the same."""
    generator = np.random.default_rng(seed)
    flat = np.full((HEIGHT, WIDTH), 2, np.float32)
    places = generator.integers(0, (HEIGHT, WIDTH), (count, 2))
    known = 1.5 + generator.integers(0, kinds, (count, 1)) / 50
    points = np.column_stack([places, known, generator.choice([np.nan, 0.1], count)])
    answer = anchored(flat, points)
    again = anchored(flat, generator.permutation(points))
    assert again == pytest.approx(answer, rel=1e-5)


@pytest.mark.parametrize("factor", [0.01, 100])
def test_units_are_nothing(depth, factor):
    points = points_of(1.3 * depth, 40, std=0.03, noise=0.1)
    small = anchored(depth, DistancePoints.of(points))
    large = anchored(depth * np.float32(factor), DistancePoints.of(points * [1, 1, factor, factor]))
    assert large == pytest.approx(small * factor, rel=1e-4)


def test_the_size_of_the_image_is_nothing(depth):
    points = points_of(1.3 * depth, 40, std=0.03)
    small = anchored(depth, DistancePoints.of(points))
    twice = np.repeat(np.repeat(depth, 2, axis=0), 2, axis=1)
    large = anchored(twice, DistancePoints.of(points * [2, 2, 1, 1] + [0.5, 0.5, 0, 0]))
    assert np.abs(np.log(large[::2, ::2] / small)).mean() < 0.01


@pytest.mark.parametrize("count", [8, 30, 100])
def test_a_tenth_of_wrong_points_does_no_harm(depth, count):
    truth = 1.2 * depth
    points = points_of(truth, count, noise=0.02)
    points[::10, 2] *= 2
    assert error(anchored(depth, DistancePoints.of(points)), truth) < 0.7 * error(depth, truth)


def test_a_point_that_cannot_be_counts_for_little(depth):
    answer = anchored(depth, DistancePoints.of([[60, 80, 30 * depth[60, 80]]]))
    assert np.abs(np.log(answer / depth)).max() < 0.05


@pytest.mark.parametrize("seed", range(5))
def test_points_side_by_side_that_contradict_each_other_leave_depth_sane(seed):
    """Of so many within the reach of a node no bilinear map can go through all."""
    generator = np.random.default_rng(seed)
    spotted = np.exp(generator.normal(1, 0.5, (HEIGHT, WIDTH))).astype(np.float32)
    places = generator.uniform((40, 40), (60, 60), (100, 2))
    known = generator.uniform(0.5, 8, 100)
    answer = anchored(spotted, np.column_stack([places, known, np.full(100, 0.001)]))
    factors = answer / spotted
    least, most = 0.5 / spotted.max(), 8 / spotted.min()
    assert (answer > 0).all()
    assert least / 2 < factors.min() and factors.max() < most * 2


def test_far_from_points_the_error_of_the_whole_image_is_mended(depth):
    flat = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    prior = AnchorPrior(scale_sd=0.1, local_sd=0.2, length=0.02)
    answer = anchored(flat, DistancePoints.of([[0, 0, 2.2, 0.002]]), prior=prior)
    share = 0.1**2 / (0.1**2 + 0.2**2)
    assert math.log(answer[-1, -1] / 2) == pytest.approx(share * math.log(1.1), rel=0.1)


def test_crowded_points_count_little_more_than_one(depth):
    flat = np.full_like(depth, 2.0)
    alone = anchored(flat, DistancePoints.of([[10, 10, 2.4, 0.02]]))[-1, -1]
    crowd = [[10 + k // 5, 10 + k % 5, 2.4, 0.02] for k in range(25)]
    assert math.log(anchored(flat, DistancePoints.of(crowd))[-1, -1] / alone) < 0.05


@pytest.mark.parametrize("count", [MOST + 1, 30_000])
def test_many_points_are_gathered(depth, count):
    truth = 1.3 * depth
    points = DistancePoints.of(points_of(truth, count, noise=0.1))
    field = ErrorField(depth, points)
    assert len(field.noise) <= MOST
    assert error(field.correct(depth), truth) < 0.06


def test_deviation_is_less_where_points_are(depth):
    flat, std = np.full_like(depth, 2.0), np.full_like(depth, 0.4)
    answer, left = anchored_with_std(flat, std, DistancePoints.of([[20, 20, 2.2, 0.02]]))
    assert np.array_equal(answer, anchored(flat, DistancePoints.of([[20, 20, 2.2, 0.02]])))
    assert left[20, 20] < 0.1 < left[100, 140] < 0.5
    assert anchored_with_std(flat, std, DistancePoints.of([]))[1] == pytest.approx(std, rel=1e-5)


def test_written_into_the_depth_itself(depth):
    points = DistancePoints.of(points_of(1.3 * depth, 10))
    wanted, into = anchored(depth, points), depth.copy()
    assert anchored(into, points, out=into) is into
    assert np.array_equal(into, wanted)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (16, 16), (17, 5000), (700, 31)])
def test_any_shape(shape):
    flat = np.full(shape, 2.0, np.float32)
    answer = anchored(flat, DistancePoints.of([[0, 0, 2.2, 0.001]]))
    assert answer.shape == shape
    assert answer[0, 0] == pytest.approx(2.2, rel=0.01)


def test_millimetres_are_refused(depth):
    with pytest.raises(UsageError, match="give them in metres"):
        anchored(depth, DistancePoints.of(points_of(1000 * depth, 5)))


def test_outside_is_refused(depth):
    with pytest.raises(UsageError, match="outside the image of 160x120"):
        anchored(depth, DistancePoints.of([[130, 10, 2.0]]))
