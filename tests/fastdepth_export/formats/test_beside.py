"""A description beside an export's files is theirs and whole, or an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_onnx import METADATA

from fastdepth.errors import ModelFileError
from fastdepth_export.formats.beside import describe, read_described


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """A description, and the two files that it describes."""
    folder = tmp_path_factory.mktemp("described")
    files = [folder / "net.param", folder / "net.bin"]
    for file in files:
        file.write_bytes(file.name.encode())
    describe(folder / "net.json", files, METADATA)
    return folder / "net.json", files


def test_what_was_described_is_read(described):
    path, files = described
    assert read_described(path, files) == METADATA


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_a_changed_bit_changes_nothing_or_is_noticed(described, place, bit):
    path, files = described
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    damaged = path.with_name("damaged.json")
    damaged.write_bytes(content)
    found, message = None, ""
    try:
        found = read_described(damaged, files)
    except ModelFileError as error:
        message = str(error)
    assert (found == METADATA) != (str(damaged) in message and "\n" not in message)


@pytest.mark.parametrize(
    ("key", "value"), [("precision", "int8"), ("parity", 1e-9), ("batch", 7), ("variant", "other")]
)
def test_edited_metadata_are_refused(described, key, value):
    path, files = described
    contents = json.loads(path.read_text())
    metadata = json.loads(contents["metadata"])
    assert metadata[key] != value
    contents["metadata"] = json.dumps({**metadata, key: value})
    edited = path.with_name("edited.json")
    edited.write_text(json.dumps(contents))
    with pytest.raises(ModelFileError, match="edited.json is damaged; copy all files of the"):
        read_described(edited, files)


def test_a_file_of_another_export_is_refused(described, tmp_path):
    path, (first, second) = described
    other = tmp_path / second.name
    other.write_bytes(b"of another export")
    with pytest.raises(ModelFileError, match="net.bin is not the file that .*net.json describes"):
        read_described(path, [first, other])
