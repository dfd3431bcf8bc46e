"""The right number of parameters is found, whatever a part of the points say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fastdepth.calibrate.correction import Correction, DisparityCorrection
from fastdepth.calibrate.decide import decide
from fastdepth.calibrate.fit import (
    CONSTANT,
    DISPARITY_OFFSET,
    DISPARITY_SCALE,
    FORMS,
    NONE,
    SCALE,
    SLOPE,
    Observations,
    choose,
    folds,
    huber,
)
from fastdepth.errors import DataError


def seen(
    scale=1.0, slope=1.0, *, images=40, points=20, noise=0.1, common=0.05, wrong=0.0, seed=0
) -> Observations:
    """A camera whose truth is scale * answer ** slope, with errors of pixels and of images."""
    rng = np.random.default_rng(seed)
    answer = np.exp(rng.uniform(np.log(0.6), np.log(8), images * points))
    image = np.repeat(np.arange(images), points)
    error = rng.normal(0, noise, answer.size) + rng.normal(0, common, images)[image]
    truth = scale * answer**slope * np.exp(error)
    truth = np.where(rng.random(answer.size) < wrong, truth * 2, truth)
    return Observations(answer, truth, image, image, image, answer)


def as_disparity(given: Observations, scale: float, offset: float) -> Observations:
    """What a network would have answered whose disparity was scale * x + offset."""
    disparity = (1 / given.answer - offset) / scale
    return Observations(disparity, given.truth, given.unit, given.group, given.image)


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("wrong", [0, 0.1])
@pytest.mark.parametrize(
    ("scale", "slope", "form"), [(1.3, 1.0, SCALE), (0.7, 1.0, SCALE), (1.3, 0.9, SLOPE)]
)
def test_a_camera_is_found(halves, wrong, scale, slope, form):
    found = decide("metres", seen(scale, slope, wrong=wrong), halves=halves)
    assert found.form is form
    assert isinstance(found.stored, Correction)
    assert np.exp(found.stored.shift) == pytest.approx(scale, rel=0.04)
    assert found.stored.slope == pytest.approx(slope, abs=0.03)
    before, after = found.scores.d1.mean(axis=0)
    assert after > before
    evidence = found.stored.evidence
    assert evidence and (evidence.images, evidence.points) == ((20, 400) if halves else (40, 800))
    assert (evidence.d1_before, evidence.d1_after) == (before, after)


def test_no_more_parameters_than_the_data_bear():
    """A standard error lets chance pass one time in six."""
    few = [seen(1.3, images=8, points=4, noise=0.2, seed=seed) for seed in range(20)]
    assert [choose(FORMS["metres"], each) for each in few].count(SCALE) >= 15


@pytest.mark.parametrize(("offset", "form"), [(0.0, DISPARITY_SCALE), (0.1, DISPARITY_OFFSET)])
def test_disparity_is_found(offset, form):
    found = decide("disparity", as_disparity(seen(wrong=0.05), 2e-3, offset), halves=False)
    assert found.form is form
    assert isinstance(found.stored, DisparityCorrection)
    assert found.stored.scale == pytest.approx(2e-3, rel=0.06)
    assert found.stored.offset == pytest.approx(offset, abs=0.015)
    assert found.stored.nearest < found.stored.farthest


def test_a_network_that_is_right_is_left_alone():
    with pytest.raises(DataError, match="would not help; by more than chance.* network alone: d1"):
        decide("metres", seen(noise=0.2, common=0.2), halves=False)


def test_disparity_that_tells_nothing_is_refused():
    given = as_disparity(seen(noise=0.1), 1.0, 0.0)
    shuffled = np.random.default_rng(0).permutation(given.answer)
    told = Observations(shuffled, given.truth, given.unit, given.group, given.image)
    with pytest.raises(DataError, match="would not help; .* one depth for all"):
        decide("disparity", told, halves=False)
    assert choose(FORMS["disparity"], told) is CONSTANT


def test_no_gain_on_the_held_out_half_is_refused():
    """The first half is of another camera than the second."""
    first, second = seen(1.5, noise=0.05), seen(1.0, noise=0.05, seed=1)
    both = Observations(
        np.concatenate([first.answer, second.answer]),
        np.concatenate([first.truth, second.truth]),
        *[np.concatenate([first.unit, second.unit + 40])] * 3,
        np.concatenate([first.answer, second.answer]),
    )
    with pytest.raises(DataError, match=r"more than its standard error: d1 of 40 held-out images"):
        decide("metres", both, halves=True)


def test_distances_that_are_all_alike_bear_a_scale_alone():
    """A straight line in log depth would make the same of everything."""
    rng = np.random.default_rng(3)
    given = seen(1.5, noise=0.05)
    truth = 2 * np.exp(rng.normal(0, 0.02, given.truth.size))
    answer = truth / 1.5 * np.exp(rng.normal(0, 0.1, truth.size))
    wall = replace(given, answer=answer, truth=truth, current=answer)
    found = decide("metres", wall, halves=False)
    assert found.form is SCALE
    assert np.exp(found.stored.shift) == pytest.approx(1.5, rel=0.03)


@pytest.mark.parametrize(("halves", "needed"), [(False, 6), (True, 12)])
def test_too_little_says_how_much_is_needed(halves, needed):
    with pytest.raises(DataError, match=rf"{needed - 1} images are too few .*; give {needed}"):
        decide("metres", seen(1.3, images=needed - 1), halves=halves)
    decide("metres", seen(1.3, images=needed, common=0), halves=halves)


@pytest.mark.parametrize("scale", [5.5, 1000, 1 / 6])
def test_an_absurd_scale_is_refused(scale):
    with pytest.raises(DataError, match="absurd, a factor of .* in metres"):
        decide("metres", seen(scale), halves=False)


def test_an_absurd_slope_is_refused():
    with pytest.raises(DataError, match="absurd, a slope of 0.3"):
        decide("metres", seen(2.0, 0.3, noise=0.02), halves=False)


def test_points_that_contradict_each_other_are_refused():
    with pytest.raises(DataError, match="contradict each other or the network.* rows, columns"):
        decide("metres", seen(noise=1.5), halves=False)


def test_metres_given_as_disparity_are_refused():
    given = seen(noise=0.02)
    metres = Observations(given.answer, given.truth, given.unit, given.group, given.image)
    with pytest.raises(DataError, match="--answer metres"):
        decide("disparity", metres, halves=False)


def test_where_all_is_within_d1_the_relative_error_decides():
    found = decide("metres", seen(1.15, noise=0.01, common=0.01), halves=False)
    metric, gain, error = found.scores.gain
    assert metric == "AbsRel"
    assert gain > 10 * error


def test_huber_forgets_what_is_far_off():
    columns = np.stack([np.ones(50), np.arange(50.0)], axis=1)
    target = columns @ [3.0, 0.5]
    target[::10] += 1000
    np.testing.assert_allclose(huber(columns, target, np.ones(50)), [3, 0.5], atol=0.05)


def test_huber_of_one_value_of_all_columns_answers():
    found = huber(np.ones((5, 2)), np.full(5, 3.0), np.ones(5))
    assert found.sum() == pytest.approx(3)


def test_neighbours_are_left_out_together():
    parts = folds(seen(images=25))
    assert len(parts) == 10
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(25))


def test_units_count_the_same():
    """Half of the images have a hundred times the points, of another scale."""
    many, few = seen(1.2, images=4, points=400, noise=0), seen(1.4, images=6, points=4, noise=0)
    both = Observations(
        np.concatenate([many.answer, few.answer]),
        np.concatenate([many.truth, few.truth]),
        *[np.concatenate([many.unit, few.unit + 4])] * 3,
    )
    assert np.exp(SCALE.fit(both)[0]) > 1.25
    assert NONE.fit(both).size == 0
