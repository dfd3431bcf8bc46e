"""Procedural surface textures: colour as a function of the position on a surface in metres.

A texture takes surface coordinates `u`, `v` [m] measured from the centre of a face, and the
face's half extents, so that patterns have their real size (a floor board is 12 cm wide on every
floor) and need no image files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
"""Single precision everywhere; type checkers cannot follow it through mixed expressions."""

Colour = tuple[float, float, float]

NOISE_SIZE = 512  # [texels], a power of two so that wrapping is a bit mask
NOISE_TEXEL = 0.004  # [m], about one pixel of a 640-wide image at 2 m


@dataclass(frozen=True)
class Material:
    """What a surface is made of.

    `texture` names one of `TEXTURES`; `colour` and `color2` are sRGB in [0, 1] and are mixed by
    it; `scale` enlarges its pattern; `shift` [m] moves it, so that no two objects look the same;
    `emission` > 0 makes the surface shine by itself (lamp shades, window panes, screens).
    """

    texture: str
    colour: Colour
    color2: Colour = (0.0, 0.0, 0.0)
    scale: float = 1.0
    shift: float = 0.0
    emission: float = 0.0


@dataclass(frozen=True)
class Face:
    """Points (N,) float32 on flat faces: `u`, `v` [m] from the face's centre, and the half
    extents [m] of the face which each point is on."""

    u: Array
    v: Array
    half_u: Array
    half_v: Array

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Face":
        """The chosen points only."""
        return Face(self.u[chosen], self.v[chosen], self.half_u[chosen], self.half_v[chosen])


def surface_colour(material: Material, face: Face) -> Array:
    """Linear-light reflectance (N, 3) float32 in [0, 1] of `material` at the points of `face`."""
    rgb = TEXTURES[material.texture](material, face)
    linear: Array = np.clip(rgb, 0.0, 1.0).astype(np.float32) ** np.float32(2.2)
    return linear


@cache
def _fractal_noise() -> Array:
    """Tileable 1/f noise (NOISE_SIZE, NOISE_SIZE) with mean 0 and standard deviation 1."""
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((NOISE_SIZE, NOISE_SIZE)))
    fy = np.fft.fftfreq(NOISE_SIZE)[:, None]
    fx = np.fft.rfftfreq(NOISE_SIZE)[None]
    noise = np.fft.irfft2(white / np.maximum(np.hypot(fx, fy), 4 / NOISE_SIZE))
    return np.asarray(noise / noise.std(), np.float32)


@cache
def _white_noise() -> Array:
    return np.random.default_rng(1).random(1024, dtype=np.float32)


def _noise(u: Array, v: Array, shift: float) -> Array:
    """1/f noise at metric coordinates."""
    columns = ((u + shift) / NOISE_TEXEL).astype(np.int32) & (NOISE_SIZE - 1)
    rows = ((v + 3 * shift) / NOISE_TEXEL).astype(np.int32) & (NOISE_SIZE - 1)
    noise: Array = _fractal_noise()[rows, columns]
    return noise


def _hash(i: Array, j: Array, shift: float) -> Array:
    """A random number in [0, 1) for every cell (i, j)."""
    code = i.astype(np.int32) * 73 + j.astype(np.int32) * 179 + int(shift * 997)
    number: Array = _white_noise()[code & 1023]
    return number


def _mix(material: Material, amount: Array) -> Array:
    """From `colour` where `amount` is 0 to `color2` where it is 1, (N, 3)."""
    start = np.asarray(material.colour, np.float32)
    step = np.asarray(material.color2, np.float32) - start
    return start + amount[:, None] * step


def _shade(material: Material, brightness: Array) -> Array:
    """`colour` times `brightness`, (N, 3)."""
    return np.asarray(material.colour, np.float32) * brightness[:, None]


def _near_edge(face: Face, width: float | Array) -> NDArray[np.bool_]:
    """True within `width` [m] of the border of the face."""
    gap_u = face.half_u - np.abs(face.u)
    gap_v = face.half_v - np.abs(face.v)
    return np.minimum(gap_u, gap_v) < width


def _plain(material: Material, face: Face) -> Array:
    return _shade(material, 1 + 0.012 * _noise(face.u, face.v, material.shift))


def _carpet(material: Material, face: Face) -> Array:
    fine = _hash(face.u * 250, face.v * 250, material.shift) - 0.5
    coarse = _noise(face.u * 2, face.v * 2, material.shift)
    return _shade(material, 1 + 0.16 * fine + 0.07 * coarse)


def _fabric(material: Material, face: Face) -> Array:
    folds = _noise(face.u * 0.7, face.v * 0.7, material.shift)
    weave = _hash(face.u * 300, face.v * 300, material.shift) - 0.5
    return _shade(material, 1 + 0.08 * folds + 0.1 * weave)


def _wood(material: Material, face: Face) -> Array:
    # The grain runs along the longer side of the face.
    wide = face.half_u > face.half_v
    along, across = np.where(wide, face.u, face.v), np.where(wide, face.v, face.u)
    grain = _noise(along * 0.12, across * 1.6, material.shift)
    return _mix(material, 0.35 + 0.22 * grain)


def _panel(material: Material, face: Face) -> Array:
    """A cabinet door or drawer front: wood or paint with a dark gap around it and a bevel."""
    rgb = _wood(material, face)
    rgb[_near_edge(face, 0.055) & ~_near_edge(face, 0.045)] *= 0.78
    rgb[_near_edge(face, 0.005)] *= 0.5
    return rgb


def _planks(material: Material, face: Face) -> Array:
    row = np.floor(face.v / (0.12 * material.scale))
    along = face.u + 1.3 * _hash(row, row, material.shift)
    shade = _hash(np.floor(along / 1.1), row, material.shift)
    grain = _noise(along * 0.15, face.v * 1.5 + shade, material.shift)
    rgb = _mix(material, 0.1 + 0.5 * shade + 0.15 * grain)
    rgb[face.v / (0.12 * material.scale) - row < 0.035] *= 0.6
    return rgb


def _tiles(material: Material, face: Face) -> Array:
    x, y = face.u / (0.33 * material.scale), face.v / (0.33 * material.scale)
    column, row = np.floor(x), np.floor(y)
    marbled = 0.03 * _noise(face.u, face.v, material.shift)
    rgb = _shade(material, 0.95 + 0.1 * _hash(column, row, material.shift) + marbled)
    grout = np.minimum(x - column, y - row) < 0.025
    rgb[grout] = np.asarray(material.color2, np.float32)
    return rgb


def _bricks(material: Material, face: Face) -> Array:
    y = face.v / (0.075 * material.scale)
    row = np.floor(y)
    x = face.u / (0.23 * material.scale) + 0.5 * (row % 2)
    column = np.floor(x)
    rough = 0.05 * _noise(face.u * 2, face.v * 2, material.shift)
    rgb = _shade(material, 0.85 + 0.3 * _hash(column, row, material.shift) + rough)
    rgb[(y - row < 0.14) | (x - column < 0.05)] = np.asarray(material.color2, np.float32)
    return rgb


def _stripes(material: Material, face: Face) -> Array:
    phase = face.u / (0.16 * material.scale) + material.shift
    band = (phase % 1 < 0.5).astype(np.float32)
    return _mix(material, band) * (1 + 0.03 * _noise(face.u, face.v, material.shift))[:, None]


def _plaid(material: Material, face: Face) -> Array:
    size = 0.18 * material.scale
    across = ((face.u + material.shift) / size % 1 < 0.4).astype(np.float32)
    down = ((face.v + material.shift) / size % 1 < 0.4).astype(np.float32)
    return _mix(material, 0.5 * (across + down)) * (
        1 + 0.05 * _noise(face.u, face.v, material.shift)[:, None]
    )


def _pattern(material: Material, face: Face) -> Array:
    """Blotches in two colours, like leaves printed on a cloth or a woven rug."""
    noise = _noise(face.u * 2 / material.scale, face.v * 2 / material.scale, material.shift)
    return _mix(material, (noise > 0.3).astype(np.float32))


def _rug(material: Material, face: Face) -> Array:
    rgb = _pattern(material, face)
    border = _near_edge(face, 0.16) & ~_near_edge(face, 0.07)
    rgb[border] = np.asarray(material.color2, np.float32)
    return rgb * (0.93 + 0.14 * _hash(face.u * 200, face.v * 200, material.shift))[:, None]


def _spines(material: Material, face: Face) -> Array:
    """A row of books seen from the front: random colours, a title band on each spine."""
    book = np.floor((face.u + 0.012 * np.sin(face.u * 31 + material.shift)) / 0.034)
    red, green, blue = (_hash(book, book + k, material.shift) for k in range(3))
    hue = np.stack([red, green, blue], axis=1)
    grey = hue.mean(axis=1, keepdims=True)
    rgb: Array = np.array([0.1, 0.08, 0.07], np.float32) + 0.75 * (grey**1.5 + 0.4 * (hue - grey))
    band = np.abs(face.v / face.half_v - 0.4) < 0.12
    rgb[band & (green > 0.4)] *= 1.5
    rgb[(face.u / 0.034) % 1 < 0.06] *= 0.5
    return rgb


def _image(material: Material, face: Face) -> Array:
    """A painting with a white mat: a sky, hills and blotches in the material's two colours."""
    height = face.v / face.half_v + 0.5 * _noise(face.u * 0.4, 0 * face.u, material.shift)
    sky = 1 / (1 + np.exp(-6 * height))
    rgb = _mix(material, sky) * (1 + 0.2 * _noise(face.u * 2, face.v * 2, material.shift))[:, None]
    rgb[_near_edge(face, 0.18 * np.minimum(face.half_u, face.half_v))] = 0.9
    return rgb


def _outdoors(material: Material, face: Face) -> Array:
    """What is seen through a window pane, over-exposed: sky above, blurred greenery below."""
    height = face.v / face.half_v + 0.3 * _noise(face.u * 0.6, face.v * 0.6, material.shift)
    return _mix(material, 1 / (1 + np.exp(8 * (height + 0.3))))


def _blinds(material: Material, face: Face) -> Array:
    slat = (face.v / 0.05) % 1
    return _shade(material, np.where(slat < 0.18, 0.6, 0.85 + 0.15 * slat).astype(np.float32))


Texture = Callable[[Material, Face], Array]
TEXTURES: dict[str, Texture] = {
    "plain": _plain,
    "carpet": _carpet,
    "fabric": _fabric,
    "wood": _wood,
    "panel": _panel,
    "planks": _planks,
    "tiles": _tiles,
    "bricks": _bricks,
    "stripes": _stripes,
    "plaid": _plaid,
    "pattern": _pattern,
    "rug": _rug,
    "spines": _spines,
    "image": _image,
    "outdoors": _outdoors,
    "blinds": _blinds,
}
