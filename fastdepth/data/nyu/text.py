"""Manifests and lists as text: UTF-8, told by file and line where it is not."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path

from fastdepth.errors import DataError
from fastdepth.files import read_bytes

LARGEST = 2**25
"""Bytes of a manifest or list; 50,000 pairs take five million."""

MOST_LINES = 2**20
"""Lines of a manifest or list."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def read_text(path: Path) -> str:
    """The text of a manifest or a list, in UTF-8 with a byte-order mark or without.

    Raises:
        DataError: it is no regular file, or too large; see :func:`decode_text`.
    """
    return decode_text(read_bytes(path, DataError, LARGEST), path)


def decode_text(content: bytes, path: Path) -> str:
    """The text that a file's bytes are, without their byte-order mark.

    Raises:
        DataError: it is not UTF-8, or has control characters, which no name has; with the line.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} line 1 is UTF-16; save the file as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise DataError(f"{path} line {line} is not UTF-8; save the file as UTF-8") from None
    text = text.removesuffix("\x1a")  # the end of a file as DOS wrote it
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise DataError(
            f"{path} line {line} has the control character {control[0]!r}; save it as plain UTF-8"
        )
    return text


def lines_of(text: str, path: Path) -> Iterator[str]:
    """The lines of a text one by one, however they end; as the module csv wants them.

    Raises:
        DataError: there are more than ``MOST_LINES``.
    """
    for number, line in enumerate(io.StringIO(text, newline="")):
        if number >= MOST_LINES:
            raise DataError(f"{path} has more than {MOST_LINES} lines; part it into several")
        yield line
