"""A camera of this machine, by OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
import numpy as np

from fastdepth.errors import DeviceError, FastDepthError
from fastdepth.images.io import QUIET, check_size
from fastdepth.size import Size
from fastdepth.video.frames import Faults, Still

RETRIES = 10
"""A camera that starts, or whose cable shook, may fail to give a frame or two."""


class Camera:
    """Frames of a camera, timed by this machine's clock; see :class:`Source`.

    Args:
        number: as OpenCV counts them, from 0.
        faults: is told where frames cannot be had.
        max_pixels: frames of more are refused.

    Raises:
        DeviceError: there is none, or another program has it.
    """

    count: int | None = None
    live = True

    def __init__(self, number: int, faults: Faults, max_pixels: int) -> None:
        self.name = f"camera {number}"
        self._faults = faults
        self._max_pixels = max_pixels
        with QUIET():
            self._capture = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            raise DeviceError(
                f"{self.name} cannot be opened; see that it is plugged in, that no other program "
                "has it and that you may use it"
            )
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if 1 <= rate <= 1000 else 30.0

    def __iter__(self) -> Iterator[Still]:
        number, begun, failed = 0, 0.0, 0
        try:
            while failed < RETRIES:
                there, frame = self._capture.read()
                now = time.monotonic()
                if not there:
                    failed += 1
                    time.sleep(0.02)
                    continue
                begun, failed = begun or now, 0
                check_size(self.name, self._max_pixels, Size(*frame.shape[:2]))
                image = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
                yield Still(image, now - begun, number)
                number += 1
            if not number:
                raise DeviceError(f"{self.name} gives no frames; see that nothing else has it")
            self._faults.add(f"{self.name} gives no more frames after {number}; was it unplugged?")
        except cv2.error as error:
            raise FastDepthError(f"{self.name}: {error.err}; try it again") from None
        finally:
            self._capture.release()
