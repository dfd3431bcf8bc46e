"""Steadier depth of a clip: a recursive filter of log depth along the image's motion.

Each frame is predicted by itself, so that a wall flickers by some per cent though nothing moves.
The filtered depth of the frame before is carried to this one along optical flow (DIS, Kroeger et
al., ECCV 2016, at low resolution) and mixed with what is predicted now::

    ln s = ln d + k (ln s' - ln d)
    k = exp(-dt / LAG) exp(-((ln s' - ln d) / SAME_DEPTH)^2 - ((g' - g) / SAME_GREY)^2)

``k`` falls where the depth carried here is another one, or the grey level ``g`` is: at what was
hidden, what moves by itself, and cuts. What is added to ln d is smooth, so that edges stay those of
this frame's depth. Filtered depth is that of some time ago, on average of at most ``LAG``.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.size import Size

LAG = 0.08
"""Mean age of filtered depth at most [s]."""

SAME_DEPTH = 0.3
"""Change of ln depth from a frame to the next at which it is likely another thing."""

SAME_GREY = 25.0
"""Likewise of the grey level, of 255."""

LONGEST, SHORTEST = 128, 32
"""Sides of the images in which motion is found [px]: at most, and at least."""

PAUSE = 1.0
"""After so long without a frame [s] the filter begins anew."""

_LEAST = 1e-3  # [m]

Floats = NDArray[np.float32]


class Smoother:
    """Filters depth of one clip; see the module.

    Args:
        lag: mean age of filtered depth at most [s].
    """

    def __init__(self, lag: float = LAG) -> None:
        self.lag = lag
        self._flow: Any = cv2.DISOpticalFlow_create(  # type: ignore[attr-defined]
            cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST
        )
        self._size = Size(0, 0)
        self._grey: NDArray[np.uint8] | None = None
        self._logs: Floats = np.zeros((0, 0), np.float32)
        self._time = -math.inf

    def __call__(
        self, image: NDArray[np.uint8], depth: NDArray[np.float32], time: float
    ) -> NDArray[np.float32]:
        """Filter the depth of the next frame.

        Args:
            image: (H, W, 3) uint8 RGB; another size than before begins anew.
            depth: (H, W) float32 as predicted [m].
            time: of the frame [s].

        Returns:
            (H, W) float32 filtered [m].
        """
        size, passed = Size(*depth.shape), time - self._time
        small = _small(size)
        grey = np.asarray(cv2.cvtColor(_resized(image, small), cv2.COLOR_RGB2GRAY), np.uint8)
        logs = np.log(np.maximum(_resized(depth, small), _LEAST))
        before, self._time = self._grey, time
        self._grey = grey
        if before is None or size != self._size or not 0 < passed < PAUSE:
            self._size, self._logs = size, logs
            return depth
        change = self._change(before, grey, logs, math.exp(-passed / self.lag))
        self._logs = logs + change
        return cv2.multiply(depth, cv2.resize(cv2.exp(change), size[::-1]))  # type: ignore[return-value]

    def _change(
        self, before: NDArray[np.uint8], grey: NDArray[np.uint8], logs: Floats, weight: float
    ) -> Floats:
        """What is to be added to ln depth, at low resolution."""
        origin = _grid(grey.shape[0], grey.shape[1]) + self._flow.calc(grey, before, None)
        outside: dict[str, Any] = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": 1e3}
        apart = cv2.remap(self._logs, origin, None, cv2.INTER_LINEAR, **outside) - logs  # type: ignore[call-overload]
        looked = cv2.remap(before, origin, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        other = cv2.absdiff(grey, looked).astype(np.float32)
        doubt = (apart / SAME_DEPTH) ** 2 + (other / SAME_GREY) ** 2
        change: Floats = weight * apart * np.exp(-doubt)
        return change


def _small(size: Size) -> Size:
    """Size of the image in which motion is found."""
    scale = LONGEST / max(size)
    return Size(*(max(SHORTEST, round(side * scale)) for side in size))


def _resized(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA))


def _grid(height: int, width: int) -> Floats:
    """Column and row of each pixel: (H, W, 2) [px]."""
    return np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
