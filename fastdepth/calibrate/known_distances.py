"""Known distances: from a CSV file of many images, or for every image of a fixed camera."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fastdepth.data.nyu.text import lines_of, read_text
from fastdepth.errors import DataError, FastDepthError, UsageError, quoted
from fastdepth.files import check_inside

HEADER = ("image", "row", "column", "metres")
"""Columns of the CSV file; the line itself may be left out."""

FARTHEST = 1000.0
"""Greatest distance that can be given [m]."""

AGREE = 1.1
"""Two distances of one place that are farther apart than this ratio contradict each other."""


class Place(NamedTuple):
    """A pixel, and how far what it shows is along the optical axis.

    Attributes:
        row: from the top, 0 first [px].
        column: from the left, 0 first [px].
        metres: depth [m].
    """

    row: int
    column: int
    metres: float


def parse_place(words: Sequence[str], where: str, error: type[FastDepthError]) -> Place:
    """A place of its three words.

    Raises:
        FastDepthError: ``error``; they are no place in an image, or no distance.
    """
    try:
        row, column = int(words[0]), int(words[1])
        metres = float(words[2])
    except ValueError:
        said = quoted(",".join(words))
        raise error(
            f"{where}: {said} is not ROW,COLUMN,METRES; write whole pixels and a number"
        ) from None
    if min(row, column) < 0:
        raise error(f"{where}: row {row} and column {column} must be 0 or more; count from 0")
    if not 0 < metres <= FARTHEST:
        raise error(f"{where}: {metres:g} m must be above 0 and at most {FARTHEST:g}; use metres")
    return Place(row, column, metres)


def parse_known_distances(texts: Iterable[str]) -> list[Place]:
    """Places of the option ``--known-distance``.

    Raises:
        UsageError: a text is no ROW,COLUMN,METRES, or two contradict each other.
    """
    option, places = "--known-distance", []
    for text in texts:
        words = text.split(",")
        if len(words) != 3:
            raise UsageError(f"{option} {quoted(text)} is not ROW,COLUMN,METRES; as 120,300,2.5")
        places.append(parse_place(words, option, UsageError))
    check_agreement(places, option, UsageError)
    return places


def check_agreement(places: Iterable[Place], where: str, error: type[FastDepthError]) -> None:
    """Raise ``error`` where one pixel has two distances."""
    known: dict[tuple[int, int], float] = {}
    for row, column, metres in places:
        other = known.setdefault((row, column), metres)
        if max(metres / other, other / metres) > AGREE:
            raise error(
                f"{where}: row {row}, column {column} is {other:g} m and {metres:g} m; "
                "these contradict each other, remove the wrong one"
            )


def read_known_distances(path: Path, *, follow_outside: bool = False) -> dict[Path, list[Place]]:
    """Known distances of a CSV file by image, in its order, each pixel once.

    Args:
        path: UTF-8 lines ``image,row,column,metres``; images are relative to the file's folder.
        follow_outside: take images outside of that folder, too.

    Raises:
        DataError: the file cannot be read, a line is wrong, or two contradict each other.
    """
    found: dict[str, list[Place]] = {}
    for where, cells in _rows(path):
        if len(cells) != len(HEADER):
            raise DataError(f"{where} has {len(cells)} cells, not {','.join(HEADER)}; correct it")
        name = cells[0].strip()
        if not name or "\0" in name:
            raise DataError(f"{where} names no image; fill it in or remove the line")
        same = os.path.normpath(name)  # ./a.jpg is a.jpg
        found.setdefault(same, []).append(parse_place(cells[1:], where, DataError))
    if not found:
        raise DataError(f"{path} has no points; write lines of {','.join(HEADER)}")
    if not follow_outside:
        check_inside(path.parent, found, path, DataError)
    for name, places in found.items():
        check_agreement(places, f"{path}: {quoted(name)}", DataError)
    return {path.parent / name: _once(places) for name, places in found.items()}


def _once(places: Iterable[Place]) -> list[Place]:
    """The places without those of pixels that are there already."""
    first: dict[tuple[int, int], Place] = {}
    for place in places:
        first.setdefault((place.row, place.column), place)
    return list(first.values())


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Where each line stands, and its cells; without the header and empty lines."""
    table = csv.reader(lines_of(read_text(path), path), strict=True)
    try:
        for cells in table:
            stripped = tuple(cell.strip().lower() for cell in cells)
            header = stripped == HEADER and table.line_num == 1
            if any(stripped) and not header:
                yield f"{path} line {table.line_num}", cells
    except csv.Error as fault:
        raise DataError(f"{path} line {table.line_num} is not CSV: {fault}; correct it") from None
