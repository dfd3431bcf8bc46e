"""Images to network input and back: the one place that resizes.

Training, runtime and benchmark all resize with :func:`resize`, and an exported file names it in
its metadata as ``RESIZE``. Normalisation is no business of this module's users: it is inside the
exported graph, and inside the network in PyTorch.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.size import Size

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

RESIZE = "area-down-bilinear-up"
"""Name of what :func:`resize` does, as it stands in the metadata of exported files."""


def resize(image: NDArray[Any], size: Size, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Resize an image (H, W, 3) or a depth map (H, W): averages areas down, bilinear up.

    Values keep their unit and dtype. A side that shrinks is averaged, so that nothing aliases;
    where one side shrinks and the other grows, each is treated as its own case.

    Args:
        image: values; where they have the size already they are what is answered.
        size: of the answer.
        out: C-contiguous array of that size and the same type to write into, and to answer with.
    """
    height, width = image.shape[:2]
    if (height, width) == size:
        return image
    shrink = Size(min(height, size.height), min(width, size.width))
    if shrink != (height, width):
        last = out if shrink == size else None
        image = cv2.resize(image, (shrink.width, shrink.height), last, interpolation=cv2.INTER_AREA)
    if shrink != size:
        image = cv2.resize(image, (size.width, size.height), out, interpolation=cv2.INTER_LINEAR)
    return image


def resize_nearest(depth: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resize ground truth (H, W) [m] without mixing values: holes stay holes, edges stay sharp."""
    if depth.shape[:2] == size:
        return depth
    return np.asarray(
        cv2.resize(depth, (size.width, size.height), interpolation=cv2.INTER_NEAREST_EXACT)
    )
