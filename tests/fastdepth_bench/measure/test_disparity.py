"""Aligned disparity is depth, whatever its scale and shift were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.metrics import evaluate_image, get_protocol
from fastdepth_bench.measure.disparity import align_disparity

TRUTH = np.random.default_rng(0).uniform(0.5, 9, (48, 64))
VALID = get_protocol("eigen").valid(TRUTH)


@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
@settings(max_examples=50, deadline=None)
def test_scale_and_shift_do_not_matter(scale: float, shift: float) -> None:
    depth = align_disparity(scale / TRUTH + shift, TRUTH, VALID)
    assert (depth.dtype, depth.shape) == (np.float32, TRUTH.shape)
    np.testing.assert_allclose(depth, TRUTH, rtol=1e-5)


@given(scale=st.floats(1e-2, 1e2), shift=st.floats(-10, 10), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_neither_do_they_for_one_that_is_not_perfect(scale: float, shift: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.1, TRUTH.shape)
    plain = align_disparity(1 / TRUTH + noise, TRUTH, VALID)
    other = align_disparity(scale * (1 / TRUTH + noise) + shift, TRUTH, VALID)
    np.testing.assert_allclose(other, plain, rtol=1e-5)


def test_it_is_the_least_squares_solution() -> None:
    given = np.random.default_rng(1).uniform(0, 5, TRUTH.shape)
    columns = np.stack([given[VALID], np.ones(VALID.sum())], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(columns, 1 / TRUTH[VALID], rcond=None)
    depth = align_disparity(given, TRUTH, VALID, farthest=1e6)
    np.testing.assert_allclose(depth, 1 / (scale * given + shift), rtol=1e-5)


def test_only_what_is_valid_counts() -> None:
    holes = TRUTH.copy()
    holes[10:20] = 0
    holes[30:40] = np.nan
    valid = get_protocol("eigen").valid(holes)
    np.testing.assert_allclose(align_disparity(3 / TRUTH, holes, valid), TRUTH, rtol=1e-5)


def test_it_is_brought_to_the_size_of_the_truth() -> None:
    truth = 1 / np.linspace(0.2, 2, 64)[None].repeat(48, axis=0)
    small = (7 / truth + 2)[::2, ::2].astype(np.float32)
    depth = align_disparity(small, truth, np.ones(truth.shape, bool))
    np.testing.assert_allclose(depth[:, 8:], truth[:, 8:], rtol=0.1)


def test_what_cannot_be_fitted() -> None:
    flat = align_disparity(np.full(TRUTH.shape, 3.0), TRUTH, VALID)
    np.testing.assert_allclose(flat, 1 / np.mean(1 / TRUTH[VALID]), rtol=1e-5)
    none = align_disparity(1 / TRUTH, TRUTH, np.zeros(TRUTH.shape, bool))
    assert np.isnan(none).all()
    broken = 1 / TRUTH
    broken[24, 32] = np.nan
    depth = align_disparity(broken, TRUTH, VALID)
    assert np.isnan(depth[24, 32]) and np.isnan(depth).sum() == 1
    scores = evaluate_image(depth, TRUTH)
    assert scores is not None
    assert scores.nonfinite == 1
    np.testing.assert_allclose(depth[:24], TRUTH[:24], rtol=1e-5)


def test_depth_ends_somewhere() -> None:
    """A disparity of zero and less is as far as depth goes, not behind the camera."""
    given = 1 / TRUTH
    given[0, :10] = np.linspace(-3, 0, 10)
    valid = VALID.copy()
    valid[0, :10] = False
    assert align_disparity(given, TRUTH, valid, farthest=80)[0, :10] == pytest.approx(80)
