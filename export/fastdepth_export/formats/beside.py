"""The file beside an export whose own files have no place for metadata."""

from __future__ import annotations

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
    """Of the file: hashes of the others by their suffixes, and the metadata as JSON."""

    files: dict[str, str]
    metadata: str


def describe(path: Path, files: Sequence[Path], metadata: ModelMetadata) -> None:
    """Write the metadata of an export, with the hashes of its files.

    Args:
        path: to write.
        files: what it describes, whole by now.
        metadata: of them.
    """
    hashes = {file.suffix: file_hash(file) for file in files}
    path.write_text(json.dumps(asdict(_Contents(hashes, metadata.to_json())), indent=2))


def read_described(path: Path, files: Sequence[Path]) -> ModelMetadata:
    """The metadata beside an export, once its files are known to be those that were described.

    Raises:
        ModelFileError: a file is missing, or is not of this export.
    """
    for file in (*files, path):
        check_regular(file, ModelFileError, f"; {AGAIN}")
    name = f"the description {path}"
    found = parse(read_bytes(path, ModelFileError), _Contents, name, AGAIN, ModelFileError)
    for file in files:
        if found.files.get(file.suffix) != file_hash(file):
            raise ModelFileError(f"{file} is not the file that {path} describes; {AGAIN}")
    return ModelMetadata.from_json(found.metadata, str(path))
