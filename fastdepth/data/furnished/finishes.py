"""Surfaces drawn at random: paint, wallpaper, boards, tiles, cloth, paintings, what windows show.

Each is an image (SIDE, SIDE, 3) float32 of linear light in [0, 1] that repeats without limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from fastdepth.data.furnished.wavefront import Array

Rng = np.random.Generator

SIDE = 256

DARKEST, BRIGHTEST = 0.015, 0.88
"""Reflectances of real things."""


def tint(rng: Rng, low: float = 0.1, high: float = 0.8, colourful: float = 0.3) -> Array:
    """A colour (3,): greys and warm tones mostly, now and then a vivid one."""
    grey = rng.uniform(low, high)
    strength = colourful * (2.5 if rng.random() < 0.15 else 1)
    warmth, green = rng.normal(0.25, 0.6), rng.normal(0, 0.3)
    shift = strength * np.array([warmth, green, -warmth])
    return np.clip(grey * (1 + shift), DARKEST, BRIGHTEST).astype(np.float32)


def _clip(image: Array) -> Array:
    return np.clip(image, DARKEST, BRIGHTEST).astype(np.float32)


def _clouds(rng: Rng, octaves: Sequence[int] = (4, 16, 64, 256)) -> Array:
    """Noise (SIDE, SIDE, 1) of deviation 1 at several scales."""
    total = np.zeros((SIDE, SIDE), np.float32)
    for cells in octaves:
        cell = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 2, mode="wrap")
        scale = SIDE / cells
        wide = cv2.resize(cell, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        margin = round(2 * scale)
        total += wide[margin : margin + SIDE, margin : margin + SIDE] / len(octaves) ** 0.5
    noise: Array = (total / total.std())[..., None]
    return noise


def _grid() -> tuple[Array, Array]:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    return x[..., None], y[..., None]


def paint(rng: Rng) -> Array:
    """A painted wall, hardly uneven."""
    return _clip(tint(rng, 0.35, 0.85, 0.2) * (1 + rng.uniform(0.005, 0.03) * _clouds(rng)))


def carpet(rng: Rng) -> Array:
    """Cloth or carpet, speckled."""
    fine = _clouds(rng, (64, 256))
    return _clip(tint(rng, 0.06, 0.6) * (1 + rng.uniform(0.05, 0.2) * fine))


def boards(rng: Rng) -> Array:
    """Boards with grain and joints."""
    x, y = _grid()
    count = int(rng.integers(3, 10))
    number = (y * count).astype(np.int32) % count
    tone = rng.uniform(0.75, 1.2, count).astype(np.float32)[number]
    grain = cv2.GaussianBlur(
        rng.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), sigmaX=14, sigmaY=0.8
    )[..., None]
    red = rng.uniform(0.12, 0.55)
    base = red * np.array([1, rng.uniform(0.5, 0.8), rng.uniform(0.25, 0.65)], np.float32)
    ends = (x + rng.uniform(0, 1, count).astype(np.float32)[number]) % 1 < 0.008
    joint = ((y * count) % 1 < 0.03) | ends
    wood = base * tone * (1 + 0.12 * grain / grain.std())
    return _clip(np.where(joint, 0.5 * base, wood))


def tiles(rng: Rng) -> Array:
    """Tiles of one or two colours, square or like bricks, with joints."""
    x, y = _grid()
    rows = int(rng.integers(2, 7))
    columns = rows if rng.random() < 0.7 else max(1, rows // 2)
    offset = 0.5 * ((y * rows).astype(np.int32) % 2) if rng.random() < 0.3 else 0.0
    across, down = x * columns + offset, y * rows
    first = tint(rng, 0.2, 0.85, 0.25)
    second = tint(rng, 0.1, 0.85, 0.25) if rng.random() < 0.3 else first * rng.uniform(0.9, 1.1)
    odd = (across.astype(np.int32) + down.astype(np.int32)) % 2 == 1
    joint = (across % 1 < 0.03) | (down % 1 < 0.03 * rows / columns)
    plain = np.where(odd, first, second) * (1 + 0.04 * _clouds(rng, (8, 64)))
    return _clip(np.where(joint, first * rng.uniform(0.4, 1.15), plain))


def stripes(rng: Rng) -> Array:
    """Stripes or checks in two shades."""
    x, y = _grid()
    count = int(rng.integers(3, 14))
    wave = np.sin(2 * np.pi * count * x)
    if rng.random() < 0.5:
        wave = wave * np.sin(2 * np.pi * count * y)
    first = tint(rng, 0.2, 0.8)
    second = first * rng.uniform(0.6, 1.3) if rng.random() < 0.7 else tint(rng)
    return _clip(np.where(wave > rng.uniform(-0.3, 0.5), first, second))


def blotches(rng: Rng) -> Array:
    """A print of leaves, an oriental rug, marble: two or three colours in spots."""
    noise = _clouds(rng, (8, 16, 32) if rng.random() < 0.5 else (4, 8, 64))
    first = tint(rng)
    second, third = (first * rng.uniform(0.6, 1.5, 3) for _ in range(2))
    image = np.where(noise > rng.uniform(-0.5, 0.7), first, second)
    return _clip(np.where(noise < -1.0, third, image))


def painting(rng: Rng) -> Array:
    """A painting, a poster or a photograph on a mat."""
    x, y = _grid()
    horizon = np.float32(rng.uniform(0.3, 0.7)) + 0.08 * _clouds(rng, (4, 8))
    image = np.where(y < horizon, tint(rng, 0.3, 0.9, 0.6), tint(rng, 0.05, 0.5, 0.8))
    for _ in range(int(rng.integers(0, 6))):
        (cx, cy), radius = rng.uniform(0.15, 0.85, 2), rng.uniform(0.04, 0.2)
        spot = (x - cx) ** 2 + ((y - cy) * rng.uniform(0.5, 2)) ** 2 < radius**2
        image = np.where(spot, tint(rng, 0.05, 0.9, 0.9), image)
    image = image * (1 + 0.15 * _clouds(rng, (8, 32, 128)))
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < rng.choice([0, 0, 0.1])
    return _clip(np.where(border, 0.85, image))


def book_spines(rng: Rng) -> Array:
    """A row of books from the front."""
    ends = np.sort(rng.uniform(0, 1, int(rng.integers(14, 30)))).astype(np.float32)
    x, y = _grid()
    number = np.searchsorted(ends, x[0, :, 0])
    colours = np.stack([tint(rng, 0.03, 0.7, 0.7) for _ in range(len(ends) + 1)])
    image = np.broadcast_to(colours[number], (SIDE, SIDE, 3))
    heights = rng.uniform(0.0, 0.3, len(ends) + 1).astype(np.float32)[number][None, :, None]
    titles = rng.uniform(0.2, 0.8, len(ends) + 1).astype(np.float32)[number][None, :, None]
    image = np.where(np.abs(y - titles) < 0.05, 0.6 * image + 0.3, image)
    return _clip(np.where(y < heights, 0.02, image))


def outdoors(rng: Rng) -> Array:
    """What a window shows, blurred: sky over trees or houses; of mean 1, may exceed 1."""
    _, y = _grid()
    skyline = np.float32(rng.uniform(0.2, 0.9)) + 0.1 * _clouds(rng, (4, 8, 16))
    sky = np.array([0.8, 0.95, 1.15], np.float32) * rng.uniform(0.9, 1.3)
    ground = tint(rng, 0.1, 0.5, 0.4) * (1 + 0.3 * _clouds(rng, (8, 16, 32)))
    view = np.where(y < skyline, sky, np.maximum(ground, 0.02))
    smooth = cv2.GaussianBlur(view.astype(np.float32), (0, 0), rng.uniform(2, 8))
    image: Array = (smooth / smooth.mean()).astype(np.float32)
    return image


Finish = Callable[[Rng], Array]

WALLS: dict[Finish, float] = {paint: 0.66, stripes: 0.1, blotches: 0.08, boards: 0.08, tiles: 0.08}
WET_WALLS: dict[Finish, float] = {paint: 0.45, tiles: 0.5, boards: 0.05}
FLOORS: dict[Finish, float] = {
    boards: 0.42,
    tiles: 0.2,
    carpet: 0.28,
    blotches: 0.06,
    stripes: 0.04,
}
CLOTHS: dict[Finish, float] = {carpet: 0.5, stripes: 0.25, blotches: 0.25}
BOXES: dict[Finish, float] = {carpet: 0.2, boards: 0.3, painting: 0.2, stripes: 0.1, blotches: 0.2}


def draw_finish(rng: Rng, shares: dict[Finish, float]) -> Array:
    """One of the finishes, by their shares."""
    finishes = list(shares)
    share = np.array(list(shares.values()))
    return finishes[rng.choice(len(finishes), p=share / share.sum())](rng)


def recolour(rng: Rng, image: Array, strength: float = 1.0) -> Array:
    """The same texture in another shade: hue, saturation and brightness shifted a little."""
    grey = image.mean(axis=2, keepdims=True)
    saturation = rng.uniform(1 - 0.6 * strength, 1 + 0.3 * strength)
    cast = 1 + strength * rng.uniform(-0.2, 0.2, 3).astype(np.float32)
    return _clip((grey + saturation * (image - grey)) * cast * rng.uniform(0.65, 1.15))
