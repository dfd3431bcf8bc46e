"""Depth of clips, cameras and addresses: each is decoded, predicted and written frame by frame."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdepth.console import Advance, Stopwatch, progress, tell
from fastdepth.errors import DeviceError, ImageError, UsageError
from fastdepth.files import check_no_input
from fastdepth.images.collection import SUFFIXES, unique_names
from fastdepth.predict.images import check_output, describe, open_models
from fastdepth.predict.options import FOR_CLIPS, FOR_IMAGES, PROG, Options
from fastdepth.ranges import check_needed
from fastdepth.runtime.model import DepthModel
from fastdepth.termination import finishing
from fastdepth.video import window
from fastdepth.video.ahead import Ahead
from fastdepth.video.drawing import Drawing, range_of
from fastdepth.video.frames import Frame
from fastdepth.video.sequence import is_pattern
from fastdepth.video.smoothing import LAG
from fastdepth.video.sources import (
    clips_in,
    is_address,
    is_camera,
    is_clip,
    open_source,
    shown,
)
from fastdepth.video.streaming import LIVE_WAITING, WAITING, Stream, stream
from fastdepth.video.writing import ENCODERS, FFV1, ClipWriter, add_depth

TOLD = 10
"""Problems of a clip that have a line each; more are counted at its end."""


@dataclass(frozen=True)
class Clip:
    """What is read, and what is written of it.

    Attributes:
        source: as it was given, or a file of a folder that was.
        colour: the coloured clip.
        depth: depth without loss; None where it was not asked for.
    """

    source: str
    colour: Path
    depth: Path | None

    @property
    def name(self) -> str:
        """What messages call it."""
        return shown(self.source)


def clips_of(options: Options) -> list[Clip]:
    """What is to be predicted frame by frame; nothing where all sources are of images.

    Raises:
        UsageError: some are of images and some have frames, or options fit neither.
        ImageError: a folder cannot be read.
    """
    into = options.output.suffix.lower() in ENCODERS and not options.output.is_dir()
    sources: list[str] = []
    images: list[str] = []
    for each in map(str, options.images):
        found = _framed(each, into)
        sources += found
        images += [] if found else [each]
    if sources and images:
        raise UsageError(f"{images[0]} has no frames, {shown(sources[0])} has; give them apart")
    _check_suffix(options.output, sources, images, into)
    check_needed(options, sources, "clips, cameras and addresses", *FOR_CLIPS)
    if sources:
        check_needed(options, False, "images", *FOR_IMAGES)
    sources = list(dict.fromkeys(sources))
    if into and len(sources) > 1:
        raise UsageError(f"{len(sources)} clips do not fit into {options.output}; give a folder")
    return _named(options, sources, into)


def _check_suffix(output: Path, sources: list[str], images: list[str], into: bool) -> None:
    """Refuse an output that looks like a clip and would become a folder."""
    suffix = output.suffix.lower()
    if into and images:
        raise UsageError(
            f"{output} is a clip, and {images[0]} is one image; give a folder, or make a clip of "
            "a folder of images or a pattern in quotes: 'frames/*.png'"
        )
    other = is_clip(output) or (suffix == ".gif" and not output.is_dir())
    if sources and other and suffix not in ENCODERS:
        raise UsageError(
            f"{output} cannot be written; end it in {', '.join(ENCODERS)}, or give a folder"
        )


def _framed(source: str, into: bool) -> list[str]:
    """The sources of frames that a word stands for; none if it is of images."""
    if is_camera(source) or is_address(source) or is_clip(source):
        return [source]
    if Path(source).is_dir():
        return [*map(str, clips_in(source))] or ([source] if into else [])
    single = Path(source).suffix.lower() not in SUFFIXES
    return [source] if into and (is_pattern(source) or single) else []


def _named(options: Options, sources: list[str], into: bool) -> list[Clip]:
    """The clips with the names of their files: a stem, with its suffix where two have the same."""
    if into:
        whole = options.output
        depth = whole.with_name(f"{whole.stem}_depth.mkv") if options.depth16 else None
        return [Clip(source, whole, depth) for source in sources]
    paths = [Path(_file_name(source)) for source in sources]
    alike = Counter((path.parent, path.stem.casefold()) for path in paths)
    names = unique_names(
        [
            path.with_name(f"{path.name}.x")
            if alike[path.parent, path.stem.casefold()] > 1
            else path
            for path in paths
        ]
    )
    return [
        Clip(
            source,
            options.output / f"{name}_colour.mp4",
            options.output / f"{name}_depth.mkv" if options.depth16 else None,
        )
        for source, name in zip(sources, names, strict=True)
    ]


def _file_name(source: str) -> str:
    """What files made of a source are named after."""
    if is_camera(source):
        return f"camera-{source}.mp4"
    if is_address(source):
        return re.sub(r"[^\w.-]+", "-", shown(source).partition("://")[2]).strip("-.")[:100] + ".x"
    return source


def predict_clips(options: Options, clips: list[Clip]) -> int:
    """Predict all clips; one that cannot be read is named on stderr, the rest go on.

    Returns:
        Exit status: 2 where a clip or one of its frames could not be used, else 0.

    Raises:
        FastDepthError: a model, a provider, an option or a file to be written does not work.
        KeyboardInterrupt: it was interrupted; the clips so far are whole files.
    """
    read: list[str | Path] = [*options.models, *(clip.source for clip in clips)]
    for clip in clips:
        for path in filter(None, (clip.colour, clip.depth)):
            check_no_input(path, read)
    check_output(clips[0].colour.parent)
    open_models.cache_clear()
    (model,) = open_models(options)
    bad = 0
    for clip in clips:
        try:
            bad += _Run(options, model, clip).skipped
        except (ImageError, DeviceError) as error:
            if len(clips) == 1:
                raise
            tell(f"{PROG}: {error}")
            bad += 1
    return 2 if bad else 0


class _Run:
    """One clip, from its first frame to the line about it.

    Attributes:
        skipped: frames that could not be used.
    """

    def __init__(self, options: Options, model: DepthModel, clip: Clip) -> None:
        self._options = options
        self._model = model
        self._clip = clip
        self._told = 0
        self._shown: window.Window | None = None
        self._drawing, self._colours = self._choose_colours()
        frames = stream(
            clip.source,
            model,
            focal=options.focal,
            live=options.live,
            smooth=options.smooth,
            rate=options.rate,
            max_pixels=options.max_pixels,
            report=self._report,
        )
        with frames:
            interrupted, colour, rate = self._write(frames)
        self.skipped = frames.skipped
        self._tell(frames, colour, rate)
        if interrupted:
            raise KeyboardInterrupt

    def _choose_colours(self) -> tuple[Drawing, str]:
        """How depth is drawn, and a word on the colours' range."""
        options = self._options
        vmin, vmax, how = options.vmin, options.vmax, "as given"
        if options.fit_range:
            source = open_source(
                self._clip.source, rate=options.rate, max_pixels=options.max_pixels
            )
            if source.live:
                raise UsageError(f"{source.name} has no first pass for --fit-range; give --vmin")
            vmin, vmax = range_of(source, self._model, options.focal)
            how = "by a first pass"
        drawing = Drawing(vmin, vmax, side_by_side=options.side_by_side)
        return drawing, f"colours from {vmin:.3g} m to {vmax:.3g} m, {how}"

    def _report(self, line: str) -> None:
        self._told += 1
        if self._told <= TOLD:
            tell(f"{PROG}: {line}")
        if self._told == TOLD:
            tell(f"{PROG}: more problems of this clip are counted and not told")

    def _write(self, frames: Stream) -> tuple[bool, ClipWriter, float]:
        """Write all frames: whether that was interrupted, what wrote them, how many a second."""
        clip, rate, watch = self._clip, frames.source.rate, Stopwatch()
        encoder = ENCODERS[clip.colour.suffix.lower()]
        with contextlib.ExitStack() as last, contextlib.ExitStack() as stack:
            colour = stack.enter_context(ClipWriter(clip.colour, encoder, rate))
            depth = None
            if clip.depth is not None:
                depth = stack.enter_context(ClipWriter(clip.depth, FFV1, rate))
            advance = stack.enter_context(progress("predicting", frames.source.count))
            self._open_window(stack)
            waiting = LIVE_WAITING if self._options.live else WAITING
            drawn = Ahead(self._draw(frames), most=waiting, stage="drawing")
            stack.callback(drawn.join, 1.0)
            stack.callback(frames.close)
            stack.callback(drawn.stop)
            interrupted = False
            try:
                self._add(drawn, colour, depth, advance, watch)
            except KeyboardInterrupt:  # what there is becomes a whole file
                interrupted = True
            finally:
                came = last.enter_context(finishing())
        return interrupted or bool(came), colour, colour.frames / max(watch.seconds, 1e-9)

    def _add(
        self,
        drawn: Iterator[tuple[Frame, NDArray[np.uint8]]],
        colour: ClipWriter,
        depth: ClipWriter | None,
        advance: Advance,
        watch: Stopwatch,
    ) -> None:
        for frame, image in drawn:
            if not colour.frames and not (frame.depth > 0).any():
                raise ImageError(
                    f"{self._clip.name}: {self._options.model} answers with no depth above 0 m; "
                    "is it trained?"
                )
            if depth is not None:
                add_depth(depth, frame.depth, frame.time)
            colour.add(image, frame.time)
            advance(note=f"{colour.frames / max(watch.seconds, 1e-9):.1f} frames/s")
            if self._shown is not None and not self._shown.show(image):
                return

    def _draw(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
        for frame in frames:
            yield frame, self._drawing(frame)

    def _open_window(self, stack: contextlib.ExitStack) -> None:
        """Open a window where one was asked for, or say why not."""
        if not self._options.window:
            return
        if why := window.problem():
            tell(f"{PROG}: no window is shown: {why}")
            return
        self._shown = window.Window(f"{PROG}: {self._clip.name}")
        stack.callback(self._shown.close)

    def _tell(self, frames: Stream, colour: ClipWriter, rate: float) -> None:
        if not colour.frames:
            tell(f"{PROG}: no frame of {self._clip.name} came to be written")
            return
        line = f"{colour.frames} frames of {self._clip.name} written to {self._clip.colour}"
        line += f" and {self._clip.depth}" if self._clip.depth else ""
        line += f", {colour.resized} brought to the size of the first" if colour.resized else ""
        line += f", {frames.dropped} dropped, {frames.skipped} skipped, {rate:.1f} frames/s"
        line += f"; smoothed, at most {1000 * LAG:.0f} ms late" if self._options.smooth else ""
        tell(f"{line}; {self._colours} {describe(self._options, self._model)}")
