"""The steps of a call beside the network: an image into its input, its depth back to the image.

The aspect ratio of an image is kept: it is scaled until it fits into the network's input, and the
rest is filled by repeating the image's outermost pixels. Any flat colour would put an edge around
the image that no camera sees, and a network reads such edges as the frame of a window or a door.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import UsageError
from fastdepth.preprocess import resize
from fastdepth.runtime.arrays import check_out
from fastdepth.runtime.buffers import Allocate
from fastdepth.size import Size


@dataclass(frozen=True)
class Prepared:
    """An image as the network takes it, and what must be undone afterwards.

    Attributes:
        batch: (1, h, w, 3) uint8 RGB at the network's size.
        size: size of the image as it was given.
        inner: where the image lies in the batch: rows and columns; the rest is padding.
        scale: pixels of the batch per pixel of the image.
        depth_factor: factor on the network's metres, not 1 where the camera is another one.
    """

    batch: NDArray[np.uint8]
    size: Size
    inner: tuple[slice, slice]
    scale: float
    depth_factor: float


@dataclass(frozen=True)
class Timed:
    """Depth of one image, and what it took on the clock.

    Attributes:
        depth: (H, W) float32 [m].
        preprocess: fitting the image into the network's input [s].
        infer: the network [s].
        postprocess: back to the image's size and camera [s].
        anchoring: correcting it by known distances [s]; 0 without.
    """

    depth: NDArray[np.float32]
    preprocess: float
    infer: float
    postprocess: float
    anchoring: float


def scale_of(image: Size, size: Size) -> float:
    """Pixels of a network's input per pixel of an image that is fitted into it."""
    return min(size.height / image.height, size.width / image.width)


def best_size(image: Size, sizes: Sequence[Size]) -> Size:
    """The input that leaves an image the least padding; the first of equal ones."""

    def filled(size: Size) -> float:
        scale = scale_of(image, size)
        return round(scale**2 * image.height * image.width / (size.height * size.width), 6)

    return max(sizes, key=filled)


def fit(image: NDArray[np.uint8], outer: Size, depth_factor: float, allocate: Allocate) -> Prepared:
    """Fit an image into a network's input.

    Args:
        image: (H, W, 3) uint8 RGB; where it is of the input's size already, it is what is answered.
        outer: the network's input.
        depth_factor: see :class:`Prepared`.
        allocate: gives the arrays; where it keeps them the last answer's batch is written over.
    """
    size = Size(*image.shape[:2])
    scale = scale_of(size, outer)
    inner = Size(*(max(1, round(side * scale)) for side in size))  # 20,000x16 keeps a row
    top, left = (outer.height - inner.height) // 2, (outer.width - inner.width) // 2
    bottom, right = outer.height - inner.height - top, outer.width - inner.width - left
    if not image.flags.c_contiguous:
        given, image = image, allocate("image", image.shape, np.uint8)
        np.copyto(image, given)
    if inner != size:
        image = resize(image, inner, out=allocate("scaled", (*inner, 3), np.uint8))
    if inner != outer:
        padded = allocate("padded", (*outer, 3), np.uint8)
        cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REPLICATE, dst=padded)
        image = padded
    return Prepared(
        batch=image[np.newaxis],
        size=size,
        inner=(slice(top, top + inner.height), slice(left, left + inner.width)),
        scale=scale,
        depth_factor=depth_factor,
    )


def restore(
    depth: NDArray[np.float32], prepared: Prepared, out: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Depth at the image's size, for its camera.

    Args:
        depth: (1, 1, h, w) float32 [m] of the network; it is left as it is.
        prepared: of the image.
        out: (H, W) float32 array to write into; a new one where there is none.

    Raises:
        UsageError: ``depth`` is not of that shape, or ``out`` cannot be written into.
    """
    if depth.shape != (shape := (1, 1, *prepared.batch.shape[1:3])):
        raise UsageError(f"depth has the shape {depth.shape}; give that of one image, {shape}")
    if out is None:
        out = np.empty(prepared.size, np.float32)
    check_out(out, prepared.size)
    inner = depth[0, 0][prepared.inner]
    direct = out if out.flags.c_contiguous else None  # OpenCV writes into no other
    resized = resize(inner, prepared.size, out=direct)
    if resized is not out or prepared.depth_factor != 1:
        np.multiply(resized, np.float32(prepared.depth_factor), out=out)
    return out
