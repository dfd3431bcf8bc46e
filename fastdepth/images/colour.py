"""Depth as images: one fixed colour for each distance, so that frames and models compare.

The colours are OpenCV's magma map from near (bright) to far (dark): its lightness falls evenly, so
it reads the same with colour-blind eyes and in grey print. Equal ratios of distance are equal steps
of colour, for a depth map is judged by ratios (a threshold accuracy is one), and most of a room
lies within the nearest third of the range.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.arguments import checked
from fastdepth.errors import ImageError, UsageError

DEFAULT_RANGE = (0.5, 10.0)
"""Least and greatest depth [m] of the colours: what an indoor image holds."""

INVALID_COLOUR = (128, 160, 144)
"""RGB of pixels without depth: a grey green that is nowhere in the map."""

_PAPER, _INK = 255, 32
_SMALLEST_TEXT = 11  # [px] height of a line in which digits are still legible
_TEXT_SCALE = 4  # text is drawn this much larger and averaged down


@checked
def colourise(
    depth: NDArray[np.floating], vmin: float = DEFAULT_RANGE[0], vmax: float = DEFAULT_RANGE[1]
) -> NDArray[np.uint8]:
    """Colour each distance: near bright, far dark, the same in every image.

    Args:
        depth: (H, W) [m].
        vmin: distance [m] of the brightest colour; nearer looks the same.
        vmax: distance [m] of the darkest colour; farther looks the same.

    Returns:
        (H, W, 3) uint8 RGB; ``INVALID_COLOUR`` where depth is NaN, infinite or not positive.

    Raises:
        UsageError: ``depth`` is not (H, W), or not 0 < vmin < vmax.
    """
    check_range(vmin, vmax)
    if depth.ndim != 2:
        raise UsageError(f"depth has the shape {depth.shape}; give (H, W) in metres")
    metres = np.asarray(depth, np.float32)
    valid = (metres > 0) & (metres < np.inf)
    levels = np.clip(metres, np.float32(vmin), np.float32(vmax))  # a new array; the rest in place
    steps = 255 / math.log(vmax / vmin)
    np.log(levels, out=levels)
    levels *= np.float32(-steps)
    levels += np.float32(steps * math.log(vmax))
    whole = bool(valid.all())
    if not whole:
        levels[~valid] = 0
    np.rint(levels, out=levels)
    image: NDArray[np.uint8] = np.asarray(
        cv2.applyColorMap(levels.astype(np.uint8), _colours()), np.uint8
    )
    if not whole:
        image[~valid] = INVALID_COLOUR
    return image


@functools.cache
def _colours() -> NDArray[np.uint8]:
    """RGB of all levels: (256, 1, 3) uint8."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    mapped = cv2.applyColorMap(levels, cv2.COLORMAP_MAGMA)
    return np.asarray(cv2.cvtColor(mapped, cv2.COLOR_BGR2RGB), np.uint8)


def check_range(vmin: float, vmax: float) -> None:
    """Raise UsageError unless 0 < vmin < vmax < infinity [m]."""
    if not 0 < vmin < vmax < math.inf:
        raise UsageError(f"colours from {vmin} m to {vmax} m; give 0 < vmin < vmax in metres")


def scale_bar(
    image: NDArray[np.uint8], vmin: float = DEFAULT_RANGE[0], vmax: float = DEFAULT_RANGE[1]
) -> NDArray[np.uint8]:
    """Put a bar on the right that names the distance of each colour of :func:`colourise`.

    Args:
        image: (H, W, 3) uint8 RGB; its own pixels stay as they are.
        vmin: distance [m] of the brightest colour, at the bottom of the bar.
        vmax: distance [m] of the darkest colour, at the top.

    Returns:
        (H, W + w, 3) uint8 RGB; higher where the image is too low for two labels.

    Raises:
        UsageError: not 0 < vmin < vmax.
        ImageError: ``image`` is something else.
    """
    check_range(vmin, vmax)
    _check_images([image])
    line = _text_height(image)
    length = max(image.shape[0], 4 * line) - line
    places = {
        f"{tick:g} m": math.log(vmax / tick) / math.log(vmax / vmin)
        for tick in _ticks(vmin, vmax, most=length // (2 * line))
    }
    return bar(
        image, places, lambda rows: colourise(np.geomspace(vmax, vmin, rows)[:, None], vmin, vmax)
    )


def bar(
    image: NDArray[np.uint8],
    labels: Mapping[str, float],
    colours: Callable[[int], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Put a bar of colours on the right, with labels beside it.

    Args:
        image: (H, W, 3) uint8 RGB; its own pixels stay as they are.
        labels: where each text stands, 0 at the top of the bar and 1 at its bottom.
        colours: the bar of so many rows: (rows, 1, 3) uint8 RGB from top to bottom.

    Returns:
        (H, W + w, 3) uint8 RGB; higher where the image is too low for two labels.

    Raises:
        ImageError: ``image`` is something else.
    """
    _check_images([image])
    line = _text_height(image)
    image = _pad_below(image, max(image.shape[0], 4 * line))
    length = image.shape[0] - line  # half a line above and below for the outermost labels
    texts = {label: _text(label, line) for label in labels}
    gap, thickness = line // 2, max(8, line)
    left = gap + thickness
    width = left + gap + max(text.shape[1] for text in texts.values()) + gap
    margin = np.full((image.shape[0], width, 3), _PAPER, np.uint8)
    top = line // 2
    margin[top : top + length, gap:left] = colours(length)
    cv2.rectangle(margin, (gap, top), (left - 1, top + length - 1), (_INK,) * 3, max(1, line // 24))
    for label, place in labels.items():
        middle = top + round((length - 1) * place)
        margin[middle - line // 24 : middle + line // 24 + 1, left : left + gap // 2] = _INK
        _paste(margin, texts[label], middle - line // 2, left + gap)
    return np.hstack([image, margin])


def sheet(
    columns: Sequence[NDArray[np.uint8]], titles: Sequence[str], captions: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """Images side by side, each below its title and above its caption.

    Args:
        columns: (H, W, 3) uint8 RGB each; lower ones are filled up at the bottom.
        titles: as many; one too long for its column loses its end.
        captions: as many, or none.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        UsageError: no columns, or not as many titles or captions.
        ImageError: a column is something else.
    """
    if not columns or len(columns) != len(titles) or len(captions or titles) != len(titles):
        raise UsageError(
            f"{len(columns)} columns, {len(titles)} titles and {len(captions)} captions; "
            "give one title for each, and a caption for each or none"
        )
    _check_images(columns)
    line = _text_height(columns[0])
    gap = max(2, line // 4)
    tallest = max(column.shape[0] for column in columns)
    parts: list[NDArray[np.uint8]] = []
    for number, (column, title) in enumerate(zip(columns, titles, strict=True)):
        width = column.shape[1]
        whole = [_strip(title, line, width), _pad_below(column, tallest)]
        if captions:
            whole.append(_strip(captions[number], line, width))
        part = np.vstack(whole)
        parts += [np.full((len(part), gap, 3), _PAPER, np.uint8), part]
    return np.hstack(parts[1:])


def _strip(text: str, line: int, width: int) -> NDArray[np.uint8]:
    """Paper with a line of text above or below a column."""
    gap, paper = max(2, line // 4), np.full((line + line // 2, width, 3), _PAPER, np.uint8)
    _paste(paper, _fitting_text(text, line, width - gap), line // 4, gap)
    return paper


def _check_images(images: Sequence[NDArray[np.uint8]]) -> None:
    """Raise ImageError unless all are (H, W, 3) uint8."""
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(f"image is {image.dtype} {image.shape}; give (H, W, 3) uint8")


def _text_height(image: NDArray[np.uint8]) -> int:
    """Height of a line of text [px] beside this image."""
    return max(_SMALLEST_TEXT, int(min(image.shape[:2])) // 26)


def _pad_below(image: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """The image on top of paper of this height."""
    paper = np.full((height, image.shape[1], 3), _PAPER, np.uint8)
    paper[: image.shape[0]] = image
    return paper


def _ticks(vmin: float, vmax: float, most: int) -> list[float]:
    """The two ends of the range, and of the series 1, 2, 5 and then 3, 7 what fits between."""
    exponents = range(math.floor(math.log10(vmin)), math.ceil(math.log10(vmax)) + 1)
    steps = [(1, 2, 5), (3, 7)]
    series = [step * 10.0**power for group in steps for power in exponents for step in group]
    ticks = [vmin, vmax]
    apart = math.log(vmax / vmin) / max(1, most)
    for candidate in series:
        if all(abs(math.log(candidate / tick)) >= apart for tick in ticks):
            ticks.append(candidate)
    return sorted(tick for tick in ticks if vmin <= tick <= vmax)


def _text(text: str, line: int) -> NDArray[np.uint8]:
    """Text as ink coverage (line, width) uint8; averaged down, so that small text is legible."""
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, line // 5)
    tall = line * _TEXT_SCALE
    scale = tall / 36  # a capital is 22 px high at scale 1 and takes 0.6 of the line
    (width, _), _ = cv2.getTextSize(text, font, scale, thickness)
    canvas = np.zeros((tall, width + 2 * _TEXT_SCALE), np.uint8)
    origin = (_TEXT_SCALE, round(0.76 * tall))
    cv2.putText(canvas, text, origin, font, scale, 255, thickness, cv2.LINE_AA)
    smaller = (max(1, canvas.shape[1] // _TEXT_SCALE), line)
    return np.asarray(cv2.resize(canvas, smaller, interpolation=cv2.INTER_AREA), np.uint8)


def _fitting_text(text: str, line: int, width: int) -> NDArray[np.uint8]:
    """Text no wider than ``width`` [px]; what is too long ends in dots."""
    label = _text(text, line)
    while label.shape[1] > width and len(text) > 1:
        text = text[:-1]
        label = _text(text.rstrip() + "...", line)
    return label[:, : max(0, width)]


def _paste(paper: NDArray[np.uint8], label: NDArray[np.uint8], top: int, left: int) -> None:
    """Ink the label onto the paper, in place; what lies outside is cut off."""
    top = min(max(0, top), paper.shape[0] - label.shape[0])
    area = paper[top : top + label.shape[0], left : left + label.shape[1]]
    ink = label[:, : area.shape[1], np.newaxis].astype(np.float32) / 255
    area[:] = np.rint(area + ink * (_INK - area.astype(np.float32))).astype(np.uint8)
