"""The files that the package brings ready for use, made of the weights that it ships.

``fastdepth-export --ready`` writes them into the package's folder: before a release, and whenever
weights were shipped anew. A test that is marked ``slow`` sees that they are what this makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fastdepth.errors import OutputError
from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.ready import FOLDER, INT8, path_of
from fastdepth.variants import VARIANTS
from fastdepth.weights import default_tag
from fastdepth_export.export import export
from fastdepth_export.recipe import ExportRecipe

IN_8_BITS = ("mnv2-64-dws",)
"""Networks that come in int8 as well; there is no room for more."""

MOST_BYTES = 30_000_000
"""Of all ready files together."""


def recipes() -> dict[str, ExportRecipe]:
    """How each ready file is made, by the name that opens it.

    Those in int8 are for any CPU: of types whose sums overflow on none.
    """
    shipped = [name for name in VARIANTS if default_tag(name)]
    found = {name: ExportRecipe(name, compact=True) for name in shipped}
    for name in filter(shipped.__contains__, IN_8_BITS):
        found[f"{name}{INT8}"] = ExportRecipe(name, precision="int8", quantisation="u8s7")
    return found


def write_ready(folder: Path = FOLDER) -> Iterator[tuple[Path, ModelMetadata]]:
    """Export every ready file; yields each when it is written, with its metadata.

    Args:
        folder: of the package, or another.

    Raises:
        OutputError: the files take more bytes than the package may hold.
        FastDepthError: as :func:`fastdepth_export.export.export`.
    """
    total = 0
    for name, recipe in recipes().items():
        path = path_of(name, folder)
        metadata = export(recipe, path)
        total += path.stat().st_size
        yield path, metadata
    if total > MOST_BYTES:
        raise OutputError(
            f"the files in {folder} take {total} bytes, not at most {MOST_BYTES}; "
            "leave one out of IN_8_BITS"
        )
