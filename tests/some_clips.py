"""Small clips that tests make: frames of one red each, so that depth tells which one it was."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)
REDS = (40, 80, 120, 160, 200, 240)
"""Of the frames; the tiny model answers with red times 0.04 m."""


def of_red(red: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame of one red; its upper left quarter is darker, so that turns are seen."""
    image = np.zeros((*size, 3), np.uint8)
    image[..., 0] = red
    image[: size[0] // 2, : size[1] // 2, 0] = red // 2
    return image


def write_clip(
    path: Path,
    reds: Sequence[int] = REDS,
    times: Sequence[float] | None = None,
    *,
    codec: str = "mpeg4",
    rotation: int = 0,
    size: tuple[int, int] = SIZE,
    gop: int = 1,
    pixels: str = "yuv420p",
) -> Path:
    """Write frames at their times [s]; without them 10 a second."""
    base = Fraction(1, 1000)
    times = [number / 10 for number in range(len(reds))] if times is None else times
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.bit_rate = 4_000_000
        stream.codec_context.time_base = base
        stream.codec_context.gop_size = gop
        if rotation:
            stream.set_display_rotation(rotation)
        for red, time in zip(reds, times, strict=True):
            frame = av.VideoFrame.from_ndarray(of_red(red, size), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
