"""Metadata inside a file whose format has no place for them: in a ZIP archive behind its bytes.

Runtimes read from the front and leave alone what follows; TensorFlow Lite's own metadata lie so.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from fastdepth.documents import parse
from fastdepth.errors import ModelFileError
from fastdepth.files import read_bytes
from fastdepth.metadata import ModelMetadata
from fastdepth_export.formats.converting import AGAIN

MEMBER = "fastdepth.json"
"""Name of the metadata in the archive."""

MOST_TEXT = 2**20
"""Bytes that the metadata may take."""


@dataclass(frozen=True)
class _Contents:
    """Of the archive's member: SHA-256 of the graph before it, and the metadata as JSON."""

    graph: str
    metadata: str


def write_with(file: Path, graph: bytes, metadata: ModelMetadata) -> None:
    """Write a graph, and behind it the archive with the metadata."""
    file.write_bytes(graph)
    contents = _Contents(hashlib.sha256(graph).hexdigest(), metadata.to_json())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), json.dumps(asdict(contents)))


def read_with(path: Path, name: str) -> tuple[bytes, ModelMetadata]:
    """The graph and the metadata of a file.

    Args:
        path: the file.
        name: its format's, for messages.

    Raises:
        ModelFileError: it is missing, damaged, or of another program.
    """
    content = read_bytes(path, ModelFileError)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(MEMBER)
            if entry.compress_type or entry.file_size > MOST_TEXT:  # as no export of ours is
                raise KeyError(MEMBER)
            text = archive.read(entry)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError, RuntimeError):
        raise ModelFileError(
            f"{path} has no fastdepth metadata: it is damaged or of another program; "
            f"write the model with fastdepth-export --format {name}"
        ) from None
    found = parse(text, _Contents, f"the metadata of {path}", AGAIN, ModelFileError)
    graph = content[: entry.header_offset]
    if hashlib.sha256(graph).hexdigest() != found.graph:
        raise ModelFileError(f"{path} is damaged; {AGAIN}")
    return graph, ModelMetadata.from_json(found.metadata, str(path))
