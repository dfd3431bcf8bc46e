"""What a piece of furniture is good for in a room, by its name, shelf and size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastdepth.data.furnished.catalogue import Furniture
from fastdepth.errors import DataError

Span = tuple[float, float]

ANY: Span = (0.0, 9.0)
ON_THE_FLOOR: Span = (0.0, 0.12)
OUTDOORS = {"Exterior", "Vehicles", "Characters", "Staircases"}
"""Shelves of the catalogue that no room takes from."""

HEAVIEST = 4_500_000
"""Bytes of an OBJ file; finer models cost memory that nobody sees."""


@dataclass(frozen=True)
class Role:
    """Which furniture fills a role.

    Attributes:
        names: pattern that is looked for in the name, whatever its case.
        width: least and greatest [m]; height, depth, elevation and longest side likewise.
        without: pattern that the name must not have.
        shelves: of the catalogue; empty for all indoors.
        heaviest: bytes of the model.
    """

    names: str
    width: Span = ANY
    height: Span = ANY
    depth: Span = ANY
    elevation: Span = ANY
    longest: Span = ANY
    without: str = "$^"
    shelves: tuple[str, ...] = ()
    heaviest: int = HEAVIEST

    def takes(self, furniture: Furniture) -> bool:
        """Whether a piece of furniture fills the role."""
        width, height, depth = furniture.size
        spans = (
            (width, self.width),
            (height, self.height),
            (depth, self.depth),
            (furniture.elevation, self.elevation),
            (max(furniture.size), self.longest),
        )
        shelf = furniture.category
        return (
            (shelf in self.shelves if self.shelves else shelf not in OUTDOORS)
            and furniture.weight <= self.heaviest
            and all(low <= value <= high for value, (low, high) in spans)
            and re.search(self.names, furniture.name, re.IGNORECASE) is not None
            and re.search(self.without, furniture.name, re.IGNORECASE) is None
        )


SMALL_THINGS = ("Kitchen", "Bedroom", "Office", "Miscellaneous", "Living room", "Bathroom")
ON_WALLS = r"plug|socket|switch|frame|wall|lock|tap|deer|bill|slot"

ROLES: dict[str, Role] = {
    "sofa": Role(r"sofa|couch|armchair|puff|ottoman", width=(0.5, 3.0), height=(0.4, 1.3)),
    "table": Role(
        r"\btable\b", width=(0.4, 3), height=(0.35, 1.1), without=r"tennis|foot|bed|dress"
    ),
    "chair": Role(
        r"chair|stool|class seat", width=(0.25, 1.1), height=(0.4, 1.3), depth=(0.2, 1.1)
    ),
    "shelf": Role(
        r"bookcase|shelves|cabinet|wardrobe|dresser|drawers|chest\b|cupboard|locker|screen|^box$",
        width=(0.3, 3.2),
        height=(0.5, 2.45),
        elevation=ON_THE_FLOOR,
        without=r"upper|corner|freezer|intercom",
    ),
    "bed": Role(r"\bbed\b|futon$|crib|mattress", width=(0.55, 2.4), depth=(0.8, 2.4)),
    "nightstand": Role(
        r"bedside|drawers|chest\b|stool|filing", width=(0.2, 1.2), height=(0.3, 1.0)
    ),
    "desk": Role(
        r"desk\b|desk table|workbench|technical table|wooden.*table|dressing table|piano$",
        width=(0.7, 2.5),
        height=(0.6, 1.9),
    ),
    "base unit": Role(
        r"lower cabinet|drawers cabinet|high cabinet|sink|fridge|refriger|double oven|stove"
        r"|washing machine|dryer|island|freezer",
        width=(0.35, 2.0),
        height=(0.5, 2.3),
        elevation=ON_THE_FLOOR,
        shelves=("Kitchen",),
        without="propane|corner",
    ),
    "wall unit": Role(
        r"upper.*cabinet|glass door cabinet|hood", elevation=(1.1, 2.0), without="corner"
    ),
    "sanitary": Role(
        r"\bbath\b|bathtub|toilets unit|washbasin|shower stall|bidet|vanity|lavatory|urinal",
        longest=(0.35, 2.3),
        elevation=(0.0, 0.55),
    ),
    "plant": Role(r"plant|ficus|bamboo|yucca|spathi|tree|orchid|lily|flowers", height=(0.3, 2.1)),
    "floor lamp": Role(r"lamp", height=(1.1, 2.1), elevation=ON_THE_FLOOR, shelves=("Lights",)),
    "table lamp": Role(r"lamp", height=(0.25, 0.9), elevation=ON_THE_FLOOR, shelves=("Lights",)),
    "ceiling lamp": Role(
        r"hanging|chandelier|ceiling|pendant|^lamp$|fluorescent|fan$", elevation=(1.2, 2.6)
    ),
    "door": Role(
        r"door",
        width=(0.7, 1.9),
        height=(1.9, 2.3),
        depth=(0.0, 0.4),
        shelves=("Doors and windows",),
        without="elevator|garage",
    ),
    "screen": Role(
        r"^TV|imac|laptop|ibook|tv 16", width=(0.2, 1.2), height=(0.15, 0.8), without="stand|remote"
    ),
    "radiator": Role(r"radiator", width=(0.4, 2.2), height=(0.4, 1.2)),
    "curtain": Role(r"curtain|blind", height=(0.8, 2.4)),
    "hanging": Role(r"wall flat tv|clock|dart|frame|wall light|air cond", elevation=(0.9, 2.2)),
    "thing": Role(
        r".",
        longest=(0.06, 0.6),
        elevation=(0.0, 0.01),
        shelves=SMALL_THINGS,
        without=ON_WALLS,
        heaviest=1_500_000,
    ),
    "oddment": Role(
        r".",
        longest=(0.6, 1.9),
        height=(0.15, 1.9),
        elevation=ON_THE_FLOOR,
        shelves=("Miscellaneous", "Living room", "Bedroom", "Kitchen"),
        without=r"fence|railing|chimney|furnace|sofa|\bbed\b|container|mower|cutter|cone|shovel"
        r"|cabinet|pliers|saw|hanging clothes|jacket|dress$|trousers|curtain",
        heaviest=3_000_000,
    ),
}


def cast_roles(catalogue: Sequence[Furniture]) -> dict[str, list[Furniture]]:
    """The furniture for every role of ``ROLES``.

    Raises:
        DataError: nothing fills a role, so that this is another catalogue than we know.
    """
    cast = {name: [each for each in catalogue if role.takes(each)] for name, role in ROLES.items()}
    vacant = [name for name, found in cast.items() if not found]
    if vacant:
        raise DataError(f"the catalogue of furniture has no {', '.join(vacant)}; install 1.8")
    return cast
