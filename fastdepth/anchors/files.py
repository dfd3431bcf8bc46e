"""Files of distance points: rows of numbers, or a map of depth in millimetres."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.points import DistancePoints
from fastdepth.errors import DataError, FastDepthError, UsageError
from fastdepth.files import read_bytes
from fastdepth.images.io import decode
from fastdepth.size import Size

TABLE, PICTURE = ".csv", ".png"

MOST = 2**27
"""Bytes of a table at most: of more points than any image has."""

FORM = "give a line ROW,COLUMN,METRES or ROW,COLUMN,METRES,STD for each point"

_COLUMNS_FIRST = ("x", "u", "c")
"""What names of a first column begin with where it is no row."""


def read_points(path: str | Path, size: Size) -> DistancePoints:
    """Points of a file.

    Args:
        path: .csv: a point a line, row [px], column [px], depth [m] and, if known, its standard
            deviation [m], separated by commas, semicolons or tabs, below a line of names or not;
            .png: 16 bits a pixel, grey, of any size, depth [mm], 0 for nothing.
        size: of the image.

    Raises:
        DataError: the file cannot be read, or has a point that cannot be one of this image.
    """
    try:
        if Path(path).suffix.lower() == PICTURE:
            return DistancePoints.from_picture(_read_picture(path), size)
        return DistancePoints.of(_read_table(path), size)
    except DataError:
        raise
    except FastDepthError as error:
        raise DataError(f"{path}: {error}") from None


def points_of(source: Path | None, stem: str, size: Size) -> DistancePoints | None:
    """Points of an image by the file that belongs to it; None where there is no source.

    Args:
        source: see :func:`find_points`.
        stem: name of the image.
        size: of the image.

    Raises:
        DataError: there is no file, or it cannot be read.
    """
    return None if source is None else read_points(find_points(source, stem), size)


def find_points(source: Path, stem: str) -> Path:
    """The file of points that belongs to an image.

    Args:
        source: a file, which belongs to all images; or a folder with one for each.
        stem: name of the image; that of an image NAME.png may be NAME or NAME.png in the folder.

    Raises:
        DataError: there is none.
    """
    if not os.path.isdir(source):  # noqa: PTH112 (no error, whatever the name)
        return source
    names = dict.fromkeys((stem, str(PurePath(stem).with_suffix(""))))
    for suffix in (TABLE, PICTURE):
        for name in names:
            if os.path.exists(path := source / f"{name}{suffix}"):  # noqa: PTH110
                return path
    raise DataError(f"no points in {source / stem}{TABLE} or {PICTURE}; an empty table means none")


def check_points(source: Path, output: Path) -> None:
    """Raise UsageError where points cannot be, or would be written over."""
    if not os.path.exists(source):  # noqa: PTH110
        raise UsageError(
            f"--points {source} does not exist; give a {TABLE} or {PICTURE}, or a folder"
        )
    if os.path.isdir(source) and os.path.realpath(source) == os.path.realpath(output):  # noqa: PTH112
        raise UsageError(f"--output {output} is the folder of points; give another")


def _read_picture(path: str | Path) -> NDArray[np.float64]:
    """Depth (h, w) [m]."""
    pixels = decode(path, cv2.IMREAD_UNCHANGED)
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise DataError(f"{path} is {pixels.dtype} {pixels.shape}; give 16 bits of grey, in mm")
    return pixels * 1e-3


def _read_table(path: str | Path) -> NDArray[np.float64]:
    """(N, 3) or (N, 4) numbers."""
    text = read_bytes(path, DataError, MOST).decode("utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.replace(";", ",").replace("\t", ",").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and _is_header(lines[0]):
        if lines[0].lstrip('"').lower().startswith(_COLUMNS_FIRST):
            raise DataError(f"{path} has columns first ({lines[0][:40]!r}); {FORM}")
        lines = lines[1:]
    if not lines:
        return np.empty((0, 3))
    try:
        with warnings.catch_warnings(action="ignore"):
            return np.loadtxt(io.StringIO("\n".join(lines)), delimiter=",", ndmin=2)
    except (ValueError, MemoryError):
        raise DataError(f"{path} is no table of numbers; {FORM}") from None


def _is_header(line: str) -> bool:
    """Whether a line names the columns of points: three or four, and none is a number."""
    cells = line.split(",")
    return len(cells) in (3, 4) and not any(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
