"""Two runners in turns: their ratio is that of the times they take."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastdepth.errors import ParityError, UsageError
from fastdepth_bench.interleaved import interleave, ratio_of_medians


def pictures(count=4):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1, 8, 8, 3), np.uint8) for _ in range(count)]


@pytest.fixture
def working(fake_runner, clock):
    """Makes a runner that takes so many seconds by the fake clock, give or take five per cent."""
    rng = np.random.default_rng(0)

    def make(seconds):
        def depth(batch):
            clock.work(seconds * rng.uniform(0.95, 1.05))
            return np.ones((1, 1, 8, 8), np.float32)

        return fake_runner(depth)

    return make


def test_twice_the_time_is_a_ratio_of_two(working):
    runners = {"slow": working(0.010), "fast": working(0.005)}
    found = interleave(runners, pictures(), seconds=1.0)
    ratio = found.ratio("slow", "fast")
    assert ratio.value == pytest.approx(2, rel=0.03)
    assert 1.95 < ratio.low < ratio.value < ratio.high < 2.05
    assert found.timings["slow"].p50 == pytest.approx(10, rel=0.03)
    assert found.timings["fast"].p50 == pytest.approx(5, rel=0.03)
    assert found.ratio("fast", "slow").value == pytest.approx(1 / ratio.value)


def test_all_take_turns_and_see_the_same_pictures(fake_runner):
    order = []

    def runner(name):
        def depth(batch):
            order.append((name, batch.tobytes()))
            return np.ones((1, 1, 8, 8), np.float32)

        return fake_runner(depth)

    names = ("a", "b", "c")
    found = interleave({name: runner(name) for name in names}, pictures(), seconds=1e-6)
    rounds = len(found.times["a"])
    assert rounds >= 20
    turns = order[-3 * rounds :]
    assert [name for name, _ in turns] == list(names) * rounds
    seen = [{batch for _, batch in turns[at : at + 3]} for at in range(0, 3 * rounds, 3)]
    assert all(len(batches) == 1 for batches in seen)
    assert all(a != b for a, b in itertools.pairwise(seen))


def test_each_is_warmed_up_and_measured_long_enough(working):
    runners = {name: working(0.001) for name in "ab"}
    found = interleave(runners, pictures(), seconds=0.1)
    for name, runner in runners.items():
        timing = found.timings[name]
        assert timing.warm_up.seconds >= 0.01
        assert timing.warm_up.stable
        assert len(runner.seen) == timing.n + timing.warm_up.n
    assert sum(map(sum, found.times.values())) >= 0.2


def test_flattering_inputs_and_wrong_answers_are_refused(fake_runner):
    with pytest.raises(UsageError, match="different pictures"):
        interleave({"a": fake_runner()}, pictures(1), seconds=0.01)
    nan = fake_runner(lambda batch: np.full((1, 1, 8, 8), np.nan, np.float32))
    with pytest.raises(ParityError, match="NaN"):
        interleave({"a": fake_runner(), "b": nan}, pictures(), seconds=0.01)


def test_what_slows_a_whole_round_cancels():
    """Unpaired resampling would give an interval as wide as the drift."""
    drift = np.geomspace(0.01, 0.1, 31)
    ratio = ratio_of_medians(3 * drift, drift)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((3, 3, 3))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        slow, fast = rng.lognormal(np.log(0.2), 0.1, 40), rng.lognormal(np.log(0.1), 0.1, 40)
        ratio = ratio_of_medians(slow, fast, draws=300)
        assert ratio.low <= ratio.value <= ratio.high
        held += ratio.low <= 2 <= ratio.high
    assert 0.88 * 200 <= held <= 0.995 * 200


def test_equal_times_give_equal_intervals():
    times = np.random.default_rng(0).random((2, 30))
    assert ratio_of_medians(*times) == ratio_of_medians(*times)
    assert ratio_of_medians(*times) != ratio_of_medians(*times, seed=1)
