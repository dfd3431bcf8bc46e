"""The lines of a list of images, in whatever encoding it was saved."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from fastdepth.errors import ImageError
from fastdepth.files import check_regular

LONGEST = 8192
"""Characters of a line; paths end sooner."""

_MARKS = {  # the longer ones first
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def lines(path: Path) -> Iterator[str]:
    """Lines that are not empty, without blanks around them.

    They are read as UTF-8, or as the mark at the list's beginning says. Bytes that are no UTF-8
    become what they are in names of files, or Latin-1 where there is such a file.

    Raises:
        ImageError: the list cannot be read, or has a line that no path can be.
    """
    check_regular(path, ImageError)
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
        named = (name for mark, name in _MARKS.items() if start.startswith(mark))
        encoding = next(named, "utf-8-sig")
        errors = "surrogateescape" if encoding == "utf-8-sig" else "replace"
        with path.open(encoding=encoding, errors=errors) as text:
            while line := text.readline(LONGEST):
                if len(line) == LONGEST:
                    raise ImageError(
                        f"{path} has a line of more than {LONGEST} characters; "
                        "give a list with a path a line"
                    )
                if line := line.strip(" \t\r\n"):
                    yield line if line.isascii() else _as_saved(line, path.parent)
    except (OSError, UnicodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "save it as UTF-8"
        raise ImageError(f"{path} cannot be read: {reason}; check it") from None


def _as_saved(line: str, folder: Path) -> str:
    """The line, or what it is in Latin-1 where that leads to a file and the line does not."""
    try:
        latin = os.fsencode(line).decode("cp1252")
    except UnicodeError:
        return line
    given = any("\udc80" <= character <= "\udcff" for character in line)
    if given and not os.path.lexists(folder / line) and os.path.lexists(folder / latin):
        return latin
    return line
