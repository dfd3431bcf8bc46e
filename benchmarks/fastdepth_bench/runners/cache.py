"""Exported files in the user's cache folder, so that a network is exported once.

The key holds everything that decides the contents: the recipe, the weights' bytes, the version,
and the source of networks and exporter, so that no edit is ever measured on an old file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import fastdepth
from fastdepth.files import cache_folder, remove_leftovers_in
from fastdepth.metadata import UNTRAINED
from fastdepth.weights import find_weights, weights_hash
from fastdepth_export.recipe import FOLDED
from fastdepth_export.targets import FORMATS, Target

if TYPE_CHECKING:
    from fastdepth.metadata import ModelMetadata
    from fastdepth_export import ExportRecipe

    Export = Callable[[ExportRecipe, Path], ModelMetadata]

EXPORTING_PACKAGES = ("torch", "onnx", "onnxscript", "onnxsim", "onnxruntime")
"""Packages that decide what is in a file; ONNX Runtime finds the ranges that int8 spans."""


def cache_path(recipe: ExportRecipe) -> Path:
    """Where the export of a recipe lies, whether or not it was made yet.

    Raises:
        UnknownNameError, SizeError, UsageError: the recipe cannot be.
        WeightsError: the weights file cannot be read.
    """
    resolved = recipe.resolved()
    trained = resolved.weights != UNTRAINED
    contents = {
        "recipe": asdict(resolved.recipe) | {"weights": resolved.weights_name},
        "weights": weights_hash(find_weights(resolved.weights)) if trained else UNTRAINED,
        "fastdepth": fastdepth.__version__,
        "source": _source_hash(),
        "gpu": None if "cpu" in resolved.target.devices else _gpu(),
        "packages": {n: _version(n) for n in (*EXPORTING_PACKAGES, *_packages(resolved.target))},
    }
    text = json.dumps(contents, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    sizes = "+".join(map(str, resolved.sizes))
    form = () if recipe.form == FOLDED else (recipe.form,)
    name = "-".join((resolved.variant.name, sizes, recipe.precision, *form, key))
    return cache_folder() / "exports" / (name + resolved.target.suffixes[0])


def exported(recipe: ExportRecipe, write: Export | None = None) -> Path:
    """Path of a recipe's export; exports it now if the cache lacks it.

    Args:
        recipe: what is exported.
        write: writes the file whole or raises; :func:`fastdepth_export.export` if absent.

    Raises:
        FastDepthError: it cannot be exported, or the cache folder cannot be written.
    """
    path = cache_path(recipe)
    whole = all(part.exists() for part in cached_files(recipe))
    target = FORMATS[recipe.format]
    if target.builder and not target.from_network and write is None:
        from fastdepth_export import export

        onnx_file = exported(as_onnx(recipe))
        whole = whole and _fits(recipe, path, onnx_file)
        write = partial(export, onnx_file=onnx_file)
    if not whole:
        from fastdepth_export import export

        remove_leftovers_in(path.parent)  # of other recipes too, which may never come again
        (write or export)(recipe, path)
    return path


def as_onnx(recipe: ExportRecipe) -> ExportRecipe:
    """The recipe of the ONNX file that a recipe's export is built from.

    Its open fields are filled in first: what int8 is by default depends on the format.
    """
    return recipe.resolved().as_onnx


def cached_files(recipe: ExportRecipe) -> list[Path]:
    """All files that the export of a recipe consists of, whether or not it was made yet."""
    from fastdepth_export.export import files_of

    return files_of(cache_path(recipe), FORMATS[recipe.format])


def _packages(target: Target) -> list[str]:
    """What runs a file, and what converts to it."""
    return [name for name in (target.package, target.converter) if name]


def _fits(recipe: ExportRecipe, path: Path, onnx_file: Path) -> bool:
    """Whether a file that is there can be used here: one built on a GPU fits that GPU alone."""
    if "cpu" in FORMATS[recipe.format].devices:
        return True
    from fastdepth_export.formats.tensorrt_engine import fits

    return fits(path, onnx_file)


def _gpu() -> tuple[str, str]:
    """What a file that is built on a GPU belongs to."""
    from fastdepth_export.formats.tensorrt_engine import gpu_at_hand

    return gpu_at_hand()


NO_PART = ("__pycache__", "train", "trained")
"""Folders of the packages that decide no exported file; weights are hashed by themselves."""


@cache
def _source_hash() -> str:
    """Hash of the files, code and tables, that decide what an exported file computes."""
    import fastdepth_export

    return tree_hash(Path(fastdepth.__file__).parent, Path(fastdepth_export.__file__).parent)


def tree_hash(*folders: Path) -> str:
    """Hash of names and contents of all files below folders, but those below ``NO_PART``."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not set(name.parts).intersection(NO_PART):
                digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
