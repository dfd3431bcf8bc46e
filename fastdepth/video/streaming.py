"""Depth of the frames of a clip, a camera or a stream, one after the other.

::

    with fastdepth.stream("clip.mp4", "mnv2-64-dws") as frames:
        for frame in frames:
            frame.image, frame.depth, frame.time

Decoding and inference have a thread each and run while the frame before is used. At most a few
frames wait between them, so that memory stays what it is however slowly frames are taken.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from fastdepth.arguments import checked
from fastdepth.camera import check_focal
from fastdepth.errors import UsageError
from fastdepth.images.io import MAX_PIXELS
from fastdepth.images.skipping import UNUSABLE, problem_of
from fastdepth.runtime.model import DepthModel, load
from fastdepth.video.ahead import Ahead
from fastdepth.video.frames import Faults, Frame, Source, Still
from fastdepth.video.smoothing import Smoother
from fastdepth.video.sources import RATE, open_source

WAITING = 2
"""Frames that wait between two stages: enough to even out slow ones, not many in memory."""

LIVE_WAITING = 1
"""The same where frames are dropped, so that the latest is the next."""

_PATIENCE = 3.0
"""How long the end of a thread is waited for [s]; one may sit in a network's silence."""


class Stream:
    """Frames with their depth; made by :func:`stream`.

    An iterator, and a context manager that ends the threads; so does the end of the frames, an
    error, :meth:`close`, and that nobody holds it any more.

    Attributes:
        source: what is read; its ``name``, ``rate`` [frames/s] and ``count`` as it says.
        model: what predicts.
    """

    def __init__(
        self,
        source: Source,
        model: DepthModel,
        faults: Faults,
        *,
        focal: float | None,
        live: bool,
        smooth: bool,
    ) -> None:
        self.source = source
        self.model = model
        self._faults = faults
        self._decoded: Ahead[Still] = Ahead(
            iter(source),
            most=LIVE_WAITING if live else WAITING,
            stage="decoding",
            dropping=live,
        )
        predicted = _predict(self._decoded, model, focal, faults, source.name)
        if smooth:
            predicted = _smooth(predicted)
        self._predicted: Ahead[Frame] = Ahead(
            predicted, most=LIVE_WAITING if live else WAITING, stage="inference"
        )
        self._end = weakref.finalize(self, _end, self._decoded, self._predicted)

    @property
    def dropped(self) -> int:
        """Frames that were dropped because later ones had come; none unless ``live``."""
        return self._decoded.dropped

    @property
    def skipped(self) -> int:
        """Frames that could not be used; a lost end of a clip counts as one."""
        return self._faults.count

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each of the last 100 of those."""
        return tuple(self._faults.lines)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        """The next frame.

        Raises:
            FastDepthError: the source or the model failed; the threads have ended.
        """
        try:
            return next(self._predicted)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and close the source; frames that wait are lost."""
        self._end()


def _end(*stages: Ahead[Still] | Ahead[Frame]) -> None:
    """End all threads: each wakes the one that waits for it."""
    for stage in stages:
        stage.stop()
    for stage in stages:
        stage.join(_PATIENCE)


def _predict(
    stills: Iterator[Still], model: DepthModel, focal: float | None, faults: Faults, name: str
) -> Iterator[Frame]:
    """Frames with depth; those that the model cannot take are skipped."""
    for still in stills:
        try:
            depth = model(still.image, focal=focal)
        except UNUSABLE as error:
            faults.add(f"{name}: frame {still.number} is skipped: {problem_of(error, 'it')}")
            continue
        yield Frame(still.image, depth, still.time, still.number)


def _smooth(frames: Iterator[Frame]) -> Iterator[Frame]:
    smoother = Smoother()
    for frame in frames:
        yield replace(frame, depth=smoother(frame.image, frame.depth, frame.time))


@checked
def stream(
    source: str | Path | int,
    model: DepthModel | str | Path | bytes | BinaryIO,
    *,
    focal: float | None = None,
    live: bool = False,
    smooth: bool = False,
    rate: float = RATE,
    max_pixels: int = MAX_PIXELS,
    report: Callable[[str], None] | None = None,
) -> Stream:
    """Predict the depth of a clip, a camera or a stream, frame by frame.

    Args:
        source: a video file; the number of a camera, 0 being the first; an address (``rtsp://``,
            ``http://`` ...); a folder of images, or a pattern of their files
            (``frames/%06d.png``, ``frames/*.jpg``).
        model: an open model, or what :func:`fastdepth.load` takes.
        focal: focal length of the camera [px in a frame]; None assumes the training camera.
        live: drop frames that are older than the latest when the model or whoever takes them is
            too slow, instead of letting the source wait.
        smooth: filter depth along the motion of the image, so that it flickers less and is that of
            some time ago, 0.08 s on average at most; see :mod:`fastdepth.video.smoothing`.
        rate: frames a second of images, which do not say.
        max_pixels: frames of more are refused.
        report: is given a line for each frame that is skipped, in the thread that found it.

    Returns:
        Frames: ``image`` (H, W, 3) uint8 RGB upright, ``depth`` (H, W) float32 [m], ``time`` [s]
        since the first by the source's own clock, ``number``. Damaged ones are skipped and counted.

    Raises:
        UsageError: an argument cannot be.
        ImageError: the source is missing, empty, cut or damaged.
        DeviceError: there is no such camera.
        ModelFileError: the model cannot be opened.
        MissingExtraError: PyAV, which decodes clips and addresses, is not installed:
            ``pip install 'fastdepth[video]'``.
    """
    if focal is not None:
        check_focal(focal)
    if max_pixels < 1:
        raise UsageError(f"max_pixels is {max_pixels}; give 1 or more")
    if not 0 < rate <= 1000:
        raise UsageError(f"rate is {rate}; give frames a second, above 0 and at most 1000")
    faults = Faults(report)
    opened = open_source(source, faults, rate=rate, max_pixels=max_pixels)
    if not isinstance(model, DepthModel):
        model = load(model)
    return Stream(opened, model, faults, focal=focal, live=live, smooth=smooth)
