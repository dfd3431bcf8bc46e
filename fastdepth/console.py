"""What all command lines share: verbs, one-line errors, exit statuses, tables, progress bars."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, TextIO, TypeVar

from fastdepth.errors import FastDepthError, UsageError, look_up
from fastdepth.extras import load
from fastdepth.termination import terminable

Options = TypeVar("Options")

Advance = Callable[..., None]
"""``advance(steps=1, note="")`` moves a progress bar."""


WIDE = 10_000
"""Columns of a table that is piped: no cell is broken or cut."""


def silent(steps: int = 1, note: str = "") -> None:
    """An :data:`Advance` that moves no progress bar."""


@dataclass(frozen=True)
class Verb:
    """One of the things that a command does; each command has one list of them.

    Attributes:
        name: the word after the command's.
        summary: its line in the command's help.
        module: has its ``main(arguments)``; imported when the verb is called, not before.
        extra: extra of fastdepth that the module needs; empty for none.
    """

    name: str
    summary: str
    module: str
    extra: str = ""


def run_verb(prog: str, verbs: Sequence[Verb], arguments: Sequence[str] | None = None) -> int:
    """Call the verb that the first word names, or the first of all where options come first.

    Args:
        prog: name of the command.
        verbs: all of them.
        arguments: words after the command's name; None takes those of the process.

    Returns:
        Exit status, as :func:`run_command` has it.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    verb = verbs[0].name if not words or words[0].startswith("-") else words.pop(0)

    def call() -> int:
        entry = look_up("verb", verb, {each.name: each for each in verbs})
        return int(load(entry.module, entry.extra).main(words))

    return _guarded(prog, call)


def list_verbs(verbs: Sequence[Verb]) -> str:
    """A paragraph of a command's help: a line a verb."""
    wide = max(len(verb.name) for verb in verbs)
    lines = [f"  {verb.name:<{wide}}  {verb.summary}" for verb in verbs]
    return "\n".join(["Verbs, each with a --help of its own:\n", *lines])


def run_command(
    options: Callable[..., Options],
    body: Callable[[Options], int | None],
    *,
    prog: str,
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse a command line into ``options``, run ``body`` on it, return the exit status.

    What the user did wrong is printed as one line and gives status 2; an interrupt gives 130.

    Args:
        options: a dataclass whose fields are the options.
        body: does the work; None counts as 0.
        prog: name of the command.
        description: text above the list of options; ends in examples.
        arguments: words after the command's name; None takes those of the process.
    """
    return _guarded(prog, lambda: body(_parse(options, prog, description, arguments)))


def values_of(command: Any, kind: Any) -> dict[str, Any]:
    """The fields of a frozen type by name, out of a command line that is one with more."""
    return {field.name: getattr(command, field.name) for field in fields(kind)}


def _guarded(prog: str, body: Callable[[], int | None]) -> int:
    """What a body answers, or the status of how it ended."""
    with _streams():
        try:
            with terminable():
                return body() or 0
        except FastDepthError as error:
            tell(f"{prog}: {' '.join(str(error).split())}")
            return error.exit_status
        except KeyboardInterrupt:
            tell(f"{prog}: interrupted")
            return 130
        except BrokenPipeError:  # whoever read our output has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (for the flush at exit)
            return 0


@contextmanager
def _streams() -> Iterator[None]:
    """Lead output nowhere where the process has no stdout or stderr (pythonw, ``2>&-``)."""
    with contextlib.ExitStack() as stack:
        for number, name in ((1, "stdout"), (2, "stderr")):
            if getattr(sys, name) is None:
                setattr(sys, name, stack.enter_context(_nowhere(number)))
                stack.callback(setattr, sys, name, None)
        yield


def _nowhere(number: int) -> TextIO:
    """A stream that leads nowhere, as does the file descriptor if it is closed.

    The next file that is opened would get its number, and whatever a library in C writes there.
    """
    try:
        os.fstat(number)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
        os.dup2(handle, number)
        os.set_inheritable(number, True)  # dup2 does nothing where both are one
        if handle != number:
            os.close(handle)
    return open(os.devnull, "w")  # noqa: PTH123


def _parse(
    options: Callable[..., Options], prog: str, description: str, arguments: Sequence[str] | None
) -> Options:
    """The options that the words mean; tyro's boxed complaint becomes a UsageError of one line."""
    import tyro

    words = None if arguments is None else list(arguments)
    config = (tyro.conf.UseAppendAction, tyro.conf.FlagCreatePairsOff)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(options, prog=prog, description=description, args=words, config=config)
    except SystemExit as left:
        if not left.code:
            raise
        text = re.sub(r"\x1b\[[0-9;]*m|[╭╮╰╯─│]", " ", complaint.getvalue())
        raise UsageError(" ".join(text.split())) from None


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table to stdout: ruled on a terminal, plain lines of aligned columns where piped.

    Args:
        headings: one a column.
        rows: cells; a column whose cells all begin with a digit or are ``-`` stands to the right.
    """
    from rich.console import Console
    from rich.table import Table

    ruled = sys.stdout.isatty()
    table = Table() if ruled else Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading, *cells in zip(headings, *rows, strict=True):
        number = all(cell[:1].isdigit() or cell == "-" for cell in cells)
        whole = not ruled or number or all(" " not in cell for cell in cells)
        title = heading.replace(" ", "\n") if ruled and whole else heading
        justify: Any = "right" if number else "left"
        table.add_column(title, justify=justify, no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    if ruled:
        Console(**plain).print(table)
        return
    console = Console(**plain, width=WIDE, color_system=None, force_terminal=False)
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in drawn.get().splitlines())


@contextmanager
def progress(description: str, total: int | None, *, shown: bool = True) -> Iterator[Advance]:
    """A progress bar on the terminal's stderr; silent where that is no terminal, or not ``shown``.

    Yields:
        A function ``advance(steps=1, note="")``.
    """
    if not (shown and sys.stderr and sys.stderr.isatty()):
        yield silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            bar.advance(task, steps)
            if note:
                bar.update(task, note=note)

        yield advance


def tell(text: str) -> None:
    """Print a line for the user's eyes, if there is a stderr; output proper goes to stdout."""
    if sys.stderr:
        with contextlib.suppress(OSError):  # a full disk, a reader that has left
            print(text, file=sys.stderr, flush=True)


class Stopwatch:
    """Seconds since it was made or its last lap."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def lap(self) -> float:
        """Elapsed time [s]; begin again at 0."""
        now = time.monotonic()
        elapsed, self._start = now - self._start, now
        return elapsed

    @property
    def seconds(self) -> float:
        """Elapsed time [s]."""
        return time.monotonic() - self._start
