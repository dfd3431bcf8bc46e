"""No input comes twice, so a runner that remembers its answers gains nothing by it."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from fastdepth.errors import UsageError
from fastdepth.size import Size
from fastdepth_bench.measure.inputs import fresh, stack_frames
from fastdepth_bench.measure.scenarios import back_to_back
from fastdepth_bench.measure.timing import measure


def frames(count=4):
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (count, 16, 16, 3), np.uint8))


class Memoising:
    """Takes 5 ms by the fake clock for what it has not seen, and nothing for the rest."""

    def __init__(self, clock):
        self.clock, self.known = clock, {}

    def infer(self, batch):
        for image in batch:
            if image.tobytes() not in self.known:
                self.clock.work(0.005)
                self.known[image.tobytes()] = np.ones((1, 16, 16), np.float32)
        self.clock.work(1e-6)
        return np.stack([self.known[image.tobytes()] for image in batch])


def test_every_image_of_a_run_is_another_one():
    batches = stack_frames(frames(5), 3)
    seen = {image.tobytes() for b in itertools.islice(fresh(batches), 40) for image in b}
    assert len(batches) == 2
    assert len(seen) == 40 * 3


@pytest.mark.parametrize("batch", [1, 3, 6])
def test_a_runner_that_remembers_reads_its_true_cost(clock, monkeypatch, batch):
    monkeypatch.setattr("fastdepth_bench.measure.scenarios.time", clock)
    batches = stack_frames(frames(), batch)
    timing = back_to_back(Memoising(clock), batches, seconds=0.1).timing
    assert timing.latency.min == pytest.approx(5 * batch, rel=0.01)


def test_images_are_moved_whole_and_by_a_pixel_a_turn():
    batches = stack_frames(frames(2), 1)
    turns = list(itertools.islice(fresh(batches), 6))
    assert np.array_equal(turns[0], batches[0])
    assert np.array_equal(turns[1], batches[1])
    for turn, found in enumerate(turns):
        expected = np.roll(batches[turn % 2].reshape(-1, 3), turn // 2, axis=0)
        assert np.array_equal(found.reshape(-1, 3), expected)
        assert found.flags["C_CONTIGUOUS"] and found.dtype == np.uint8


def test_what_is_timed_is_left_as_it_was():
    batches = stack_frames(frames(2), 2)
    before = [batch.copy() for batch in batches]
    for batch in itertools.islice(fresh(batches), 10):
        batch[:] = 0
    assert all(map(np.array_equal, batches, before))


def test_making_the_next_image_is_not_timed(fake_runner):
    """Moving these pixels takes longer than this runner takes to answer."""
    rng = np.random.default_rng(0)
    large = list(rng.integers(0, 256, (2, 1500, 1500, 3), np.uint8))
    answer = np.ones((1, 1, 1500, 1500), np.float32)
    start = time.perf_counter()
    next(itertools.islice(fresh(stack_frames(large, 1)), 3, None))
    moving = 1000 * (time.perf_counter() - start) / 4
    batches = stack_frames(large, 1)
    timing = back_to_back(fake_runner(lambda _: answer), batches, seconds=0.01).timing
    assert timing.latency.p50 < moving / 2


RED = np.full((16, 16, 3), (200, 10, 10), np.uint8)


@pytest.mark.parametrize(
    "batches",
    [
        stack_frames(frames(), 1)[:1],
        [frames()[0][None]] * 3,
        [np.stack([*frames(2)]), np.stack([frames()[2], np.zeros_like(RED)])],
        [*stack_frames(frames(2), 1), RED[None]],
    ],
    ids=["one", "repeated", "zeros in a batch", "red"],
)
def test_flattering_inputs_are_refused_at_once(batches):
    with pytest.raises(UsageError, match="different images, none of a single colour"):
        fresh(batches)


def test_timing_refuses_them_too(fake_runner):
    with pytest.raises(UsageError, match="different images"):
        batches = stack_frames([np.zeros_like(RED)] * 2, 1)
        measure(fake_runner(), batches, Size(8, 8), seconds=0.01)


@pytest.mark.parametrize(
    ("batch", "firsts"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (5, [0, 1]), (7, [0, 1])]
)
def test_batches_show_all_frames_and_are_few(batch, firsts):
    shown = frames(5)
    batches = stack_frames(shown, batch)
    names = {frame.tobytes(): n for n, frame in enumerate(shown)}
    places = [[names[image.tobytes()] for image in found] for found in batches]
    assert [found[0] for found in places] == firsts
    assert {place for found in places for place in found} == set(range(5))
    assert all(found == [(found[0] + n) % 5 for n in range(batch)] for found in places)
