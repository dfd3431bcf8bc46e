"""Frames of coloured clips: colours of one range, the bar of distances, the image beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError
from fastdepth.images.colour import check_range, colourise, scale_bar
from fastdepth.runtime.model import DepthModel
from fastdepth.video.frames import Frame, Source

LOOKED_AT = 32
"""Frames of a first pass that are predicted, evenly spread."""

PERCENTILES = (1, 99)
"""Of depth, which become the ends of the colours."""

_EVERY = 8  # pixels, down and across


class Drawing:
    """Draws depth, all frames of a clip alike.

    Args:
        vmin: distance of the brightest colour [m].
        vmax: distance of the darkest colour [m].
        side_by_side: draw the image on the left.
    """

    def __init__(self, vmin: float, vmax: float, *, side_by_side: bool = False) -> None:
        check_range(vmin, vmax)
        self.vmin, self.vmax = vmin, vmax
        self._beside = side_by_side
        self._paper: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)
        self._shape = (0, 0)

    def __call__(self, frame: Frame) -> NDArray[np.uint8]:
        """A frame as it stands in the clip: (H, W + w, 3) uint8 RGB, in a new array."""
        height, width = frame.depth.shape
        if self._shape != frame.depth.shape:  # the bar is drawn once
            blank = np.zeros((height, width * (1 + self._beside), 3), np.uint8)
            self._paper = scale_bar(blank, self.vmin, self.vmax)
            self._shape = (height, width)
        drawn = self._paper.copy()
        left = width if self._beside else 0
        if self._beside:
            drawn[:height, :width] = frame.image
        drawn[:height, left : left + width] = colourise(frame.depth, self.vmin, self.vmax)
        return drawn


def range_of(source: Source, model: DepthModel, focal: float | None) -> tuple[float, float]:
    """The range of colours that suits a clip, by a first pass over all of it.

    Args:
        source: is read to its end.
        model: predicts some of the frames.
        focal: focal length of the camera [px in a frame], or None.

    Returns:
        Percentiles 1 and 99 of depth [m].

    Raises:
        ImageError: the clip has no depth that colours could tell apart.
    """
    every = max(1, (source.count or 0) // LOOKED_AT)
    seen = [
        model(still.image, focal=focal)[::_EVERY, ::_EVERY].ravel()
        for still in source
        if still.number % every == 0
    ]
    depth = np.concatenate(seen) if seen else np.zeros(0)
    depth = depth[depth > 0]
    if depth.size:
        vmin, vmax = map(float, np.percentile(depth, PERCENTILES))
        if vmin < vmax:
            return vmin, vmax
    raise ImageError(f"{source.name} has the same depth everywhere; give --vmin and --vmax")
