"""Clips that are written by PyAV, beside their place and renamed: coloured ones, and depth itself.

Encoders are FFmpeg's own and libvpx, none of which is under the GPL.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import OutputError
from fastdepth.extras import require
from fastdepth.files import remove_leftovers_of, replacing
from fastdepth.images.io import to_millimetres

TICKS = 60_000
"""A second's in which times are written: all usual rates divide it, and MPEG-4 has no finer."""

LONGEST_SIDE = 8_000
"""Of coloured clips [px]; MPEG-4 stores 8191."""


@dataclass(frozen=True)
class Encoder:
    """How frames are coded.

    Attributes:
        codec: FFmpeg's name.
        pixels: FFmpeg's name of how they are coded: ``yuv420p``, or ``gray16le`` as they are.
        options: of the codec.
    """

    codec: str
    pixels: str
    options: tuple[tuple[str, str], ...] = ()


_MPEG4 = Encoder("mpeg4", "yuv420p", options=(("qmin", "2"), ("qmax", "2")))
_COLOURS = (("colorspace", "smpte170m"), ("color_range", "tv"))
"""As OpenCV makes YUV of RGB; players assume others of large frames that do not say."""

_VP9 = Encoder(
    "libvpx-vp9",
    "yuv420p",
    options=(("deadline", "realtime"), ("cpu-used", "8"), ("crf", "24"), ("row-mt", "1")),
)
FFV1 = Encoder("ffv1", "gray16le", options=(("level", "3"), ("slices", "4"), ("slicecrc", "1")))
"""Lossless, 16 bits, with checksums."""

ENCODERS = {".mp4": _MPEG4, ".mov": _MPEG4, ".mkv": _MPEG4, ".webm": _VP9}
"""Of coloured clips, by the suffix of the file."""


class ClipWriter:
    """A clip that is written frame by frame; a context manager.

    At the end of the block the file is whole and takes the place of ``path``, even where only some
    frames were added; after an error, and of no frame, what stood there stays.

    Args:
        path: where to.
        encoder: how.
        rate: frames a second as the clip says of itself; each has its own time all the same.

    Attributes:
        frames: written so far.
        resized: those of them that were of another size than the first.

    Raises:
        MissingExtraError: PyAV is not installed.
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path, encoder: Encoder, rate: float) -> None:
        self.path = path
        self.frames = self.resized = 0
        self._encoder = encoder
        self._rate = Fraction(rate).limit_denominator(1001)
        self._av = require("av", "video")
        self._stack = contextlib.ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._last = -1

    def __enter__(self) -> Self:
        remove_leftovers_of(self.path)
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            stack.enter_context(self._own_errors())
            self._container = self._av.open(f"file:{temporary}", "w")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(_NotKept), self._stack:
            if kind is not None or not self.frames:
                with contextlib.suppress(self._av.error.FFmpegError, OSError, ValueError):
                    self._container.close()
                raise _NotKept
            with self._own_errors():
                self._container.mux(self._stream.encode(None))
                self._container.close()

    def add(self, image: NDArray[Any], time: float) -> None:
        """Write a frame.

        Args:
            image: (H, W, 3) uint8 RGB, or (H, W) uint16 for FFV1; one of another size than the
                first is brought to it.
            time: of the frame [s], later than the one before.

        Raises:
            OutputError: it cannot be written.
        """
        with self._own_errors():
            if self._stream is None:
                self._begin(image)
            frame = self._av.VideoFrame.from_ndarray(
                self._fitted(image), format=self._encoder.pixels
            )
            self._last = max(self._last + 1, round(time * TICKS))
            frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
            self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def _begin(self, image: NDArray[Any]) -> None:
        """Describe the clip by its first frame."""
        encoder = self._encoder
        height, width = image.shape[:2]
        if encoder is not FFV1:
            height, width = height + height % 2, width + width % 2  # colours are halved
        if max(height, width) > LONGEST_SIDE and encoder is _MPEG4:
            raise OutputError(
                f"cannot write {self.path}: {width}x{height} is too large for MPEG-4; give .webm"
            )
        self._stream = self._container.add_stream(
            encoder.codec, rate=self._rate, options=dict(_COLOURS + encoder.options)
        )
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = encoder.pixels
        self._stream.codec_context.time_base = Fraction(1, TICKS)

    def _fitted(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image as it is coded, at the clip's size: its last pixels repeated, or resized."""
        height, width = self._stream.height, self._stream.width
        below, right = height - image.shape[0], width - image.shape[1]
        if below in (0, 1) and right in (0, 1):
            if below or right:
                image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
        else:
            self.resized += 1
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST)
        if self._encoder.pixels == "yuv420p":  # OpenCV takes a fifth of swscale's time
            return cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
        return np.ascontiguousarray(image)

    @contextlib.contextmanager
    def _own_errors(self) -> Any:
        """Errors of FFmpeg as what they mean for the file."""
        try:
            yield
        except OutputError:
            raise
        except OSError as error:  # FFmpeg's have the system's number
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
        except (self._av.error.FFmpegError, ValueError, OverflowError, cv2.error) as error:
            raise OutputError(f"cannot write {self.path}: {error}; give another format") from error


class _NotKept(Exception):  # noqa: N818
    """Ends the writing of a clip of which nothing is to stay."""


def add_depth(writer: ClipWriter, depth: NDArray[np.float32], time: float) -> None:
    """Write depth [m] as a frame of 16-bit millimetres; 0 is none."""
    writer.add(to_millimetres(depth), time)
