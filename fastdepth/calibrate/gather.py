"""What a network answers where the distance is known, from images with depth or with points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fastdepth.calibrate.fit import FEWEST, Observations, Values
from fastdepth.calibrate.network import Network
from fastdepth.calibrate.points import Place
from fastdepth.data.sample import Sample
from fastdepth.errors import DataError
from fastdepth.metrics import DEFAULT_PROTOCOL, get_protocol

MOST = 2048
"""Points of an image that count, evenly spread among those that there are."""


@dataclass
class Gathered:
    """Answers and known distances so far, and what is told of them.

    Attributes:
        names: of the images, in their order.
        scenes: one an image; empty where images have none.
        image: the first one (H, W, 3) uint8 RGB.
    """

    network: Network
    focal: float | None = None
    names: list[str] = field(default_factory=list)
    scenes: list[str] = field(default_factory=list)
    image: NDArray[np.uint8] | None = None
    _found: list[tuple[Values, ...]] = field(default_factory=list)

    def add_sample(self, sample: Sample) -> None:
        """Take the pixels of a sample that count under the usual protocol."""
        valid = get_protocol(DEFAULT_PROTOCOL).valid(sample.depth)
        rows, columns = np.nonzero(valid)
        metres, sides = sample.depth[rows, columns], np.array(sample.depth.shape)
        height, width = sample.image.shape[:2] / sides
        rows, columns = (rows + 0.5) * height, (columns + 0.5) * width
        self._add(sample.image, sample.name, rows.astype(int), columns.astype(int), metres)
        self.scenes.append(sample.scene)

    def add_places(self, image: NDArray[np.uint8], name: str, places: Iterable[Place]) -> None:
        """Take the known distances of an image.

        Raises:
            DataError: one is outside of the image.
        """
        height, width = image.shape[:2]
        chosen = list(places)
        for row, column, _ in chosen:
            if row >= height or column >= width:
                raise DataError(
                    f"row {row}, column {column} is outside of {name}, which has {height} rows and "
                    f"{width} columns; count from 0"
                )
        rows, columns, metres = np.array(chosen).T
        self._add(image, name, rows.astype(int), columns.astype(int), metres)

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
        some = np.linspace(0, count - 1, min(count, MOST)).round().astype(int)
        at = rows[some], columns[some]
        current = self.network.current
        now = answer if current is None else current.apply(answer)
        places = np.stack([*at, metres[some]]).astype(np.float64)
        number = np.full(len(some), len(self.names), np.float64)
        truth = metres[some].astype(np.float64) / factor
        found = answer[at].astype(np.float64), truth, now[at].astype(np.float64)
        self._found.append((*found, number, *places))
        self.names.append(name)

    def observations(self, *, fixed: bool) -> Observations:
        """All of them.

        Args:
            fixed: the camera does not move, so that a place is one in however many images; points
                of which most stand in several images are taken so as well.
        """
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
        distinct, where = np.unique(np.stack(place), axis=1, return_inverse=True)
        if fixed or 2 * distinct.shape[1] <= len(answer):
            where = where.reshape(-1)
            return replace(seen, unit=where, group=where, what="places")
        return seen
