"""Intervals say how far a figure can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from fastdepth_bench.measure.bootstrap import (
    Interval,
    mean_interval,
    median_interval,
    ratio_interval,
)


def test_what_slows_a_whole_round_cancels():
    """Unpaired resampling would give an interval as wide as the drift."""
    drift = np.geomspace(0.01, 0.1, 31)
    ratio = ratio_interval([3 * drift], [drift])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((3, 3, 3))


@pytest.mark.thorough
def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        slow, fast = rng.lognormal(np.log(0.2), 0.1, 40), rng.lognormal(np.log(0.1), 0.1, 40)
        ratio = ratio_interval([slow], [fast], draws=300)
        assert ratio.low <= ratio.value <= ratio.high
        held += ratio.low <= 2 <= ratio.high
    assert 0.88 * 200 <= held <= 0.995 * 200


def test_two_runs_on_one_machine_overlap_though_every_restart_has_a_speed_of_its_own():
    """Resampling times alone would take each run's own luck for the truth."""
    rng = np.random.default_rng(2)

    def run() -> list[np.ndarray]:
        speeds = rng.lognormal(np.log(0.1), 0.05, 5)
        return [rng.lognormal(np.log(speed), 0.005, 50) for speed in speeds]

    def overlap(one: Interval, other: Interval) -> bool:
        return one.low <= other.high and other.low <= one.high

    pairs = [(run(), run()) for _ in range(30)]
    over_restarts = [
        overlap(*(median_interval(times, draws=200) for times in pair)) for pair in pairs
    ]
    over_times = [
        overlap(*(median_interval([np.concatenate(times)], draws=200) for times in pair))
        for pair in pairs
    ]
    assert sum(over_restarts) >= 28
    assert sum(over_times) <= 22


def test_restarts_of_unequal_length_all_count():
    times = [[1.0] * 3, [2.0] * 40]
    interval = median_interval(times)
    assert (interval.value, interval.low, interval.high) == (2, 1, 2)


def test_equal_times_give_equal_intervals():
    times = np.random.default_rng(0).random((3, 30))
    assert median_interval(times) == median_interval(times)
    assert median_interval(times, draws=9) != median_interval(times, draws=9, seed=1)


def test_a_latency_becomes_frames_per_second():
    assert Interval(0.1, 0.08, 0.2).inverse(4) == Interval(40, 20, 50)


def test_an_easy_image_is_easy_every_time():
    """Five draws of 40 images are no 200 images."""
    rng = np.random.default_rng(3)
    easy = rng.normal(0.8, 0.1, 40)
    scores = easy + rng.normal(0, 0.001, (5, 40))
    found = mean_interval(scores)
    assert found.value == pytest.approx(scores.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * easy.std() / np.sqrt(40), rel=0.2)
    assert mean_interval(scores) == found


def test_draws_that_differ_widen_the_interval_of_a_mean():
    scores = np.tile(np.linspace(0.5, 0.9, 5)[:, None], (1, 40))
    found = mean_interval(scores)
    assert found.low < 0.62 < 0.78 < found.high
    same = mean_interval(np.full((5, 40), 0.7))
    assert (same.value, same.low, same.high) == pytest.approx((0.7, 0.7, 0.7))
