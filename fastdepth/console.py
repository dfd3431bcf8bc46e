"""What all command lines share: one-line errors, exit statuses, and progress bars."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from fastdepth.errors import FastDepthError, UsageError

Options = TypeVar("Options")

Advance = Callable[..., None]
"""``advance(steps=1, note="")`` moves a progress bar."""


def silent(steps: int = 1, note: str = "") -> None:
    """An :data:`Advance` that moves no progress bar."""


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
    try:
        return body(_parse(options, prog, description, arguments)) or 0
    except FastDepthError as error:
        message = " ".join(str(error).split())
        print(f"{prog}: {message}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (for the flush at exit)
        return 0


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
    columns = list(zip(*rows, strict=True))
    right = [all(cell[:1].isdigit() or cell == "-" for cell in column) for column in columns]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table()
        for heading, number in zip(headings, right, strict=True):
            whole = number or all(" " not in row[len(table.columns)] for row in rows)
            justify: Any = "right" if number else "left"
            title = heading.replace(" ", "\n") if whole else heading
            table.add_column(title, justify=justify, no_wrap=whole, overflow="fold")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        print("  ".join(cells).rstrip())


@contextmanager
def progress(description: str, total: int | None, *, shown: bool = True) -> Iterator[Advance]:
    """A progress bar on the terminal's stderr; silent where stderr is piped, or not ``shown``.

    Yields:
        A function ``advance(steps=1, note="")``.
    """
    if not (shown and sys.stderr.isatty()):
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
    """Print a line for the user's eyes; output proper goes to stdout instead."""
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
