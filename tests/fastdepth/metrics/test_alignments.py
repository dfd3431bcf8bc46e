"""Alignments: exact where they can be, blind to what they fit, defined where nothing fits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.errors import UnknownNameError
from fastdepth.metrics import (
    ALIGNMENTS,
    DEFAULT_ALIGNMENT,
    OF_DISPARITY,
    Alignment,
    evaluate_image,
    get_alignment,
    get_protocol,
)

TRUTH = np.random.default_rng(0).uniform(0.5, 9, (48, 64))
VALID = get_protocol("eigen").valid(TRUTH)
NONE, MEDIAN, AFFINE, LOG_AFFINE, AFFINE_DISPARITY = ALIGNMENTS.values()
FITTED = (MEDIAN, AFFINE, LOG_AFFINE, AFFINE_DISPARITY, OF_DISPARITY)
LEAST_SQUARES = FITTED[1:]

scales, shifts = st.floats(1e-2, 1e2), st.floats(-1e2, 1e2)


def image(seed: int) -> np.ndarray:
    """A prediction that is not the truth (48, 64) [m]."""
    return np.random.default_rng(seed).uniform(0.5, 9, TRUTH.shape)


def test_none_changes_nothing() -> None:
    assert NONE.name == DEFAULT_ALIGNMENT == next(iter(ALIGNMENTS))
    given = image(1) - 4
    given[0, 0] = np.nan
    np.testing.assert_array_equal(NONE(given, TRUTH, VALID), given)


def test_every_alignment_by_hand() -> None:
    """Truth 1, 2, 4 m; predictions 2, 3, 9."""
    p, g, every = np.array([2.0, 3, 9]), np.array([1.0, 2, 4]), np.ones(3, bool)
    np.testing.assert_allclose(MEDIAN(p, g, every), p * 2 / 3)
    # Means 14/3 and 7/3; sums of products 34/3 and of squares 86/3, so the slope is 17/43.
    np.testing.assert_allclose(AFFINE(p, g, every), 7 / 3 + (p - 14 / 3) * 17 / 43)
    x, y = np.log(p), np.log(g)
    s, t = np.polyfit(x, y, 1)
    np.testing.assert_allclose(LOG_AFFINE(p, g, every), np.exp(s * x + t))
    s, t = np.polyfit(1 / p, 1 / g, 1)
    np.testing.assert_allclose(AFFINE_DISPARITY(p, g, every), 1 / (s / p + t))
    s, t = np.polyfit(p, 1 / g, 1)
    np.testing.assert_allclose(OF_DISPARITY(p, g, every, 1e3), 1 / np.maximum(s * p + t, 1e-3))


@given(scale=scales)
@settings(max_examples=30, deadline=None)
def test_median_makes_scale_exact(scale: float) -> None:
    np.testing.assert_allclose(MEDIAN(scale * TRUTH, TRUTH, VALID), TRUTH, rtol=1e-9)


@given(scale=scales, shift=shifts, sign=st.sampled_from([1, -1]))
@settings(max_examples=50, deadline=None)
def test_an_affinely_related_prediction_becomes_exact(
    scale: float, shift: float, sign: int
) -> None:
    scale *= sign
    np.testing.assert_allclose(AFFINE(scale * TRUTH + shift, TRUTH, VALID), TRUTH, rtol=1e-6)
    np.testing.assert_allclose(OF_DISPARITY(scale / TRUTH + shift, TRUTH, VALID), TRUTH, rtol=1e-6)


@given(power=st.floats(0.1, 3), scale=scales)
@settings(max_examples=30, deadline=None)
def test_one_that_is_affine_in_log_depth_becomes_exact(power: float, scale: float) -> None:
    np.testing.assert_allclose(LOG_AFFINE(scale * TRUTH**power, TRUTH, VALID), TRUTH, rtol=1e-6)


@given(scale=scales, shift=st.floats(0, 10))
@settings(max_examples=30, deadline=None)
def test_one_that_is_affine_in_inverse_depth_becomes_exact(scale: float, shift: float) -> None:
    prediction = 1 / (scale / TRUTH + shift)
    np.testing.assert_allclose(AFFINE_DISPARITY(prediction, TRUTH, VALID), TRUTH, rtol=1e-6)


@given(seed=st.integers(0, 99), scale=scales, fit=st.sampled_from(FITTED))
@settings(max_examples=50, deadline=None)
def test_no_fit_sees_scale(seed: int, scale: float, fit: Alignment) -> None:
    given = image(seed)
    expected = fit(given, TRUTH, VALID)
    np.testing.assert_allclose(fit(scale * given, TRUTH, VALID), expected, rtol=1e-6)


@given(seed=st.integers(0, 99), shift=shifts)
@settings(max_examples=30, deadline=None)
def test_fits_with_a_shift_do_not_see_it(seed: int, shift: float) -> None:
    for fit in (AFFINE, OF_DISPARITY):
        expected = fit(image(seed), TRUTH, VALID)
        np.testing.assert_allclose(fit(image(seed) + shift, TRUTH, VALID), expected, rtol=1e-6)


def test_they_are_the_least_squares_solutions() -> None:
    given = image(1)
    spaces = (np.positive, np.log, np.reciprocal)
    for fit, space in zip((AFFINE, LOG_AFFINE, AFFINE_DISPARITY), spaces, strict=True):
        columns = np.stack([space(given[VALID]), np.ones(VALID.sum())], axis=1)
        (scale, shift), *_ = np.linalg.lstsq(columns, space(TRUTH[VALID]), rcond=None)
        found = fit(given, TRUTH, VALID, 1e9)
        np.testing.assert_allclose(space(found), scale * space(given) + shift, rtol=1e-6)


@given(seed=st.integers(0, 99), factor=st.floats(0.8, 1.25), more=st.floats(-0.1, 0.1))
@settings(max_examples=30, deadline=None)
def test_no_other_line_is_nearer(seed: int, factor: float, more: float) -> None:
    aligned = AFFINE(image(seed), TRUTH, VALID)
    error, other = (
        float(np.mean((each - TRUTH)[VALID] ** 2)) for each in (aligned, factor * aligned + more)
    )
    assert error <= other + 1e-12


def test_only_what_is_valid_counts() -> None:
    holes = TRUTH.copy()
    holes[10:20] = 0
    holes[30:40] = np.nan
    valid = get_protocol("eigen").valid(holes)
    np.testing.assert_allclose(AFFINE(3 * TRUTH - 1, holes, valid), TRUTH, rtol=1e-9)
    np.testing.assert_allclose(LOG_AFFINE(3 * TRUTH, holes, valid), TRUTH, rtol=1e-9)
    np.testing.assert_allclose(AFFINE_DISPARITY(3 * TRUTH, holes, valid), TRUTH, rtol=1e-9)
    np.testing.assert_allclose(OF_DISPARITY(3 / TRUTH, holes, valid), TRUTH, rtol=1e-9)


@given(depth=st.floats(1e-3, 1e4))
@settings(max_examples=50, deadline=None)
def test_a_flat_prediction_becomes_the_mean_of_the_truth(depth: float) -> None:
    flat, g = np.full(TRUTH.shape, depth), TRUTH[VALID]
    means = (np.median(g), g.mean(), np.exp(np.log(g).mean()), *[1 / np.mean(1 / g)] * 2)
    for fit, mean in zip(FITTED, means, strict=True):
        np.testing.assert_allclose(fit(flat, TRUTH, VALID), mean, rtol=1e-6)


def test_one_pixel_tells_a_scale_and_no_more() -> None:
    one = np.zeros(TRUTH.shape, bool)
    one[24, 32] = True
    here = TRUTH[24, 32]
    np.testing.assert_allclose(MEDIAN(image(1), TRUTH, one), image(1) * here / image(1)[24, 32])
    for fit in LEAST_SQUARES:
        np.testing.assert_allclose(fit(image(1), TRUTH, one), here)


def test_nothing_to_fit_on_changes_nothing() -> None:
    given, none = image(1), np.zeros(TRUTH.shape, bool)
    for fit in FITTED:
        np.testing.assert_array_equal(fit(given, TRUTH, none), given)
        assert np.isnan(fit(given * np.nan, TRUTH, VALID)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_and_takes_no_part(bad: float) -> None:
    given = 2 * TRUTH
    given[24, 32] = bad
    for fit in FITTED[:4]:
        aligned = fit(given, TRUTH, VALID)
        assert aligned[24, 32] == bad or np.isnan(bad)
        aligned[24, 32] = TRUTH[24, 32]
        np.testing.assert_allclose(aligned, TRUTH, rtol=1e-9)


@pytest.mark.parametrize("fit", [MEDIAN, LOG_AFFINE, AFFINE_DISPARITY])
@pytest.mark.parametrize("bad", [0.0, -2.0])
def test_zero_and_less_stays_at_the_near_end_and_takes_no_part(fit: Alignment, bad: float) -> None:
    given = 2 * TRUTH
    given[24] = bad
    aligned = fit(given, TRUTH, VALID)
    assert (aligned[24] == bad).all()
    np.testing.assert_allclose(aligned[:24], TRUTH[:24], rtol=1e-9)
    scores = evaluate_image(given, TRUTH, alignment=fit)
    assert scores is not None and scores.nonfinite == 0
    assert scores.d1 == pytest.approx(1 - np.count_nonzero(VALID[24]) / VALID.sum())


def test_depth_ends_somewhere() -> None:
    """An inverse depth of zero and less is as far as depth goes, not behind the camera."""
    valid = VALID.copy()
    valid[0, :10] = False
    given = 1 / TRUTH
    given[0, :10] = np.linspace(-3, 0, 10)
    np.testing.assert_allclose(OF_DISPARITY(given, TRUTH, valid, 80)[0, :10], 80)
    far = 1 / (1 / TRUTH + 2)  # affine in inverse depth, with a shift of 2 per metre
    far[0, :10] = 0.6  # 1 / 0.6 - 2 is below zero
    np.testing.assert_allclose(AFFINE_DISPARITY(far, TRUTH, valid, 80)[0, :10], 80)
    far[0, :10] = 1e9
    assert (LOG_AFFINE(far, TRUTH, valid, 80)[0, :10] <= 80).all()
    for protocol in ("eigen", "fastdepth"):  # of which the second clips at no depth
        scores = evaluate_image(given, TRUTH, get_protocol(protocol), OF_DISPARITY)
        assert scores is not None and np.isfinite(scores.mse)


def test_names() -> None:
    assert list(ALIGNMENTS) == ["none", "median", "affine", "log-affine", "affine-disparity"]
    assert get_alignment("affine") is AFFINE
    with pytest.raises(UnknownNameError, match="did you mean 'median'"):
        get_alignment("mediam")
    assert get_alignment("affine-disparity", disparity=True) is OF_DISPARITY
    with pytest.raises(UnknownNameError, match="affine-disparity"):
        get_alignment("median", disparity=True)


def test_each_is_told_in_one_line_and_crosses_processes() -> None:
    assert NONE.describe() == "none"
    assert (
        AFFINE_DISPARITY.describe()
        == OF_DISPARITY.describe()
        == (
            "affine-disparity (scale and shift of inverse depth, fitted to each image's truth, "
            "Ranftl et al., TPAMI 2020)"
        )
    )
    for alignment in (*ALIGNMENTS.values(), OF_DISPARITY):
        assert ";" not in alignment.describe()
        assert pickle.loads(pickle.dumps(alignment)) == alignment
