"""Boundaries of depth: figures by hand, and what must hold for any depth map."""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.metrics import (
    ALIGNMENTS,
    ALL_METRICS,
    EDGE_METRICS,
    METRICS,
    PROTOCOLS,
    Edges,
    Evaluation,
)
from fastdepth.metrics.edges import THRESHOLDS

SEEDS = st.integers(0, 10_000)


def room(seed: int, shape: tuple[int, int] = (72, 96)) -> np.ndarray:
    """Boxes of different depth (H, W) [m] before a slanted wall."""
    rng = np.random.default_rng(seed)
    depth = np.repeat(np.linspace(4, 5, shape[1])[None], shape[0], 0)
    for _ in range(4):
        top, left = (int(rng.integers(5, side - 25)) for side in shape)
        depth[top : top + 18, left : left + 18] = rng.uniform(1, 3)
    return depth


def edges(prediction: np.ndarray, truth: np.ndarray) -> Edges:
    """Of all pixels that have a depth in the truth."""
    return Edges(prediction, truth, truth > 0)


def step(column: int, ratio: float = 2.0, width: int = 60) -> np.ndarray:
    """Depth (40, width) [m] that jumps from 1 m before a column."""
    depth = np.ones((40, width))
    depth[:, column:] = ratio
    return depth


def blurred(depth: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(depth, (0, 0), sigma)


def test_f1_by_hand() -> None:
    # Truth: a column of 40 boundaries to the right. Prediction: half of them, and 60 in a row.
    truth, half = step(30), step(30)
    half[20:] = 1.0
    half[:20, :30] = half[20:] = 1.0
    # rightwards P = 20 / 20, R = 20 / 40; downwards P = 0 / 30, no boundary in the truth: R = 0
    precision, recall = (1 + 0) / 2, (0.5 + 0) / 2
    expected = 2 * precision * recall / (precision + recall)
    assert edges(half, truth).f1 == pytest.approx(expected)


def test_f1_weighs_thresholds_by_themselves() -> None:
    # predicted by a factor of 1.1: found at 1.05 ... 1.094 alone, where F1 is 1, of ten thresholds
    found = THRESHOLDS[THRESHOLDS < 1.1]
    assert 1 < len(found) < 10
    expected = found.sum() / THRESHOLDS.sum()
    assert edges(step(30, 1.1), step(30)).f1 == pytest.approx(expected)


def test_f1_tells_before_from_behind() -> None:
    """A jump to the wrong side is none: what occludes what is part of a boundary."""
    assert edges(step(30, 0.5), step(30, 2.0)).f1 == 0
    assert edges(step(31), step(30)).f1 == 0  # and a pixel off is off


def test_boundary_error_by_hand() -> None:
    assert edges(step(33), step(30)).errors == pytest.approx((3, 3))
    assert edges(step(45), step(30)).errors == (10, 10)  # nothing within 10 px
    # Truth: two edges, 30 px apart. Prediction: the first of them alone, 2 px off.
    truth = step(20, width=80)
    truth[:, 50:] = 4
    predicted = step(22, width=80)
    assert edges(predicted, truth).errors == pytest.approx((2, (2 + 10) / 2))
    assert edges(truth, predicted).errors == pytest.approx((2, 2))


def test_canny_begins_and_goes_on_at_its_two_steps() -> None:
    """The slopes that it is told are those that steps have after smoothing."""
    for ratio, found in ((1.09, False), (1.11, True)):
        assert math.isnan(edges(step(30, ratio), step(30, ratio)).errors[0]) is not found
    fading = step(30)
    for low, missed in ((1.06, False), (1.04, True)):  # downwards too little to begin with
        fading[:, 30:] = np.linspace(1.2, low, 40)[:, None]
        accuracy, completeness = edges(fading, step(30, 1.2)).errors
        assert accuracy <= 1  # of the two pixels of a step either is its edge
        assert (completeness > 1.01) is missed


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_the_truth_itself_is_perfect(seed: int) -> None:
    found = edges(room(seed), room(seed))
    assert found.f1 == 1
    assert found.errors == (0, 0)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.05, 20), st.floats(0.5, 2))
def test_scale_changes_nothing(seed: int, scale: float, sigma: float) -> None:
    truth, predicted = room(seed), blurred(room(seed + 1) + room(seed), sigma)
    one, other = edges(predicted, truth), edges(scale * predicted, truth)
    assert other.f1 == pytest.approx(one.f1, abs=5e-3)  # float32 at a threshold's very edge
    assert other.errors == pytest.approx(one.errors, abs=0.2)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_blur_lowers_it(seed: int) -> None:
    truth = room(seed)
    sharp, soft, softer = (edges(blurred(truth, sigma), truth) for sigma in (0.3, 1.5, 4))
    assert sharp.f1 > soft.f1 > softer.f1
    assert soft.f1 < 0.52  # of all seeds' rooms 7 are above .5, the greatest with .5165
    assert soft.errors[1] < softer.errors[1]


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_holes_make_no_edges(seed: int) -> None:
    """Neither in the truth, nor in a prediction that is anything there."""
    rng = np.random.default_rng(seed)
    wall = np.repeat(np.linspace(3, 4, 96)[None], 72, 0)
    wall[10:30, 20:50] = 0.0
    wall[rng.random(wall.shape) < 0.01] = math.nan
    assert math.isnan(edges(wall, wall).f1)
    assert np.isnan(edges(wall, wall).errors).all()
    truth = room(seed)
    hole = truth.copy()
    hole[20:45, 30:60] = 0
    wild = np.where(hole > 0, truth, rng.uniform(0.1, 10, truth.shape))
    found = edges(wild, hole)
    assert found.f1 == 1 or math.isnan(found.f1)
    assert found.errors == (0, 0) or np.isnan(found.errors).all()


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 0.0, -1.0])
def test_what_is_no_depth_makes_no_boundary(wrong: float) -> None:
    truth = step(30)
    nothing = edges(np.full_like(truth, wrong), truth)
    assert nothing.f1 == 0
    assert nothing.errors == (10, 10)


def test_false_boundaries_count_where_the_truth_has_none() -> None:
    wall = np.full((40, 60), 3.0)
    assert edges(step(30), wall).f1 == 0
    assert np.isnan(edges(step(30), wall).errors).all()
    assert math.isnan(edges(wall, wall).f1)


def test_means_are_over_images_that_have_boundaries() -> None:
    evaluation = Evaluation(PROTOCOLS["eigen"])
    truth, wall = room(3, (96, 128)), np.full((96, 128), 3.0)
    for depth in (truth, wall, blurred(truth, 1)):
        evaluation.add(depth, truth)
    evaluation.add_edges(wall, wall)
    assert "edge_f1" not in evaluation.scores().as_dict()
    soft = Edges(blurred(truth, 1), truth, evaluation.protocol.valid(truth))
    evaluation.add_edges(truth, truth)
    evaluation.add_edges(blurred(truth, 1), truth)
    scores = evaluation.scores()
    assert scores.edge_f1 == pytest.approx((1 + soft.f1) / 2)
    assert scores.dbe_completeness == pytest.approx(soft.errors[1] / 2)
    assert list(scores.as_dict()) == [*ALL_METRICS, "pixels", "nonfinite"]


def test_a_prediction_is_compared_at_the_truths_own_size_and_aligned() -> None:
    truth = cv2.resize(room(5), (384, 288), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(truth, (96, 72), interpolation=cv2.INTER_AREA)
    evaluation = Evaluation(PROTOCOLS["eigen"])
    evaluation.add(small, truth)
    evaluation.add_edges(small, truth)
    assert 0 < evaluation.scores().edge_f1 < 0.7
    inverse = 7 / truth - 1
    fitted = Evaluation(PROTOCOLS["fastdepth"], ALIGNMENTS["affine-disparity"])
    fitted.add(1 / inverse, truth)
    fitted.add_edges(1 / inverse, truth)
    assert fitted.scores().edge_f1 == pytest.approx(1)


def test_names_are_apart() -> None:
    assert METRICS.keys().isdisjoint(EDGE_METRICS)
    assert EDGE_METRICS["edge_f1"].higher_is_better
    assert {metric.unit for metric in EDGE_METRICS.values()} == {"", "px"}


def test_500_images_take_a_minute_at_most() -> None:
    truth = room(1, (480, 640))
    predicted = blurred(truth, 2)
    before = time.process_time()
    for _ in range(5):
        found = edges(predicted, truth)
        assert found.f1 < 1 and found.errors[0] < 10
    assert (time.process_time() - before) / 5 < 60 / 500
