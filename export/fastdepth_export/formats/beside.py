"""The file beside an export whose own files have no place for metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fastdepth.documents import parse
from fastdepth.errors import ModelFileError
from fastdepth.files import check_regular, file_hash, read_bytes
from fastdepth.metadata import ModelMetadata

AGAIN = "copy all files of the export, or run fastdepth-export again"


@dataclass(frozen=True)
class _Contents:
    """Of the file: hashes of the others by their suffixes, the metadata as JSON and their hash."""

    files: dict[str, str]
    metadata: str
    metadata_hash: str


def describe(path: Path, files: Sequence[Path], metadata: ModelMetadata) -> None:
    """Write the metadata of an export, with their hash and those of its files.

    Args:
        path: to write.
        files: what it describes, whole by now.
        metadata: of them.
    """
    hashes = {file.suffix: file_hash(file) for file in files}
    text = metadata.to_json()
    path.write_text(json.dumps(asdict(_Contents(hashes, text, _hash(text))), indent=2))


def read_described(path: Path, files: Sequence[Path]) -> ModelMetadata:
    """The metadata beside an export, once its files are known to be those that were described.

    Raises:
        ModelFileError: a file is missing or not of this export, or the metadata are damaged.
    """
    for file in (*files, path):
        check_regular(file, ModelFileError, f"; {AGAIN}")
    name = f"the description {path}"
    found = parse(read_bytes(path, ModelFileError), _Contents, name, AGAIN, ModelFileError)
    for file in files:
        if found.files.get(file.suffix) != file_hash(file):
            raise ModelFileError(f"{file} is not the file that {path} describes; {AGAIN}")
    if found.metadata_hash != _hash(found.metadata):
        raise ModelFileError(f"{path} is damaged; {AGAIN}")
    return ModelMetadata.from_json(found.metadata, str(path))


def _hash(text: str) -> str:
    """SHA-256 of the metadata as they are written."""
    return hashlib.sha256(text.encode()).hexdigest()
