"""What every source of depth data yields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB."""

Depth = NDArray[np.float32]
"""(H, W) float32 [m]; 0 where nothing was measured."""


@dataclass(frozen=True)
class Sample:
    """One image with its depth.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        depth: (h, w) float32 [m], 0 where nothing was measured; h x w may be smaller than the
            image's size when the source stores it so.
        name: stable name within the source, part of the sample list's hash.
        scene: images of one scene must stay on one side of a train/validation split.
    """

    image: Image
    depth: Depth
    name: str
    scene: str
