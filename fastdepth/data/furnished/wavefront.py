"""Wavefront OBJ and MTL, as far as furniture needs them: triangles, textures, colours."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """A material of an MTL file.

    Attributes:
        colour: diffuse, sRGB in [0, 1].
        opacity: 1 hides what is behind.
        gloss: specular exponent, 0 for matte.
        texture: file of the diffuse texture; empty for none.
    """

    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    opacity: float = 1.0
    gloss: float = 0.0
    texture: str = ""


@dataclass
class Soup:
    """Triangles without order.

    Attributes:
        corners: (N, 3, 3) float32, in the file's unit.
        uv: (N, 3, 2) float32, 0 where the file has none.
        look: (N,) index into ``looks``.
        looks: the materials used.
    """

    corners: Array
    uv: Array
    look: NDArray[np.int32]
    looks: list[Look]


@dataclass
class _Lines:
    """What was read of a file so far."""

    points: list[list[float]] = field(default_factory=list)
    uvs: list[list[float]] = field(default_factory=list)
    triangles: list[tuple[tuple[int, int], ...]] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)
    current: int = 0


def parse_materials(text: str, folder: str = "") -> dict[str, Look]:
    """Materials by name; textures are files relative to where ``folder`` is."""
    looks: dict[str, Look] = {}
    name = None
    for words in map(str.split, text.splitlines()):
        if not words:
            continue
        if words[0] == "newmtl":
            name = " ".join(words[1:])
            looks[name] = Look()
        elif name is not None:
            looks[name] = _with(looks[name], words, folder)
    return looks


def _with(look: Look, words: list[str], folder: str) -> Look:
    """The material with what one line says of it."""
    key, values = words[0], words[1:]
    try:
        if key == "Kd":
            red, green, blue = (min(max(float(word), 0), 1) for word in values[:3])
            return replace(look, colour=(red, green, blue))
        if key == "d":
            return replace(look, opacity=float(values[-1]))
        if key == "Ns":
            return replace(look, gloss=float(values[0]))
    except (ValueError, IndexError):
        return look  # models by many hands: what cannot be read keeps its default
    if key == "map_Kd" and values:
        file = values[-1].replace("\\", "/")
        return replace(look, texture=posixpath.normpath(posixpath.join(folder, file)))
    return look


def parse_model(text: str, folder: str, read: Callable[[str], str]) -> Soup:
    """Read an OBJ file.

    Args:
        text: the file.
        folder: where it lies; its material libraries are looked for there.
        read: answers with the text of such a file, or with "" where it is missing.

    Raises:
        ValueError: it is no OBJ file, or one without faces.
    """
    lines = _Lines()
    for line in text.splitlines():
        _read_line(lines, line)
    if not lines.triangles:
        raise ValueError("a model without faces")
    known: dict[str, Look] = {}
    for library in lines.libraries:
        known |= parse_materials(read(posixpath.join(folder, library)), folder)
    looks = [known.get(name, Look()) for name in lines.names] or [Look()]
    index = np.array(lines.triangles, np.int64)
    points = np.array(lines.points, np.float32).reshape(-1, 3)
    uvs = np.array([*lines.uvs, [0.0, 0.0]], np.float32).reshape(-1, 2)  # -1 finds the last
    return Soup(
        points[index[..., 0]], uvs[index[..., 1]], np.array(lines.looks, np.int32), list(looks)
    )


def _read_line(lines: _Lines, line: str) -> None:
    """Take in one line of an OBJ file."""
    key, _, rest = line.partition(" ")
    if key == "v":
        lines.points.append([float(word) for word in rest.split()[:3]])
    elif key == "vt":
        lines.uvs.append([float(word) for word in rest.split()[:2]])
    elif key == "f":
        corners = [_corner(lines, word) for word in rest.split()]
        for triangle in _fan(corners):
            lines.triangles.append(triangle)
            lines.looks.append(lines.current)
    elif key == "usemtl":
        lines.current = lines.names.setdefault(rest.strip(), len(lines.names))
    elif key == "mtllib":
        lines.libraries.append(rest.strip())


def _corner(lines: _Lines, word: str) -> tuple[int, int]:
    """Indices of point and texture coordinate, -1 where the latter is missing."""
    point, _, others = word.partition("/")
    uv = others.partition("/")[0]
    return _absolute(int(point), len(lines.points)), (
        _absolute(int(uv), len(lines.uvs)) if uv else -1
    )


def _absolute(index: int, count: int) -> int:
    """From 1 on, or from the end where it is negative, to from 0 on."""
    return index - 1 if index > 0 else count + index


def _fan(corners: list[tuple[int, int]]) -> Iterable[tuple[tuple[int, int], ...]]:
    """Triangles of a convex polygon."""
    for second, third in pairwise(corners[1:]):
        yield corners[0], second, third
