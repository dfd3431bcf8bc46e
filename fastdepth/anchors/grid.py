"""Nodes spread over an image, between which maps are interpolated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.size import Size

NODES = 1728
"""Nodes of an image, 48x36; d1 is the same with 80x60, within .0003."""

SAMPLES = 3
"""Pixels from node to node, along a side, that means are of at least where there are so many."""

BENDS = 12
"""Steps by which the interpolation is brought through given values."""

OVERSHOOT = 1.5
"""How far a node may go beyond all values: one point between nodes asks for up to 1.46 times its
difference, points that contradict each other within a node's reach for any number, below 0 too."""

Floats = NDArray[np.float64]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Nodes spread evenly over an image.

    Attributes:
        image: its size.
        nodes: how many there are along its sides.
    """

    image: Size
    nodes: Size

    @classmethod
    def over(cls, image: Size) -> Grid:
        """About ``NODES`` of them, in the shape of the image; each pixel of a small image."""
        step = max(1.0, math.sqrt(image.height * image.width / NODES))
        return cls(image, Size(*(max(1, round(side / step)) for side in image)))

    def places(self) -> NDArray[np.float32]:
        """(M, 2) row and column of each node [longer sides of the image]."""
        along = [
            ((np.arange(count) + 0.5) * (side / count) - 0.5) / max(self.image)
            for side, count in zip(self.image, self.nodes, strict=True)
        ]
        grid = np.meshgrid(*along, indexing="ij")
        return np.stack(grid, axis=-1).reshape(-1, 2).astype(np.float32)

    def mean(self, values: Map) -> NDArray[np.float32]:
        """(M,) means of a map (H, W) around the nodes."""
        small = cv2.resize(self._thinned(values), self.nodes[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32).reshape(-1)

    def colours(self, image: NDArray[np.uint8] | None) -> NDArray[np.float32]:
        """(M, 3) mean CIE L*a*b* around the nodes, L* 0 to 1; zeros where there is no image."""
        if image is None:
            return np.zeros((self.nodes.height * self.nodes.width, 3), np.float32)
        small = cv2.resize(self._thinned(image), self.nodes[::-1], interpolation=cv2.INTER_AREA)
        shares = np.multiply(small, np.float32(1 / 255), dtype=np.float32)
        lab = np.asarray(cv2.cvtColor(shares, cv2.COLOR_RGB2LAB), np.float32)
        return lab.reshape(-1, 3) / np.float32(100)

    def _thinned(self, values: NDArray[Any]) -> NDArray[Any]:
        """A map or image with fewer pixels, which is quicker to average."""
        step = max(1, self.image.height // self.nodes.height // SAMPLES)
        return np.ascontiguousarray(values[::step, ::step])

    def spread(self, values: NDArray[np.float32]) -> Map:
        """(H, W) of values (M,) at the nodes, bilinear."""
        grid = values.reshape(self.nodes)
        large = cv2.resize(grid, self.image[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)

    def nearest(self, place: Floats) -> NDArray[np.intp]:
        """(N,) number of the node next to each place (N, 2) [longer sides of the image]."""
        row, column = (np.rint(self._along(place, axis)).astype(np.intp) for axis in (0, 1))
        number: NDArray[np.intp] = row * self.nodes.width + column
        return number

    def bend(
        self, values: NDArray[np.float32], place: Floats, wanted: Floats
    ) -> NDArray[np.float32]:
        """Values (M,) changed least so that bilinear interpolation gives what is wanted.

        More than four places between the same nodes are met on the whole.

        Args:
            values: at the nodes, above 0.
            place: (N, 2) row and column [longer sides of the image].
            wanted: (N,) there, above 0.
        """
        index, share = self._corners(place)
        flat, many = index.reshape(-1), len(values)

        def put(amounts: Floats) -> Floats:
            amount = (share * amounts[:, None]).reshape(-1)
            return np.bincount(flat, amount, many).astype(np.float64)

        # conjugate gradients of W W^T x = missing, whose least change is W^T x
        left = wanted - (values[index] * share).sum(axis=1)
        change, along, size = np.zeros(many), left, left @ left
        for _ in range(BENDS):
            if size < 1e-12:
                break
            step = put(along)
            length = size / max(step @ step, 1e-300)
            change += length * step
            left = left - length * (step[index] * share).sum(axis=1)
            size, before = left @ left, size
            along = left + size / before * along
        least = min(values.min(), wanted.min(initial=np.inf)) / OVERSHOOT
        most = max(values.max(), wanted.max(initial=0)) * OVERSHOOT
        return np.asarray(np.clip(values + change, least, most), np.float32)

    def _corners(self, place: Floats) -> tuple[NDArray[np.intp], Floats]:
        """(N, 4) numbers of the nodes around places (N, 2), and their shares in interpolation."""
        indices, shares = [], []
        for axis, count in enumerate(self.nodes):
            at = self._along(place, axis)
            low = np.minimum(at.astype(np.intp), max(count - 2, 0))
            part = at - low
            indices.append(np.stack([low, np.minimum(low + 1, count - 1)], axis=1))
            shares.append(np.stack([1 - part, part], axis=1))
        index = indices[0][:, :, None] * self.nodes.width + indices[1][:, None, :]
        share = shares[0][:, :, None] * shares[1][:, None, :]
        return index.reshape(-1, 4), share.reshape(-1, 4)

    def _along(self, place: Floats, axis: int) -> Floats:
        """Places (N, 2) in nodes along an axis, none beyond the outermost."""
        count, side = self.nodes[axis], self.image[axis]
        at = (place[:, axis] * max(self.image) + 0.5) * (count / side) - 0.5
        return np.clip(at, 0, count - 1)
