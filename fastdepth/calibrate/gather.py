"""What a network answers where the distance is known, from images with depth or with points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fastdepth.calibrate.fit import FEWEST, Observations, Values
from fastdepth.calibrate.known_distances import Place
from fastdepth.calibrate.network import Network
from fastdepth.data.source import Source
from fastdepth.errors import DataError, ImageError
from fastdepth.images.collection import ImageFile
from fastdepth.images.io import MAX_PIXELS
from fastdepth.metrics import DEFAULT_PROTOCOL, get_protocol
from fastdepth.size import Size

MOST = 2048
"""Points of an image that count, evenly spread among those that there are ..."""

MOST_OF_ALL = 2**18
"""... and of all images together, where there are many, which tell more than many points do."""


def most_of_each(images: int) -> int:
    """Points that count of each of so many images."""
    return max(16, min(MOST, MOST_OF_ALL // images))


@dataclass
class Gathered:
    """Answers and known distances so far, and what is told of them.

    Attributes:
        network: what is asked.
        focal: focal length [px], for images whose depth is scaled by it.
        fixed: the camera does not move, so that a place is one in however many images; points of
            which most stand in several images are taken so as well.
        most: points of an image that count.
        names: of the images, in their order.
        scenes: one an image; empty where images have none.
        image: the first one (H, W, 3) uint8 RGB.
    """

    network: Network
    focal: float | None = None
    fixed: bool = False
    most: int = MOST
    names: list[str] = field(default_factory=list)
    scenes: list[str] = field(default_factory=list)
    image: NDArray[np.uint8] | None = None
    _found: list[tuple[Values, ...]] = field(default_factory=list)

    def add_sample(self, source: Source, index: int) -> None:
        """Take the pixels of a sample that count under the usual protocol.

        Raises:
            ImageError, DataError: it cannot be read, or has no such pixel.
        """
        sample = source[index]
        valid = get_protocol(DEFAULT_PROTOCOL).valid(sample.depth)
        rows, columns = np.nonzero(valid)
        if not len(rows):
            raise DataError(f"{sample.name} has no depth where it would count; leave it out")
        metres, sides = sample.depth[rows, columns], np.array(sample.depth.shape)
        height, width = sample.image.shape[:2] / sides
        rows, columns = (rows + 0.5) * height, (columns + 0.5) * width
        self._add(sample.image, sample.name, rows.astype(int), columns.astype(int), metres)
        self.scenes.append(sample.scene)

    def add_places(
        self, file: ImageFile, places: Sequence[Place], max_pixels: int = MAX_PIXELS
    ) -> None:
        """Take the known distances of an image, one at least.

        Raises:
            ImageError: it cannot be read, or is of another size than the others of a fixed camera.
            DataError: a distance is outside of it.
        """
        image = file.read(max_pixels)
        size = Size(*image.shape[:2])
        if self.fixed and self.image is not None and self.image.shape != image.shape:
            raise ImageError(
                f"{file} is {size} px, {self.names[0]} is {Size(*self.image.shape[:2])}; images of "
                "a camera that does not move are of one size, leave the others out"
            )
        for row, column, _ in places:
            if row >= size.height or column >= size.width:
                raise DataError(
                    f"row {row}, column {column} is outside of {file}, which has {size.height} "
                    f"rows and {size.width} columns; count from 0"
                )
        rows, columns, metres = np.array(places).T
        self._add(image, str(file), rows.astype(int), columns.astype(int), metres)

    def _add(
        self,
        image: NDArray[np.uint8],
        name: str,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        metres: NDArray[np.floating],
    ) -> None:
        """Ask the network about an image, and keep what it answers at these pixels."""
        answer, factor = self.network.answer(image, self.focal)
        self.image = image if self.image is None else self.image
        count = len(rows)
        some = np.linspace(0, count - 1, min(count, self.most)).round().astype(int)
        at = rows[some], columns[some]
        current = self.network.current
        now = answer if current is None else current.apply(answer)
        places = np.stack([*at, metres[some]]).astype(np.float64)
        number = np.full(len(some), len(self.names), np.float64)
        truth = metres[some].astype(np.float64) / factor
        found = answer[at].astype(np.float64), truth, now[at].astype(np.float64)
        self._found.append((*found, number, *places))
        self.names.append(name)

    def observations(self) -> Observations:
        """All of them."""
        answer, truth, current, image, *place = map(np.concatenate, zip(*self._found, strict=True))
        metric = self.network.kind == "metres" or self.network.current is not None
        unit = image.astype(np.int64)
        seen = Observations(answer, truth, unit, unit, unit, current if metric else None)
        if self.scenes:
            scenes = dict.fromkeys(self.scenes)
            if len(scenes) < 2 * FEWEST:
                return seen
            number = {scene: number for number, scene in enumerate(scenes)}
            group = np.array([number[scene] for scene in self.scenes])[unit]
            return replace(seen, group=group, what="scenes")
        pixels = place[:2] if self.fixed else place
        distinct, where = np.unique(np.stack(pixels), axis=1, return_inverse=True)
        if self.fixed or 2 * distinct.shape[1] <= len(answer):
            where = where.reshape(-1)
            return replace(seen, unit=where, group=where, what="places")
        return seen
