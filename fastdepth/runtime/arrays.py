"""Arrays that an application gives: images in, and depth to write into."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError, UsageError
from fastdepth.images.io import SMALLEST_SIDE
from fastdepth.size import Size


def check_image(image: NDArray[Any]) -> None:
    """Raise ImageError unless the image is (H, W, 3) uint8 of a sensible size."""
    wanted = "give an (H, W, 3) uint8 RGB array"
    if not isinstance(image, np.ndarray):
        raise ImageError(f"image is a {type(image).__name__}; {wanted}")
    if image.ndim == 2:
        raise ImageError(f"image is grey, {image.shape}; {wanted}: np.stack([image] * 3, axis=-1)")
    if image.ndim != 3 or image.shape[2] != 3:
        hint = ": image[..., :3] drops alpha" if image.ndim == 3 and image.shape[2] == 4 else ""
        raise ImageError(f"image has the shape {image.shape}; {wanted}{hint}")
    if image.dtype != np.uint8:
        floats = np.issubdtype(image.dtype, np.floating)
        hint = ": (image * 255).astype(np.uint8) where it is 0 to 1" if floats else ""
        raise ImageError(f"image is {image.dtype}; {wanted}{hint}")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        size = Size(*image.shape[:2])
        raise ImageError(f"image is {size} px; both sides must be {SMALLEST_SIDE} px or more")


def check_batch(
    batch: NDArray[Any],
    sizes: Collection[Size],
    maker: str = "fastdepth.preprocess.resize makes them",
) -> None:
    """Raise ImageError unless a batch is images of a network's input, (B, H, W, 3) uint8.

    Args:
        batch: for an inference.
        sizes: that the network takes.
        maker: what makes such images, for the message.
    """
    array = isinstance(batch, np.ndarray)
    fits = array and batch.ndim == 4 and batch.shape[1:3] in sizes and batch.shape[3] == 3
    if not fits or batch.dtype != np.uint8 or not batch.size:
        found = f"{batch.dtype} {batch.shape}" if array else f"a {type(batch).__name__}"
        shapes = " or ".join(f"(B, {size.height}, {size.width}, 3)" for size in sizes)
        raise ImageError(f"batch is {found}; this model takes uint8 {shapes}, as {maker}")


def check_out(out: NDArray[np.float32], size: tuple[int, ...]) -> None:
    """Raise UsageError unless depth of this size can be written into ``out``."""
    if not isinstance(out, np.ndarray) or out.dtype != np.float32 or out.shape != size:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise UsageError(f"out is {found}; give float32 {tuple(size)}")
    if not out.flags.writeable:
        raise UsageError("out is read-only; give an array that can be written into")
