"""Images for the clock: no two of a run are equal, so that no cache can answer for a network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import UsageError

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch


def stack_frames(frames: Sequence[NDArray[np.uint8]], batch: int) -> list[Batch]:
    """Batches that begin with different frames: as few as show all of them, at least two.

    Args:
        frames: at least two, each (H, W, 3) uint8 RGB at the network's input size.
        batch: images per batch; where there are fewer frames they are repeated in it.

    Returns:
        Arrays (batch, H, W, 3) uint8.
    """
    starts = range(0, len(frames), batch) if batch < len(frames) else range(2)
    return [np.stack([frames[(start + n) % len(frames)] for n in range(batch)]) for start in starts]


def fresh(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches in turns, without end, every image moved on by a pixel each time.

    A runner that remembers answers by its input, whole or image by image, finds none: pixels
    move along the rows, what leaves at the end comes in at the start, and the distance is another
    one for each turn and each place in the batch. No image comes twice among the first H x W
    times len(batches). The arrays are new ones, so make the next while the clock stands still.

    Args:
        batches: at least two that differ, each (B, H, W, 3) uint8; no image of a single
            colour, and none twice at one place of a batch.

    Returns:
        Arrays (B, H, W, 3) uint8, contiguous.

    Raises:
        UsageError: the batches are all the same, or an image is of a single colour; at once,
            not with the first batch.
    """
    check_inputs(batches)
    return _moving(batches)


def check_inputs(batches: Sequence[Batch]) -> None:
    """Refuse what a cache or a shortcut for constants could answer faster.

    Raises:
        UsageError: the batches are all the same, or an image in one is of a single colour.
    """
    alike = all(np.array_equal(batches[0], other) for other in batches[1:])
    if alike or any((image == image[0, 0]).all() for batch in batches for image in batch):
        raise UsageError("timing needs at least two different images, none of a single colour")


def _moving(batches: Sequence[Batch]) -> Iterator[Batch]:
    for turn in itertools.count():
        for batch in batches:
            first = turn * len(batch)
            yield np.stack([_moved(image, first + n) for n, image in enumerate(batch)])


def _moved(image: NDArray[np.uint8], distance: int) -> NDArray[np.uint8]:
    """The image with its pixels moved on in the order of the rows."""
    pixels = image.reshape(-1, image.shape[-1])
    return np.roll(pixels, distance % len(pixels), axis=0).reshape(image.shape)
