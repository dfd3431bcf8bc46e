"""Seven kinds of room and what stands in each."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastdepth.data.furnished.finishes import WALLS, WET_WALLS, Finish

Count = tuple[int, int]
"""Least and most."""


@dataclass(frozen=True)
class Kind:
    """A kind of room.

    Attributes:
        share: of all rooms.
        width: least and greatest [m]; length likewise.
        walls: finishes of the walls.
        along: pieces by role that stand against a wall, in this order.
        free: pieces by role that stand anywhere.
        chairs: at a table or desk.
        clutter: things on the floor.
        windows: number of them.
    """

    share: float
    width: tuple[float, float] = (2.6, 5.2)
    length: tuple[float, float] = (3.0, 6.5)
    walls: dict[Finish, float] = field(default_factory=lambda: WALLS)
    along: dict[str, Count] = field(default_factory=dict)
    free: dict[str, Count] = field(default_factory=dict)
    chairs: Count = (1, 4)
    clutter: Count = (0, 7)
    windows: Count = (0, 3)


KINDS: dict[str, Kind] = {
    "living-room": Kind(
        0.24,
        along={
            "sofa": (1, 3),
            "shelf": (2, 5),
            "plant": (0, 2),
            "floor lamp": (0, 1),
            "oddment": (2, 5),
            "radiator": (0, 1),
        },
        free={"table": (1, 3), "sofa": (0, 2), "chair": (0, 4), "oddment": (0, 2)},
        chairs=(0, 4),
    ),
    "bedroom": Kind(
        0.22,
        length=(2.8, 5.0),
        along={
            "bed": (1, 2),
            "nightstand": (1, 2),
            "shelf": (1, 4),
            "desk": (0, 2),
            "plant": (0, 1),
            "oddment": (2, 5),
            "radiator": (0, 1),
        },
        free={"chair": (0, 2), "oddment": (0, 1)},
        clutter=(0, 10),
        chairs=(1, 1),
    ),
    "kitchen": Kind(
        0.16,
        walls=WET_WALLS,
        along={"base unit": (6, 12), "wall unit": (2, 6), "shelf": (0, 2), "oddment": (0, 2)},
        free={"table": (0, 2)},
        clutter=(0, 5),
    ),
    "bathroom": Kind(
        0.08,
        (1.9, 3.2),
        (2.2, 3.8),
        walls=WET_WALLS,
        along={"sanitary": (3, 6), "shelf": (0, 2), "radiator": (0, 1), "oddment": (0, 2)},
        clutter=(0, 5),
        windows=(0, 1),
    ),
    "office": Kind(
        0.14,
        along={"desk": (2, 5), "shelf": (2, 6), "plant": (0, 2), "oddment": (1, 4)},
        free={"chair": (1, 3), "table": (0, 1), "desk": (0, 1)},
        chairs=(1, 2),
    ),
    "dining-room": Kind(
        0.09,
        along={"shelf": (1, 4), "plant": (0, 2), "sofa": (0, 1), "oddment": (1, 4)},
        free={"table": (1, 2)},
        chairs=(3, 7),
    ),
    "classroom": Kind(
        0.07,
        (5.0, 9.0),
        (5.0, 9.0),
        along={"shelf": (1, 4), "desk": (0, 2), "oddment": (0, 2)},
        free={"desk": (2, 5), "table": (2, 5), "chair": (2, 6)},
        chairs=(1, 4),
    ),
}
