"""Furniture as triangles in metres, converted once and kept in the cache."""

from __future__ import annotations

import json
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.data.furnished.catalogue import Furniture
from fastdepth.data.furnished.wavefront import Array, Look, Soup, parse_model
from fastdepth.errors import DataError
from fastdepth.files import cache_folder, replacing

Index = NDArray[np.int64]

CACHED = "furniture-1"
"""Folder of the cache; a new number where the conversion changes."""

TEXTURE_SIDE = 256
"""Longest side of a texture [px]; in an image 320 wide nobody sees more."""

MOST_MEETING = 300
"""Triangles about one point; where more meet, each keeps its own normal."""

CREASE = np.cos(np.radians(40.0))
"""Edges sharper than this stay edges; across others the shading is smooth."""


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles of one material.

    Attributes:
        corners: (N, 3, 3) float32 [m]; the piece stands on y = 0 around the y axis, its front to
            +z.
        normals: (N, 3, 3) float32, of length 1, smooth where the surface is.
        uv: (N, 3, 2) float32.
        look: the material.
    """

    corners: Array
    normals: Array
    uv: Array
    look: Look


class Models:
    """The models and textures of a folder of libraries.

    Attributes:
        folder: has the libraries.
    """

    def __init__(self, folder: Path) -> None:
        """Open nothing yet."""
        self.folder = folder
        self._archives: dict[str, zipfile.ZipFile] = {}

    def load(self, furniture: Furniture) -> list[Part]:
        """The parts of a piece of furniture in its size, from the cache where they are there.

        Raises:
            DataError: the model cannot be read.
        """
        crc = self._archive(furniture.library).getinfo(furniture.model).CRC
        stamp = zlib.crc32(f"{furniture}{crc}".encode())
        name = f"{furniture.library}-{furniture.number}-{stamp:08x}.npz"
        path = cache_folder() / CACHED / name
        if not path.is_file():
            soup = self._convert(furniture)
            corners = to_size(soup.corners, furniture)
            _store(path, replace(soup, corners=corners), smooth_normals(corners))
        return list(_restore(path))

    def _convert(self, furniture: Furniture) -> Soup:
        """Parse the OBJ file."""
        folder = posixpath.dirname(furniture.model)
        try:
            read = partial(self._text, furniture.library)
            return parse_model(read(furniture.model), folder, read)
        except (ValueError, IndexError, KeyError) as error:
            raise DataError(f"{furniture.library}: {furniture.model}: {error}") from None

    def _text(self, library: str, name: str) -> str:
        """A text file of a library, "" where it has none."""
        archive = self._archive(library)
        return archive.read(name).decode("latin1") if name in archive.NameToInfo else ""

    def _archive(self, library: str) -> zipfile.ZipFile:
        if library not in self._archives:
            self._archives[library] = zipfile.ZipFile(self.folder / f"{library}.sh3f")
        return self._archives[library]

    @lru_cache(maxsize=300)  # noqa: B019 (one a process, as long as it)
    def texture(self, library: str, name: str) -> Array | None:
        """A texture (H, W, 3) float32, linear RGB in [0, 1]; None where there is none."""
        archive = self._archive(library)
        if name not in archive.NameToInfo:
            return None
        pixels = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            return None
        scale = TEXTURE_SIDE / max(pixels.shape[:2])
        if scale < 1:
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return to_linear(pixels[..., ::-1].astype(np.float32) / np.float32(255))


def to_linear(encoded: Array) -> Array:
    """SRGB in [0, 1] to linear light."""
    low = encoded / 12.92
    high = ((encoded + 0.055) / 1.055) ** 2.4
    linear: Array = np.where(encoded <= 0.04045, low, high).astype(np.float32)
    return linear


def to_size(corners: Array, furniture: Furniture) -> Array:
    """Turn a model upright and stretch it to its furniture's size, on y = 0 around the y axis."""
    if furniture.rotation:
        corners = corners @ np.array(furniture.rotation, np.float32).reshape(3, 3).T
    low, high = corners.min((0, 1)), corners.max((0, 1))
    size = np.array(furniture.size, np.float32)
    scaled = (corners - (low + high) / 2) / np.maximum(high - low, 1e-6) * size
    scaled[..., 1] += size[1] / 2
    metres: Array = scaled.astype(np.float32)
    return metres


def smooth_normals(corners: Array) -> Array:
    """Normals (N, 3, 3) of triangles: those of a smooth surface, but for sharp edges."""
    edges = corners[:, 1:] - corners[:, :1]
    areas = np.cross(edges[:, 0], edges[:, 1])
    flat = _unit(areas)
    first, second = _meeting(corners)
    close = (flat[first // 3] * flat[second // 3]).sum(-1) > CREASE
    first, second = first[close], second[close] // 3
    count = 3 * len(corners)
    sums = [np.bincount(first, areas[second, axis], count) for axis in range(3)]
    return _unit(np.stack(sums, axis=1)).reshape(-1, 3, 3)


def _meeting(corners: Array) -> tuple[Index, Index]:
    """All pairs of corners (M,), (M,) that are at one point, each with itself as well."""
    points = corners.reshape(-1, 3)
    grid = np.rint((points - points.min(0)) * 1e4).astype(np.int64)  # .1 mm; one number is quicker
    _, point, crowd = np.unique(
        (grid[:, 0] << 42) + (grid[:, 1] << 21) + grid[:, 2],
        return_inverse=True,
        return_counts=True,
    )
    order, starts = np.argsort(point, kind="stable"), np.cumsum(crowd) - crowd
    partners = np.where(crowd > MOST_MEETING, 0, crowd)[point]
    first = np.repeat(np.arange(len(points)), partners)
    turn = np.arange(len(first)) - np.repeat(np.cumsum(partners) - partners, partners)
    lonely = np.flatnonzero(partners == 0)
    second = order[starts[point[first]] + turn]
    return np.concatenate([first, lonely]), np.concatenate([second, lonely])


def _unit(vectors: NDArray[Any]) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Array = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return unit


def _store(path: Path, soup: Soup, normals: Array) -> None:
    looks = json.dumps([asdict(look) for look in soup.looks])
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            corners=soup.corners,
            normals=normals,
            uv=soup.uv,
            look=soup.look,
            looks=np.array(looks),
        )


def _restore(path: Path) -> Iterator[Part]:
    """The parts in a file of the cache."""
    with np.load(path) as stored:
        corners, normals, uv = (stored[name] for name in ("corners", "normals", "uv"))
        number, looks = stored["look"], json.loads(str(stored["looks"]))
    for index, entry in enumerate(looks):
        own = number == index
        if own.any():
            look = Look(**{**entry, "colour": tuple(entry["colour"])})
            yield Part(corners[own], normals[own], uv[own], look)
