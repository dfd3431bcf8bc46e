"""Metadata behind a file's bytes: found whole or refused in a line, whatever became of the file."""

from __future__ import annotations

import io
import zipfile

import pytest
from tiny_onnx import METADATA

from fastdepth.errors import ModelFileError
from fastdepth_export.formats.behind import MEMBER, MOST_TEXT, read_with, write_with

GRAPH = b"\x1c\0\0\0TFL3" + bytes(64)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.tflite"
    write_with(path, GRAPH, METADATA)
    return path


def archive(content, kind=zipfile.ZIP_STORED):
    """A ZIP archive with this in the place of the metadata."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", kind) as made:
        made.writestr(MEMBER, content)
    return held.getvalue()


def test_both_come_back(file):
    assert read_with(file, "litert") == (GRAPH, METADATA)
    assert file.read_bytes().startswith(GRAPH)
    assert zipfile.ZipFile(file).namelist() == ["fastdepth.json"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[:-9], "has no fastdepth metadata"),
        (lambda content: GRAPH, "has no fastdepth metadata.*--format litert"),
        (lambda content: b"", "has no fastdepth metadata"),
        (lambda content: b"PK" + content[2:], "is damaged; run fastdepth-export again"),
        (lambda content: content[1:], "is damaged"),
        (lambda content: GRAPH + archive("[]"), "the metadata of .*; run fastdepth-export again"),
        (
            lambda content: GRAPH + archive(bytes(MOST_TEXT + 1), zipfile.ZIP_DEFLATED),
            "has no fastdepth metadata",
        ),
    ],
    ids=["truncated", "of another program", "empty", "changed", "cut", "no object", "too much"],
)
def test_damaged_files_are_one_line(file, spoil, message):
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(ModelFileError, match=message):
        read_with(file, "litert")


def test_a_turned_bit_is_noticed_or_changes_nothing(file):
    content = file.read_bytes()
    for bit in range(8 * len(content)):
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        file.write_bytes(turned)
        try:
            read = read_with(file, "litert")
        except ModelFileError:
            continue
        assert read == (GRAPH, METADATA), f"bit {bit} of {8 * len(content)}"
