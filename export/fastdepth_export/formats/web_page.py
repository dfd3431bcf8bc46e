"""A page for browsers: a folder that any static server serves, built from an ONNX file.

The page lies ready in ``fastdepth_export/web_page``; ``web/build.py`` of the repository makes it of
the sources beside it. What is large is compressed there and written out by an export.
"""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Sequence
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth.errors import ModelFileError
from fastdepth.metadata import ModelMetadata

if TYPE_CHECKING:
    from fastdepth_export.verify import Verify

MAIN, MODEL = "index.html", "model.onnx"

PACKED = ".xz"
"""Suffix of files that are compressed in the package."""


def _page() -> dict[str, Traversable]:
    """Files of the page in the package, by their names in an export.

    Raises:
        ModelFileError: they are not there.
    """
    folder = resources("fastdepth_export") / "web_page"
    found = {path.name.removesuffix(PACKED): path for path in folder.iterdir()}
    if MAIN not in found:
        raise ModelFileError(f"{folder} has no page; install fastdepth again")
    return dict(sorted(found.items()))


def members() -> list[str]:
    """Names of the files in the folder that an export is; the first is the one to open."""
    return [MAIN, MODEL, *(name for name in _page() if name != MAIN)]


def content_of(name: str) -> bytes:
    """A file of the page as an export writes it."""
    path = _page()[name]
    return lzma.decompress(path.read_bytes()) if path.name.endswith(PACKED) else path.read_bytes()


def build(
    onnx_file: Path, files: Sequence[Path], metadata: ModelMetadata, verify: Verify
) -> ModelMetadata:
    """Put a page around an ONNX file.

    Args:
        onnx_file: with input ``image`` and output ``depth``; the page runs it as it is.
        files: what :func:`members` names, in one folder.
        metadata: of the ONNX file.
        verify: not called: the file was compared with PyTorch when it was made, and is copied.

    Returns:
        The metadata of the ONNX file.
    """
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == MODEL:
            shutil.copyfile(onnx_file, path)
        else:
            path.write_bytes(content_of(path.name))
    return metadata
