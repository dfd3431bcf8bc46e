from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hostile import Family, damaged
from some_clips import write_clip

from fastdepth.images.io import SMALLEST_SIDE
from fastdepth.video.decoding import open_clip
from fastdepth.video.frames import Faults

MOST = 200
MAX_PIXELS = 10**6
KINDS = (
    ("a.mp4", "mpeg4"),
    ("a.mov", "mjpeg"),
    ("a.mkv", "ffv1"),
    ("a.avi", "mpeg4"),
    ("a.webm", "libvpx-vp9"),
    ("a.ts", "mpeg4"),
)


def whole() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [
            write_clip(
                Path(folder) / name,
                codec=codec,
                gop=3,
                pixels="yuvj420p" if codec == "mjpeg" else "yuv420p",
            ).read_bytes()
            for name, codec in KINDS
        ]


def read(data, folder):
    (folder / "a.clip").write_bytes(data)
    last, faults = -1.0, Faults()
    for still in itertools.islice(open_clip(folder / "a.clip", faults, MAX_PIXELS), MOST):
        height, width, channels = still.image.shape
        assert channels == 3 and still.image.dtype == np.uint8
        assert min(height, width) >= SMALLEST_SIDE and height * width <= MAX_PIXELS
        assert last < still.time < np.inf
        last = still.time
    return last


@pytest.mark.thorough
def test_clips(try_to_break):
    try_to_break(Family("clips", damaged(whole()), read))
