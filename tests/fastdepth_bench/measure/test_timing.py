"""The clock tells the truth, and refuses what would flatter."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastdepth.errors import ParityError, UsageError
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.measure.timing import (
    Timing,
    WarmUp,
    measure,
    measure_decoding,
    measure_parts,
    summarise,
    warm_up,
)

BUSY = 0.005
SIZE = Size(8, 8)


def images(count: int = 4) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1, 8, 8, 3), np.uint8) for _ in range(count)]


def working(clock: Any, seconds: Iterator[float]) -> Callable[[Any], NDArray[np.float32]]:
    """Depth that takes so many seconds by the fake clock, one entry an inference."""

    def depth(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        clock.work(next(seconds))
        return np.ones((1, 1, 8, 8), np.float32)

    return depth


def timing_of(runner: Any, frames: list[NDArray[np.uint8]], **options: Any) -> Timing:
    """Of the inference, on frames of the network's own size."""
    measured = measure(runner, frames, Size(*frames[0].shape[1:3]), **options)
    times = [one.inference for one in measured.passes]
    return summarise(times, batch=1, warm=measured.warm_up)


def test_a_known_time_is_read_as_it_is(fake_runner: Callable[..., Any], clock: Any) -> None:
    runner = fake_runner(working(clock, itertools.repeat(BUSY)))
    timing = timing_of(runner, images(), seconds=0.3)
    latency = timing.latency
    assert latency.min == latency.p50 == latency.max == pytest.approx(1000 * BUSY)
    assert timing.fps == pytest.approx(1 / BUSY)
    assert timing.n == pytest.approx(0.3 / BUSY, abs=1)


def test_the_real_clock_reads_what_the_runner_itself_reads(fake_runner: Callable[..., Any]) -> None:
    """However busy the machine is: what holds the runner up, it reads as well."""
    runner = fake_runner(busy=BUSY)
    timing = timing_of(runner, images(), seconds=0.3)
    own = 1000 * np.array(runner.took[-timing.n :])
    assert timing.latency.min >= 1000 * BUSY
    assert timing.latency.min == pytest.approx(own.min(), rel=0.03)
    assert timing.latency.p50 == pytest.approx(np.median(own), rel=0.03)


def test_checking_the_answer_is_not_timed(fake_runner: Callable[..., Any]) -> None:
    """A large answer takes longer to check than this runner takes to compute it."""
    answer = np.ones((1, 1, 2000, 2000), np.float32)
    batches = [
        np.random.default_rng(n).integers(0, 9, (1, 2000, 2000, 3), np.uint8) for n in (0, 1)
    ]
    start = time.perf_counter()
    np.isfinite(answer).sum()
    check = 1000 * (time.perf_counter() - start)
    timing = timing_of(fake_runner(lambda batch: answer), batches, seconds=0.01)
    assert timing.latency.p50 < check / 2


def test_measures_long_and_often_enough(fake_runner: Callable[..., Any]) -> None:
    runner = fake_runner(busy=0.001)
    start = time.perf_counter()
    timing = timing_of(runner, images(), seconds=0.2)
    assert time.perf_counter() - start - timing.warm_up.seconds >= 0.2
    assert timing.n >= 20
    assert len(runner.seen) == timing.n + timing.warm_up.n
    assert timing_of(runner, images(), seconds=1e-6, minimum_n=7).n == 7


def test_images_take_turns(fake_runner: Callable[..., Any]) -> None:
    runner = fake_runner()
    measure(runner, images(4), SIZE, seconds=0.01)
    for before, after in itertools.pairwise(runner.seen):
        assert not np.array_equal(before, after)
    first = runner.seen[:256]  # as many as there are places for 64 pixels of 4 images
    assert len({image.tobytes() for image in first}) == len(first)
    shown = {np.sort(image, axis=None).tobytes() for image in runner.seen}
    assert len(shown) == 4  # each moved on by a pixel a turn


@pytest.mark.parametrize(
    "batches",
    [
        images(1),
        [images(1)[0], images(1)[0]],
        [np.zeros((1, 8, 8, 3), np.uint8), *images(2)],
    ],
    ids=["one", "repeated", "zeros"],
)
def test_flattering_inputs_are_refused(
    batches: list[NDArray[np.uint8]], fake_runner: Callable[..., Any]
) -> None:
    with pytest.raises(UsageError, match="different images"):
        measure(fake_runner(), batches, SIZE, seconds=0.01)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.full((1, 1, 8, 8), np.nan, np.float32), "NaN or infinite at 64 of 64"),
        (np.full((1, 1, 8, 8), np.inf, np.float32), "NaN or infinite"),
        (np.ones((1, 1, 4, 4), np.float32), r"\(1, 1, 4, 4\)"),
        (np.ones((1, 1, 8, 8), np.float64), "float64"),
    ],
    ids=["nan", "infinite", "small", "double"],
)
def test_a_wrong_answer_gets_no_time(
    answer: NDArray[Any], message: str, fake_runner: Callable[..., Any]
) -> None:
    with pytest.raises(ParityError, match=message):
        measure(fake_runner(lambda batch: answer), images(), SIZE, seconds=0.01)


def test_a_nan_that_comes_late_is_found(fake_runner: Callable[..., Any]) -> None:
    answers = itertools.chain([1.0] * 25, itertools.repeat(np.nan))
    runner = fake_runner(lambda batch: np.full((1, 1, 8, 8), next(answers), np.float32))
    with pytest.raises(ParityError):
        measure(runner, images(), SIZE, seconds=1e-6, minimum_n=60)


def test_warm_up_waits_for_the_median(fake_runner: Callable[..., Any], clock: Any) -> None:
    """A runner that gets faster for 15 inferences is not measured before."""
    times = (max(0.002, 0.008 * 0.9**n) for n in itertools.count(1))
    warm = warm_up(fake_runner(working(clock, times)), itertools.cycle(images()), limit=5.0)
    assert warm.stable
    assert next(times) == 0.002
    assert warm.n >= 15


def test_warm_up_ends_though_nothing_is_stable(fake_runner: Callable[..., Any], clock: Any) -> None:
    times = (0.001 * 1.2**n for n in itertools.count())
    warm = warm_up(fake_runner(working(clock, times)), itertools.cycle(images()), limit=0.1)
    assert not warm.stable
    assert 0.1 <= warm.seconds < 0.2


def test_statistics_leave_nothing_out() -> None:
    times = [0.010] * 98 + [0.020, 1.0]
    timing = summarise(times, batch=2, warm=WarmUp(2, 0.1, True))
    found = timing.latency
    assert (found.p50, found.min, found.max, found.iqr) == (10, 10, 1000, 0)
    assert found.p99 == pytest.approx(20 + 0.01 * 980)
    assert found.p95 == 10
    assert timing.noisy
    assert timing.cv == pytest.approx(np.std(times) / np.mean(times))
    assert timing.cv > 4
    assert (timing.n, timing.fps) == (100, pytest.approx(200))


def test_stages_of_a_pass_are_apart(
    fake_runner: Callable[..., Any], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames of 16x16 for a network of 8x8."""

    def slow_resize(image: NDArray[Any], size: Size) -> NDArray[Any]:
        clock.work(0.001 if size == SIZE else 0.002)
        return resize(image, size)

    monkeypatch.setattr("fastdepth_bench.measure.timing.resize", slow_resize)
    frames = [np.kron(image, np.ones((1, 2, 2, 1), np.uint8)) for image in images()]
    runner = fake_runner(working(clock, itertools.repeat(BUSY)))
    for one in measure(runner, frames, SIZE, seconds=0.1).passes:
        stages = one.preprocess, one.inference, one.postprocess
        assert stages == pytest.approx((0.001, BUSY, 0.002))
        assert one.end_to_end == pytest.approx(BUSY + 0.003)
    assert {batch.shape for batch in runner.seen} == {(1, 8, 8, 3)}


def test_parts_on_a_device_are_apart(clock: Any) -> None:
    class OnDevice:
        def copy_in(self, batch: NDArray[np.uint8]) -> None:
            clock.work(0.001)

        def compute(self) -> None:
            clock.work(0.005)

        def copy_out(self) -> None:
            clock.work(0.002)

    assert measure_parts(OnDevice(), images()) == pytest.approx((0.001, 0.005, 0.002))


def test_decoding_is_timed_on_real_files() -> None:
    frames = [np.random.default_rng(0).integers(0, 256, (2, 240, 320, 3), np.uint8)]
    small = [frame[:, :16, :16] for frame in frames]
    assert measure_decoding(frames) > measure_decoding(small) > 0
