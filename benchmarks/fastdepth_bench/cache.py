"""Exported files in the user's cache folder, so that a network is exported once.

The key holds everything that decides the contents: the recipe, the weights' bytes, the version,
and the source of networks and exporter, so that no edit is ever measured on an old file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import fastdepth
from fastdepth.metadata import UNTRAINED
from fastdepth.weights import find_weights, weights_hash

if TYPE_CHECKING:
    from fastdepth.metadata import ModelMetadata
    from fastdepth_export import ExportRecipe

    Export = Callable[[ExportRecipe, Path], ModelMetadata]

EXPORTING_PACKAGES = ("torch", "onnx", "onnxscript", "onnxsim")


def cache_folder() -> Path:
    """``$FASTDEPTH_CACHE``, else ``$XDG_CACHE_HOME/fastdepth``, else ``~/.cache/fastdepth``."""
    if own := os.environ.get("FASTDEPTH_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fastdepth"


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
        "packages": {name: _version(name) for name in EXPORTING_PACKAGES},
    }
    text = json.dumps(contents, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = f"{resolved.variant.name}-{resolved.size}-{recipe.precision}-{key}.{recipe.format}"
    return cache_folder() / "exports" / name


def exported(recipe: ExportRecipe, write: Export | None = None) -> Path:
    """Path of a recipe's export; exports it now if the cache lacks it.

    Args:
        recipe: what is exported.
        write: writes the file whole or raises; :func:`fastdepth_export.export` if absent.

    Raises:
        FastDepthError: it cannot be exported, or the cache folder cannot be written.
    """
    path = cache_path(recipe)
    if not path.exists():
        from fastdepth_export import export

        (write or export)(recipe, path)
    return path


@cache
def _source_hash() -> str:
    """Hash of the code that decides what an exported file computes."""
    import fastdepth_export

    package = Path(fastdepth.__file__).parent
    folders = (package / "models", package / "data", Path(fastdepth_export.__file__).parent)
    files = [package / f"{name}.py" for name in ("variants", "metadata", "preprocess")]
    files += [path for folder in folders for path in sorted(folder.glob("*.py"))]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
