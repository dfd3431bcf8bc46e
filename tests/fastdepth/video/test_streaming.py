"""Depth of frames in threads: order, bounds, errors, dropping, and that nothing goes on."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from some_clips import REDS, of_red, write_clip
from tiny_onnx import write_model

import fastdepth
from fastdepth.errors import FastDepthError, ImageError, ModelFileError, UsageError
from fastdepth.runtime.model import DepthModel
from fastdepth.video import streaming
from fastdepth.video.frames import Faults, Still
from fastdepth.video.streaming import Stream


@pytest.fixture(autouse=True)
def no_thread_goes_on() -> Iterator[None]:
    yield
    gc.collect()
    until = time.monotonic() + 10
    while (left := running()) and time.monotonic() < until:
        time.sleep(0.01)
    assert left == []


def running() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("fastdepth-")]


class Endless:
    """A source that is quicker than anybody."""

    name, rate, count, live = "endless", 30.0, None, True

    def __init__(self, stop_at: int | None = None, error: Exception | None = None) -> None:
        self.made = 0
        self.closed = threading.Event()
        self._stop_at = stop_at
        self._error = error

    def __iter__(self) -> Iterator[Still]:
        try:
            for number in itertools.count():
                if number == self._stop_at:
                    if self._error:
                        raise self._error
                    return
                self.made += 1
                yield Still(of_red(number % 250), number / 30, number)
        finally:
            self.closed.set()


def of(source: Endless, model: DepthModel, *, live: bool = False) -> Stream:
    return Stream(source, model, Faults(), focal=None, live=live, smooth=False)


def test_depth_of_a_clip(tmp_path: Path, tiny_model: DepthModel) -> None:
    with fastdepth.stream(write_clip(tmp_path / "a.mp4"), tiny_model) as frames:
        found = list(frames)
    assert [frame.number for frame in found] == [0, 1, 2, 3, 4, 5]
    assert [frame.time for frame in found] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    for frame, red in zip(found, REDS, strict=True):
        np.testing.assert_array_equal(frame.depth, tiny_model(frame.image))
        assert frame.depth[-1, -1] == pytest.approx(0.04 * red, abs=0.1)
    with pytest.raises(FrozenInstanceError):
        found[0].time = 3.0  # type: ignore[misc]
    assert (frames.dropped, frames.skipped, frames.problems) == (0, 0, ())
    assert len({id(frame.depth) for frame in found}) == len(found)


def test_model_by_its_file_and_a_focal_length(tmp_path: Path, tiny_file: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    near, far = (
        next(fastdepth.stream(clip, tiny_file, focal=focal)).depth for focal in (50.0, 100.0)
    )
    np.testing.assert_allclose(far, 2 * near, rtol=1e-5)


def test_the_source_waits_for_whoever_takes(tiny_model: DepthModel) -> None:
    source = Endless()
    with of(source, tiny_model) as frames:
        numbers = []
        for frame in itertools.islice(frames, 5):
            time.sleep(0.05)
            numbers.append(frame.number)
        assert numbers == [0, 1, 2, 3, 4]
        assert source.made <= 5 + 2 * streaming.WAITING + 3
    assert frames.dropped == 0
    assert source.closed.is_set()


def test_live_drops_and_counts(tiny_model: DepthModel) -> None:
    with of(Endless(stop_at=3000), tiny_model, live=True) as frames:
        numbers = []
        for frame in frames:
            time.sleep(0.01)
            numbers.append(frame.number)
    assert numbers == sorted(set(numbers))
    assert frames.dropped > 0
    assert len(numbers) + frames.dropped == 3000
    assert numbers[-1] == 2999


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ImageError("a lost cable"), ImageError, "a lost cable"),
        (ZeroDivisionError("odd"), FastDepthError, "decoding failed: odd"),
    ],
)
def test_an_error_of_the_source_comes_out(
    tiny_model: DepthModel, error: Exception, kind: type, says: str
) -> None:
    frames = of(Endless(stop_at=3, error=error), tiny_model)
    assert [next(frames).number for _ in range(3)] == [0, 1, 2]
    with pytest.raises(FastDepthError, match=says) as caught:
        next(frames)
    assert type(caught.value) is kind
    assert list(frames) == []


def test_an_error_of_the_model_comes_out(tmp_path: Path) -> None:
    lying = fastdepth.load(write_model(tmp_path / "m.onnx", metres=0.06))  # 255 is 15.3 m, of 10
    source = Endless()
    frames = of(source, lying)
    with pytest.raises(ModelFileError):
        list(frames)
    assert source.closed.wait(10)


def test_a_frame_that_the_model_cannot_take_is_skipped(tiny_model: DepthModel) -> None:
    class Odd(Endless):
        def __iter__(self) -> Iterator[Still]:
            yield Still(of_red(10), 0.0, 0)
            yield Still(of_red(10)[:8, :8], 0.1, 1)
            yield Still(of_red(10).astype(float), 0.2, 2)  # type: ignore[arg-type]
            yield Still(of_red(30), 0.3, 3)

    told: list[str] = []
    frames = Stream(Odd(), tiny_model, Faults(told.append), focal=None, live=False, smooth=False)
    numbers = [frame.number for frame in frames]
    assert numbers[0] == 0
    assert numbers[-1] == 3
    assert 2 not in numbers
    assert frames.skipped == len(told) == 4 - len(numbers)
    assert "endless: frame 2 is skipped" in told[-1]


def test_whoever_lets_go_of_a_stream_ends_it(tiny_model: DepthModel) -> None:
    source = Endless()
    frames = of(source, tiny_model)
    next(frames)
    del frames
    gc.collect()
    assert source.closed.wait(10)


def test_a_break_in_the_loop_ends_it(tiny_model: DepthModel) -> None:
    source = Endless()
    with pytest.raises(KeyboardInterrupt), of(source, tiny_model) as frames:
        for _ in frames:
            raise KeyboardInterrupt
    assert source.closed.is_set()
    frames.close()


@pytest.mark.parametrize(
    "words",
    [
        {"rate": 0},
        {"rate": float("nan")},
        {"rate": "x"},
        {"focal": -1.0},
        {"max_pixels": 0},
        {"max_pixels": "9"},
        {"source": None},
        {"source": b"a.mp4"},
    ],
)
def test_arguments_that_cannot_be(tiny_model: DepthModel, words: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        fastdepth.stream(**{"source": "none.mp4", "model": tiny_model} | words)


def test_smoothing_changes_depth_a_little(tmp_path: Path, tiny_model: DepthModel) -> None:
    reds = [100, 108, 100, 108, 100, 108]
    clip = write_clip(tmp_path / "a.mp4", reds, [n / 30 for n in range(6)])
    plain = [frame.depth[-1, -1] for frame in fastdepth.stream(clip, tiny_model)]
    smooth = [frame.depth[-1, -1] for frame in fastdepth.stream(clip, tiny_model, smooth=True)]
    assert smooth[0] == plain[0]
    assert np.abs(np.diff(smooth[2:])).mean() < 0.7 * np.abs(np.diff(plain[2:])).mean()
