"""Two runners in turns: their ratio is that of the times they take."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastdepth.errors import ParityError, UsageError
from fastdepth.size import Size
from fastdepth_bench.measure.interleaved import TurnTaker, interleave, take_turns


def images(count=4):
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
    found = interleave(runners, images(), seconds=1.0)
    ratio = found.ratio("slow", "fast")
    assert ratio.value == pytest.approx(2, rel=0.03)
    assert 1.95 < ratio.low < ratio.value < ratio.high < 2.05
    assert found.timings["slow"].p50 == pytest.approx(10, rel=0.03)
    assert found.timings["fast"].p50 == pytest.approx(5, rel=0.03)
    assert found.ratio("fast", "slow").value == pytest.approx(1 / ratio.value)


def test_all_take_turns_and_see_the_same_images(fake_runner):
    order = []

    def runner(name):
        def depth(batch):
            order.append((name, batch.tobytes()))
            return np.ones((1, 1, 8, 8), np.float32)

        return fake_runner(depth)

    names = ("a", "b", "c")
    found = interleave({name: runner(name) for name in names}, images(), seconds=1e-6)
    rounds = len(found.times["a"])
    assert rounds >= 20
    turns = order[-3 * rounds :]
    assert [name for name, _ in turns] == list(names) * rounds
    seen = [{batch for _, batch in turns[at : at + 3]} for at in range(0, 3 * rounds, 3)]
    assert all(len(batches) == 1 for batches in seen)
    assert all(a != b for a, b in itertools.pairwise(seen))


def test_each_is_warmed_up_and_measured_long_enough(working):
    runners = {name: working(0.001) for name in "ab"}
    found = interleave(runners, images(), seconds=0.1)
    for name, runner in runners.items():
        timing = found.timings[name]
        assert timing.warm_up.seconds >= 0.01
        assert timing.warm_up.stable
        assert len(runner.seen) == timing.n + timing.warm_up.n
    assert sum(map(sum, found.times.values())) >= 0.2


def test_flattering_inputs_and_wrong_answers_are_refused(fake_runner):
    with pytest.raises(UsageError, match="different images"):
        interleave({"a": fake_runner()}, images(1), seconds=0.01)
    nan = fake_runner(lambda batch: np.full((1, 1, 8, 8), np.nan, np.float32))
    with pytest.raises(ParityError, match="NaN"):
        interleave({"a": fake_runner(), "b": nan}, images(), seconds=0.01)


def test_two_take_turns_on_the_same_frames_each_at_its_own_size(fake_runner, clock):
    def takes(seconds):
        def depth(batch):
            clock.work(seconds)
            return np.ones((len(batch), 1, *batch.shape[1:3]), np.float32)

        return fake_runner(depth)

    slow, fast = takes(0.010), takes(0.004)
    frames = [np.kron(frame, np.ones((1, 2, 2, 1), np.uint8)) for frame in images()]
    pair = TurnTaker(slow, Size(16, 16)), TurnTaker(fast, Size(8, 8))
    rounds = take_turns(*pair, frames, seconds=0.5, minimum_n=4)
    assert len(rounds) == pytest.approx(0.5 / 0.014, abs=1)
    for one, other in rounds:
        assert (one.inference, other.inference) == (pytest.approx(0.010), pytest.approx(0.004))
    for whole, small in zip(slow.seen, fast.seen[-len(rounds) :], strict=True):
        assert small.mean() == pytest.approx(whole.mean(), abs=0.6)  # of one frame
    assert len({round(float(whole.mean())) for whole in slow.seen}) == 4
