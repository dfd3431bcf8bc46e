"""Names beside the points of a plot, such that none covers another, a point or a line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

_NEAR, _FAR, _STEP = 11, 150, 8
"""Distances of a name from its point that are tried [points]."""

_LEADER = 24
"""From this distance on a line leads from the name to the point."""

_ANGLES = (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200)
"""Directions that are tried, the most readable first [degrees]."""


def place_labels(
    figure: Figure,
    axes: Axes,
    places: tuple[Sequence[float], Sequence[float]],
    names: Sequence[str],
) -> None:
    """Write a name beside each point, at the nearest place that is free.

    Args:
        figure: that of the axes.
        axes: with all else drawn and its limits set.
        places: abscissae and ordinates of the points.
        names: one a point; empty where a point needs none.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    figure.draw_without_rendering()  # sets the layout, by which free places are found
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    points = [axes.transData.transform(place) for place in zip(*places, strict=True)]
    taken = [_around(x, y, 9 * figure.dpi / 72) for x, y in points]
    for line in axes.lines:
        path = line.get_transform().transform_path(line.get_path()).interpolated(50)
        taken += [_around(x, y, 2) for x, y in np.asarray(path.vertices)]
    frame = axes.get_window_extent()
    for x, y, name in zip(*places, names, strict=True):
        if not name:
            continue
        for offset, angle in _offsets():
            label = _label(axes, name, (x, y), offset, angle)
            label.update_positions(renderer)
            box = Text.get_window_extent(label, renderer).expanded(1.02, 1.05)
            inside = frame.x0 < box.x0 and box.x1 < frame.x1
            inside = inside and frame.y0 < box.y0 and box.y1 < frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            label.remove()
        else:  # no room anywhere: better a name that touches another than none
            _label(axes, name, (x, y), _NEAR, 0)


def _offsets() -> Iterator[tuple[int, int]]:
    """Distances and directions to try, the nearest first."""
    for distance in range(_NEAR, _FAR, _STEP):
        for angle in _ANGLES:
            yield distance, angle


def _label(
    axes: Axes, name: str, place: tuple[float, float], distance: float, angle: float
) -> Annotation:
    right, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    leader = {"arrowstyle": "-", "color": "#999999", "lw": 0.7, "shrinkB": 5, "shrinkA": 0}
    label = axes.annotate(
        name,
        place,
        (distance * right, distance * up),
        textcoords="offset points",
        ha="center" if abs(right) < 0.3 else "left" if right > 0 else "right",
        va="center" if abs(up) < 0.3 else "bottom" if up > 0 else "top",
        fontsize=10,
        arrowprops=leader if distance >= _LEADER else None,
        zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )
    label.set_in_layout(False)  # the layout stays what it was when places were chosen
    return label


def _around(x: float, y: float, radius: float) -> Bbox:
    from matplotlib.transforms import Bbox

    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)
