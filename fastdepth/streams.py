"""Standard streams that may be closed, full, narrow, or shown by a terminal that obeys them.

A terminal does what escape sequences say, wherever they come from: names of files, results files,
metadata. :func:`printable` is for all text that is shown.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

NARROWEST, WIDEST = 40, 1000
"""Columns of a terminal at least and at most, whatever it says of itself: help of one column would
take minutes."""


def printable(text: str) -> str:
    r"""Text in which whatever a terminal would obey, not show, is written as ``\x1b`` and the like.

    That is what Unicode calls other (control characters, those that turn the direction of writing,
    halves of pairs) and separators of lines.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def in_a_line(text: str) -> str:
    """The same in one line, words a space apart."""
    return printable(" ".join(text.split()))


def _shown(character: str) -> str:
    kind = unicodedata.category(character)
    hidden = kind[0] == "C" or kind in ("Zl", "Zp")
    return character.encode("unicode_escape").decode() if hidden else character


class Lost(io.TextIOWrapper):
    """Stands for a closed stream: text leads nowhere, and that there was some is remembered.

    Attributes:
        anything: whether there was some.
    """

    anything = False

    def write(self, text: str) -> int:
        """Take text."""
        self.anything = True
        return super().write(text)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Streams that any text can be written to, and a width that any help fits into.

    Where the process has no stdout or stderr (pythonw, ``2>&-``) a :class:`Lost` stands in.
    """
    with contextlib.ExitStack() as stack:
        for number, name in ((1, "stdout"), (2, "stderr")):
            stream = getattr(sys, name)
            if stream is None:
                setattr(sys, name, stack.enter_context(nowhere(number)))
                stack.callback(setattr, sys, name, None)
            elif isinstance(stream, io.TextIOWrapper):  # names of files are no Latin-1
                stack.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors="backslashreplace")
        stack.enter_context(_readable_width())
        yield


@contextmanager
def _readable_width() -> Iterator[None]:
    """Let ``$COLUMNS`` and ``$LINES`` say what the terminal has, within what can be read."""
    columns, lines = shutil.get_terminal_size()  # of the variables too, where they are numbers
    before = {name: os.environ.get(name) for name in ("COLUMNS", "LINES")}
    if before["COLUMNS"] is not None or columns < NARROWEST:
        os.environ["COLUMNS"] = str(min(max(columns, NARROWEST), WIDEST))
    if before["LINES"] is not None:
        os.environ["LINES"] = str(min(lines, WIDEST))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def nowhere(number: int) -> Lost:
    """A stream that leads nowhere, as does the file descriptor if it is closed.

    The next file that is opened would get its number, and whatever a library in C writes there.
    """
    try:
        os.fstat(number)
    except OSError:
        _lead_nowhere(number)
    return Lost(open(os.devnull, "wb"), encoding="utf-8", errors="replace")  # noqa: PTH123


def _lead_nowhere(number: int) -> None:
    """Let a file descriptor lead to the null device."""
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, number)
    os.set_inheritable(number, True)  # dup2 does nothing where both are one
    if handle != number:
        os.close(handle)


_REFUSED: dict[str, OSError] = {}
"""Why a stream did not take a text, by its name; told once."""


def write(name: str, text: str) -> None:
    """Write text to ``stdout`` or ``stderr``; where it is full, :func:`broken_streams` says so.

    Raises:
        BrokenPipeError: whoever read stdout has left, so that more need not be made.
    """
    try:
        stream = getattr(sys, name)
        stream.write(text)
        if name == "stderr":
            stream.flush()
    except BrokenPipeError:
        if name == "stdout":
            raise
    except OSError as error:
        _REFUSED[name] = error


def broken_streams() -> dict[str, str]:
    """Streams that did not take what was written to them, and why; a reader that left is no fault.

    They lead nowhere from now on, so that the flush at exit does not fail again.
    """
    found = {}
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        try:
            if name in _REFUSED:
                raise _REFUSED.pop(name)
            stream.flush()
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):  # io.UnsupportedOperation is both
                if stream.fileno() == number:
                    _lead_nowhere(number)
            if not isinstance(error, BrokenPipeError):
                found[name] = getattr(error, "strerror", None) or str(error)
    if isinstance(sys.stdout, Lost) and sys.stdout.anything:
        sys.stdout.anything = False
        found["stdout"] = "it is closed"
    return found
