"""Frames of a video, and where each of their pixels was in the frame before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.data.sample import Image
from fastdepth.errors import ImageError
from fastdepth.files import check_regular


def read_video(path: str | Path, limit: int | None = None) -> Iterator[Image]:
    """Frames (H, W, 3) uint8 RGB of a video, in their order.

    Args:
        path: any file that OpenCV reads.
        limit: stop after so many.

    Raises:
        ImageError: it is missing, or no video; at once, not with the first frame.
    """
    return islice(_frames(_open(path)), limit)


def count_frames(path: str | Path) -> int | None:
    """Number of frames by the video's header, for a progress bar; None where it does not say.

    Raises:
        ImageError: it is missing, or no video.
    """
    capture = _open(path)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return count if count > 0 else None


def frame_rate(path: str | Path) -> float:
    """Frames a second by the video's header; 30 where it does not say.

    Raises:
        ImageError: it is missing, or no video.
    """
    capture = _open(path)
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return rate if 1 <= rate <= 1000 else 30.0


def _open(path: str | Path) -> cv2.VideoCapture:
    check_regular(path, ImageError)
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise ImageError(f"{path} is no video that OpenCV reads; give an MP4 file")
    return capture


def _frames(capture: cv2.VideoCapture) -> Iterator[Image]:
    try:
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        capture.release()


@dataclass(frozen=True)
class Motion:
    """How a frame came out of the one before.

    Attributes:
        origin: (H, W, 2) float32 [px]; column and row in the frame before of each pixel.
        visible: (H, W) bool; False for what was hidden or out of sight in the frame before.
    """

    origin: NDArray[np.float32]
    visible: NDArray[np.bool_]

    def carry(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values (H, W) of the frame before at their places in this one, bilinear."""
        return _at(values, self.origin)


def find_motion(previous: Image, current: Image) -> Motion:
    """Optical flow between two frames, by DIS, Kroeger et al., ECCV 2016.

    A pixel is visible where flow and flow back agree within the bounds of Sundaram, Brox, Keutzer,
    "Dense point trajectories by GPU-accelerated large displacement optical flow", ECCV 2010:
    ``|w + w'|^2 < 0.01 (|w|^2 + |w'|^2) + 0.5``.

    Args:
        previous: (H, W, 3) uint8 RGB.
        current: the next frame, of the same size.
    """
    before, now = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (previous, current))
    back, forth = _flow(now, before), _flow(before, now)
    height, width = now.shape
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    origin = grid + back
    inside = ((origin >= 0) & (origin <= (width - 1, height - 1))).all(axis=2)
    returned = _at(forth, origin)
    apart, length = _squared(back + returned), _squared(back) + _squared(returned)
    return Motion(origin, inside & (apart < 0.01 * length + 0.5))


def _flow(first: NDArray[np.generic], second: NDArray[np.generic]) -> NDArray[np.float32]:
    """(H, W, 2) float32 [px]: where each pixel of the first grey image is in the second."""
    method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
    return np.asarray(method.calc(first, second, None), np.float32)


def _at(values: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values at columns and rows (H, W, 2), bilinear."""
    columns, rows = places[..., 0], places[..., 1]
    found = cv2.remap(values, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _squared(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((vectors**2).sum(axis=2), np.float32)
