"""JSON from elsewhere, validated where it enters: keys, types and ranges as a type declares."""

from __future__ import annotations

import codecs
import json
from typing import TypeVar

import msgspec

from fastdepth.errors import InputError

Document = TypeVar("Document")

MOST = 100
"""Characters of what was found that a message repeats."""


def parse(
    data: bytes | str,
    kind: type[Document],
    name: str,
    mend: str,
    error: type[InputError],
    *,
    infinite: bool = False,
) -> Document:
    """A document of a declared type; unknown keys are ignored.

    Args:
        data: UTF-8 JSON, with a byte-order mark or without.
        kind: dataclass, ``dict[str, ...]`` or the like; ``Annotated[float, msgspec.Meta(gt=0)]``
            declares a range.
        name: what messages call the document.
        mend: end of the message: what to do about it.
        error: what is raised.
        infinite: NaN and infinity, which are no JSON, are read as Python writes them.

    Raises:
        InputError: ``error``; it is no JSON, nested too deep, or not of that type.
    """
    data = plain(data, name, error)
    try:
        if infinite:
            return msgspec.convert(json.loads(data), kind)
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as fault:
        raise error(f"{name}: {str(fault)[:MOST]}; {mend}") from None
    except (ValueError, RecursionError):  # UTF-8, syntax, nesting
        raise error(f"{name} is not JSON; {mend}") from None


def plain(data: bytes | str, name: str, error: type[InputError]) -> bytes | str:
    """A document without its byte-order mark, which programs on Windows write.

    Raises:
        InputError: ``error``; it is UTF-16 or UTF-32.
    """
    if not isinstance(data, bytes):  # text, or a part of a document
        return data
    if data.startswith(_WIDE) or b"\0" in data[:4]:
        raise error(f"{name} is UTF-16 or UTF-32; save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8)


_WIDE = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE
"""Marks of other encodings; that of UTF-32, the lesser end first, begins as UTF-16's does."""
