"""Images with depth of any origin, named in a ``manifest.csv``."""

from __future__ import annotations

import csv
import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fastdepth.camera import check_focal
from fastdepth.data.nyu.files import DRAWN, INPAINTED, FilePairs, Pair, files_of, make_pairs
from fastdepth.data.nyu.text import lines_of, read_text
from fastdepth.errors import DataError, UsageError, quoted
from fastdepth.files import check_inside

SEPARATORS = ";\t|"
"""What other programs write where a comma should be."""

SPLITS = ("train", "test")

FOCAL = "focal"
"""Column that may be missing, and empty where it is not: focal length [px of the image]."""


FURNISHED = "furnished-"
"""Begins the names of scenes that fastdepth draws, whose depth no sensor measured."""


class Row(NamedTuple):
    """A row of a manifest; the fields are its columns, of which the last need not be there."""

    image: str
    depth: str
    split: str
    scene: str
    focal: str = ""


def read_manifest(path: Path, split: str, *, follow_outside: bool = False) -> FilePairs:
    """Pairs of a ``manifest.csv`` with the columns image, depth, split and scene, in any order.

    Depth of rows with a ``focal`` length [px of the image] is answered as the training camera would
    have seen it. Other columns are ignored, and lines above theirs that begin with ``#``. It is
    UTF-8, with a byte-order mark or without, separated by commas; names are relative to its folder.
    One that leads out of it is refused unless ``follow_outside``.

    Raises:
        DataError: the file is not so, a row lacks a cell or has another split than train and test,
            there are no pairs, or files are missing.
    """
    rows = [row for row in _read_rows(path) if row.split == split]
    pairs = make_pairs(Pair(row.image, row.depth, row.scene, float(row.focal or 0)) for row in rows)
    if not follow_outside:
        check_inside(path.parent, files_of(pairs), path, DataError)
    drawn = all(pair.scene.startswith(FURNISHED) for pair in pairs)
    return FilePairs(path.parent, pairs, split, DRAWN if drawn else INPAINTED, path)


def _read_rows(path: Path) -> Iterator[Row]:
    """All rows; DataError with the line where one is none."""
    above, lines = _from_columns_on(lines_of(read_text(path), path))
    table = csv.reader(lines, strict=True)
    try:
        header = next(table, [])
        order = _read_header(header, f"{path} line {above + 1}")
        for cells in table:
            where = f"{path} line {above + table.line_num}"
            if cells:
                _check_count(cells, len(header), where)
                row = _read_row({name: cells[place] for name, place in order.items()}, where)
                yield row._replace(
                    image=_with_slashes(row.image, path.parent),
                    depth=_with_slashes(row.depth, path.parent),
                )
    except csv.Error as fault:
        where = f"{path} line {above + table.line_num}"
        raise DataError(f"{where} is not CSV: {fault}; correct it") from None


def _from_columns_on(lines: Iterator[str]) -> tuple[int, Iterator[str]]:
    """How many comments and empty lines come first, and the lines after them."""
    for above, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            return above, itertools.chain([line], lines)
    return 0, iter(())


def _read_header(header: Sequence[str], where: str) -> dict[str, int]:
    """Where the columns of a :class:`Row` stand."""
    counts = Counter(header)
    for column in header:
        if separator := next((each for each in SEPARATORS if each in column), ""):
            raise DataError(f"{where} is separated by {separator!r}; separate by commas")
        if column.strip() in Row._fields and column not in Row._fields:
            raise DataError(f"{where} has spaces about {quoted(column)}; remove them")
        if column in Row._fields and counts[column] > 1:
            raise DataError(f"{where} has the column {quoted(column)} twice; remove one")
    lacking = sorted({*Row._fields}.difference(header, [FOCAL]))
    if lacking:
        raise DataError(f"{where} lacks columns: {', '.join(lacking)}; add them")
    return {column: header.index(column) for column in Row._fields if column in counts}


def _check_count(cells: Sequence[str], columns: int, where: str) -> None:
    """Raise DataError where a row has a cell too few or too many."""
    if len(cells) < columns:
        raise DataError(f"{where} has {len(cells)} of {columns} cells; add what is missing")
    if len(cells) > columns:
        raise DataError(f"{where} has {len(cells)} cells for {columns} columns; quote commas")


def _read_row(cells: Mapping[str, str], where: str) -> Row:
    """A row of which no cell is empty, but perhaps the focal length's."""
    row = Row(**cells)
    for column, cell in cells.items():
        if not cell.strip() and column != FOCAL:
            raise DataError(f"{where} has no {column}; fill it in or remove the line")
    if row.split not in SPLITS:
        raise DataError(f"{where} has the split {quoted(row.split)}; write train or test")
    if not row.focal.strip():
        return row._replace(focal="")
    try:
        check_focal(float(row.focal))
    except (ValueError, UsageError):
        fault = f"{where} has the focal length {quoted(row.focal)}"
        raise DataError(f"{fault}; write pixels, or nothing for the training camera's") from None
    return row


def _with_slashes(name: str, folder: Path) -> str:
    """A name as Windows writes it, as it is here; what is a file here stays."""
    if "\\" not in name or os.path.lexists(folder / name):
        return name
    return name.replace("\\", "/")
