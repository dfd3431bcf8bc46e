"""Furniture of Sweet Home 3D's libraries, as Debian's ``sweethome3d-furniture`` installs them.

A library is a zip file (``.sh3f``) of a catalogue, OBJ models and textures. None of it comes with
fastdepth: who wants furnished rooms installs the package, or names a folder with the same files.
The library of people is not used.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from fastdepth.errors import DataError

FURNITURE = Path("/usr/share/sweethome3d/furniture")
"""Where Debian's package puts the libraries."""

CREDITS = {
    "BlendSwap-CC-0": "contributors of blendswap.com, CC0; cleaned by Emmanuel Puybaret / eTeks",
    "BlendSwap-CC-BY": "contributors of blendswap.com, CC-BY 3.0; cleaned by Emmanuel Puybaret / "
    "eTeks",
    "KatorLegaz": "Andrew Kator & Jennifer Legaz, CC-BY 3.0 US",
    "Scopia": "Emmanuel Puybaret / eTeks and Scopia Visual Interfaces Systems, s.l. "
    "(scopia.es), CC-BY 3.0",
}
"""The libraries that rooms are furnished from, and whom to credit."""

CATALOGUE = "PluginFurnitureCatalog.properties"


@dataclass(frozen=True)
class Furniture:
    """A model of the catalogue.

    Attributes:
        library: the library that has it, a key of ``CREDITS``.
        number: its number there.
        name: what it is, in English.
        category: the catalogue's shelf, such as ``Living room``.
        creator: who made it.
        model: its OBJ file in the library.
        weight: bytes of that file, which tell how fine the model is.
        size: width, height, depth [m] as it stands in a room.
        elevation: its bottom above the floor [m].
        rotation: what turns the file's axes upright, nine numbers row by row; empty for none.
    """

    library: str
    number: int
    name: str
    category: str
    creator: str
    model: str
    weight: int
    size: tuple[float, float, float]
    elevation: float = 0.0
    rotation: tuple[float, ...] = ()


def read_catalogue(folder: Path = FURNITURE) -> list[Furniture]:
    """All furniture of the four libraries in a folder, in a fixed order.

    Raises:
        DataError: a library is missing or cannot be read.
    """
    missing = [library for library in CREDITS if not (folder / f"{library}.sh3f").is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(f'{name}.sh3f' for name in missing)}; install the furniture"
            " (Debian, Ubuntu: apt install sweethome3d-furniture) or name its folder: --furniture"
        )
    return [each for library in CREDITS for each in _read_library(folder, library)]


def _read_library(folder: Path, library: str) -> list[Furniture]:
    """The furniture of one library."""
    path = folder / f"{library}.sh3f"
    try:
        with zipfile.ZipFile(path) as archive:
            weights = {entry.filename: entry.file_size for entry in archive.infolist()}
            entries = parse_catalogue(archive.read(CATALOGUE).decode("latin1"))
        return [
            _furniture(library, number, entry, model, weights[model])
            for number, entry in sorted(entries.items())
            if (model := unquote(entry.get("model", "")).lstrip("/")).endswith(".obj")
            and model in weights
        ]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no library of furniture ({error}); install it again") from None


def parse_catalogue(text: str) -> dict[int, dict[str, str]]:
    """The properties of each piece by its number, out of a ``.properties`` file."""
    entries: dict[int, dict[str, str]] = {}
    for key, number, value in re.findall(r"^(\w+)#(\d+)=(.*?)\s*$", text, re.MULTILINE):
        entries.setdefault(int(number), {})[key] = value.replace("\\ ", " ")
    return entries


def _furniture(
    library: str, number: int, entry: dict[str, str], model: str, weight: int
) -> Furniture:
    """A piece by its properties, whose lengths are centimetres."""
    width, height, depth = (float(entry[key]) / 100 for key in ("width", "height", "depth"))
    rotation = tuple(float(word) for word in entry.get("modelRotation", "").split())
    if len(rotation) not in (0, 9):
        raise ValueError(f"{model} is turned by {len(rotation)} numbers")
    return Furniture(
        library=library,
        number=number,
        name=entry.get("name", ""),
        category=entry.get("category", ""),
        creator=entry.get("creator", ""),
        model=model,
        weight=weight,
        size=(width, height, depth),
        elevation=float(entry.get("elevation", 0)) / 100,
        rotation=rotation,
    )


def credits_text(catalogue: list[Furniture]) -> str:
    """Whom to credit for frames of this furniture, a line each; goes with the frames."""
    lines = ["The furniture in these frames, as Sweet Home 3D's libraries have it:", ""]
    for library, owner in CREDITS.items():
        makers = sorted({each.creator for each in catalogue if each.library == library} - {""})
        lines.append(f"{library}: {owner}. Models by {', '.join(makers)}.")
    lines += ["", "Models were coloured anew at random, and rendered with Mitsuba 3."]
    return "\n".join(lines) + "\n"
