"""JSON from elsewhere, validated where it enters: keys, types and ranges as a type declares."""

from __future__ import annotations

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
        data: UTF-8 JSON.
        kind: dataclass, ``dict[str, ...]`` or the like; ``Annotated[float, msgspec.Meta(gt=0)]``
            declares a range.
        name: what messages call the document.
        mend: end of the message: what to do about it.
        error: what is raised.
        infinite: NaN and infinity, which are no JSON, are read as Python writes them.

    Raises:
        InputError: ``error``; it is no JSON, nested too deep, or not of that type.
    """
    try:
        if infinite:
            return msgspec.convert(json.loads(data), kind)
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as fault:
        raise error(f"{name}: {str(fault)[:MOST]}; {mend}") from None
    except (ValueError, RecursionError):  # UTF-8, syntax, nesting
        raise error(f"{name} is not JSON; {mend}") from None
