"""Every error that fastdepth raises on purpose, in one tree.

::

    FastDepthError
    ├── UsageError             an argument or option that cannot work
    │   ├── UnknownNameError   a variant, protocol, runtime ... that does not exist
    │   └── SizeError          an input size that the network cannot take
    ├── MissingExtraError      an optional package is not installed
    ├── InputError             something given could not be read
    │   ├── ImageError         an image or an array of pixels
    │   ├── DataError          a folder or file of depth data
    │   ├── ModelFileError     an exported model
    │   └── WeightsError       a file of trained weights
    ├── DeviceError            a device or execution provider that is not really there
    ├── OutputError            a file that could not be written
    ├── ParityError            an exported file that does not compute what PyTorch computes
    └── DivergenceError        a training loss that is not a finite number

A message is one line that says how to mend it. The command lines print it without a traceback
and leave with ``exit_status``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Entry = TypeVar("Entry")

MOST = 100
"""Characters of a file that a message repeats."""


def quoted(text: str) -> str:
    """What a message repeats of a file: in quotes, printable, not too long."""
    return repr(text if len(text) <= MOST else f"{text[:MOST]}...")


class FastDepthError(Exception):
    """Base of the tree; catching it catches everything that fastdepth raises on purpose."""

    exit_status = 2


class UsageError(FastDepthError, ValueError):
    """An argument or option that cannot work."""


class UnknownNameError(UsageError):
    """A name that is not in a table; the message lists the table and the nearest match."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f" did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {kind} {name!r};{hint} known: {', '.join(names)}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).__new__, (type(self), *self.args)  # as a process is told it: its message


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """The entry of a table.

    Raises:
        UnknownNameError: there is none of that name; the message lists all and the nearest.
    """
    if name not in table:
        raise UnknownNameError(kind, name, table)
    return table[name]


class SizeError(UsageError):
    """An input size that the network cannot take; the message names the nearest that work."""


class MissingExtraError(FastDepthError, ImportError):
    """An optional package is not installed; the message is the pip line that installs it."""


class InputError(FastDepthError, ValueError):
    """Something given could not be read."""


class ImageError(InputError):
    """An image file, or an array given as an image, that cannot be used."""


class DataError(InputError):
    """A folder or file of depth data that cannot be used."""


class ModelFileError(InputError):
    """An exported model that is missing, truncated or not written by fastdepth."""


class WeightsError(InputError):
    """A weights file that is missing, truncated or belongs to another network."""


class DeviceError(FastDepthError, RuntimeError):
    """A device or execution provider that was asked for and is not really there."""


class OutputError(FastDepthError, OSError):
    """A file that could not be written; what stood there before is still whole."""


class ParityError(FastDepthError):
    """An exported file that does not compute what PyTorch computes; it is not written."""

    exit_status = 1


class DivergenceError(FastDepthError, ArithmeticError):
    """A training loss that is not a finite number; the checkpoint from before is still whole."""

    exit_status = 1
