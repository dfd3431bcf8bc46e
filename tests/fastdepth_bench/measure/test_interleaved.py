"""Two runners in turns: their ratio is that of the times they take."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastdepth.errors import ParityError, UsageError
from fastdepth.size import Size
from fastdepth_bench.measure.interleaved import TurnTaker, take_turns


def images(count=4):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1, 8, 8, 3), np.uint8) for _ in range(count)]


@pytest.fixture
def takes(fake_runner, clock):
    """Makes a runner that takes so many seconds by the fake clock."""

    def make(seconds):
        def depth(batch):
            clock.work(seconds)
            return np.ones((len(batch), 1, *batch.shape[1:3]), np.float32)

        return fake_runner(depth)

    return make


def test_both_see_the_same_images_in_turns(fake_runner):
    order = []

    def taker(name):
        def depth(batch):
            order.append((name, batch.tobytes()))
            return np.ones((1, 1, 8, 8), np.float32)

        return TurnTaker(fake_runner(depth), Size(8, 8))

    rounds = take_turns(taker("a"), taker("b"), images(), seconds=1e-6, minimum_n=20)
    assert len(rounds) >= 20
    turns = order[-2 * len(rounds) :]
    assert [name for name, _ in turns] == ["a", "b"] * len(rounds)
    seen = [batch for _, batch in turns]
    assert seen[::2] == seen[1::2]
    assert all(one != other for one, other in itertools.pairwise(seen[::2]))


def test_the_other_is_warmed_up_and_both_measured_long_enough(takes):
    one, other = takes(0.001), takes(0.001)
    pair = TurnTaker(one, Size(8, 8)), TurnTaker(other, Size(8, 8))
    rounds = take_turns(*pair, images(), seconds=0.2)
    assert len(one.seen) == len(rounds) >= 99
    assert len(other.seen) - len(rounds) >= 10  # a tenth of the time at least


def test_flattering_inputs_and_wrong_answers_are_refused(fake_runner):
    whole = TurnTaker(fake_runner(), Size(8, 8))
    with pytest.raises(UsageError, match="different images"):
        take_turns(whole, whole, images(1), seconds=0.01)
    nan = fake_runner(lambda batch: np.full((1, 1, 8, 8), np.nan, np.float32))
    with pytest.raises(ParityError, match="NaN"):
        take_turns(whole, TurnTaker(nan, Size(8, 8)), images(), seconds=0.01)


def test_two_take_turns_on_the_same_frames_each_at_its_own_size(takes):
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
