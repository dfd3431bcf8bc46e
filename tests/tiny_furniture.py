"""Libraries of furniture as Sweet Home 3D's, of boxes: one piece for every role and some more."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np

from fastdepth.data.furnished.catalogue import CATALOGUE, CREDITS

PIECES = """
Sofa|Living room|200x90x80
Table|Living room|120x80x74
Chair|Living room|45x50x85
Bookcase|Living room|90x35x180
Bed|Bedroom|140x200x60
Bedside table|Bedroom|45x40x50
Desk|Office|140x70x73
Lower cabinet|Kitchen|60x60x88
Upper cabinet|Kitchen|60x40x72|145
Washbasin|Bathroom|60x45x85
Plant|Living room|50x50x90
Lamp|Lights|40x40x150
Desk lamp|Lights|22x22x40
Hanging light|Lights|40x40x60|180
Door|Doors and windows|90x15x205
TV|Living room|78x14x50
Radiator|Miscellaneous|60x12x60
Curtain|Miscellaneous|130x5x225|8
Wall flat TV|Living room|100x11x66|100
Book|Miscellaneous|28x18x3
Suitcase|Miscellaneous|80x31x72
"""

BOX = """mtllib box.mtl
v 0 0 0
v 2 0 0
v 2 1 0
v 0 1 0
v 0 0 3
v 2 0 3
v 2 1 3
v 0 1 3
vt 0 0
vt 1 0
vt 1 1
vt 0 1
usemtl plain wood
f 4 3 2 1
f 5 6 7 8
f 1 2 6 5
f 3 4 8 7
usemtl printed
f 2/1 3/2 7/3 6/4
f -8/1 -4/2 -1/3 -5/4
"""

MATERIALS = """newmtl plain wood
Kd 0.5 0.25 0.1
Ns 50
newmtl printed
Kd 1 1 1
map_Kd print.png
"""


def entries() -> str:
    lines = []
    for number, piece in enumerate(PIECES.strip().splitlines(), 1):
        name, shelf, size, *elevation = piece.split("|")
        width, depth, height = size.split("x")
        values = {
            "name": name,
            "category": shelf,
            "model": "/tiny/box/box.obj",
            "width": width,
            "depth": depth,
            "height": height,
            "creator": "A. Joiner",
            **({"elevation": elevation[0]} if elevation else {}),
        }
        lines += [f"{key}#{number}={value}" for key, value in values.items()]
    return "\n".join(lines)


def write_libraries(folder: Path) -> Path:
    """Write the four libraries, of which only the last has furniture; returns the folder."""
    folder.mkdir(exist_ok=True)
    print_ = np.full((4, 4, 3), (0, 0, 255), np.uint8)  # OpenCV's order: red
    for library in CREDITS:
        with zipfile.ZipFile(folder / f"{library}.sh3f", "w") as archive:
            archive.writestr(CATALOGUE, entries() if library == "Scopia" else "id=none\n")
            archive.writestr("tiny/box/box.obj", BOX)
            archive.writestr("tiny/box/box.mtl", MATERIALS)
            archive.writestr("tiny/box/print.png", cv2.imencode(".png", print_)[1].tobytes())
    return folder
