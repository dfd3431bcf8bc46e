"""What all command lines share: verbs, one-line errors, exit statuses, tables, progress bars."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from fastdepth.errors import FastDepthError, UsageError, look_up
from fastdepth.extras import load
from fastdepth.streams import broken_streams, in_a_line, printable, usable_streams, write
from fastdepth.termination import terminable

Options = TypeVar("Options")

Advance = Callable[..., None]
"""``advance(steps=1, note="")`` moves a progress bar."""


LONGEST = 1_500
"""Characters of a line for the user's eyes; it tells of names and numbers, however long."""

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

    What the user did wrong, or what the machine does not have, is printed as one line and gives
    status 2; an interrupt gives 130.

    Args:
        options: a dataclass whose fields are the options.
        body: does the work; None counts as 0.
        prog: name of the command.
        description: text above the list of options; ends in examples.
        arguments: words after the command's name; None takes those of the process.
    """

    def call() -> int | None:
        from fastdepth.ranges import check_ranges  # with tyro, which what is embedded needs not

        parsed = _parse(options, prog, description, arguments)
        check_ranges(parsed)
        try:
            Path.cwd()
        except OSError:  # some libraries end the process where there is none
            raise UsageError("the working folder is gone; change to one that is there") from None
        return body(parsed)

    return _guarded(prog, call)


def values_of(command: Any, kind: Any) -> dict[str, Any]:
    """The fields of a frozen type by name, out of a command line that is one with more."""
    return {field.name: getattr(command, field.name) for field in fields(kind)}


def _guarded(prog: str, body: Callable[[], int | None]) -> int:
    """What a body answers, or how it ended; 2 where a stream did not take its text."""
    with usable_streams():
        leaving, reason, status = None, "", 0
        try:
            status = _status(prog, body)
        except SystemExit as left:  # help was asked for
            leaving = left
        except (MemoryError, RecursionError, OSError, RuntimeError) as error:  # as a last resort
            reason, status = _reason(error), 2
            if not reason:
                raise
        broken = broken_streams()
        if reason and not broken:
            tell(f"{prog}: {reason}")
        for name, why in broken.items():
            line = f"{prog}: cannot write to {name}: {why}"
            (say if name == "stderr" and not status else tell)(line)
        broken |= broken_streams()  # by these lines
        if leaving and not broken:
            raise leaving
        return 2 if broken else status


def _status(prog: str, body: Callable[[], int | None]) -> int:
    try:
        with terminable():
            return body() or 0
    except FastDepthError as error:
        tell(f"{prog}: {error}")
        return error.exit_status
    except BrokenPipeError:  # whoever read our output has seen enough
        return 0
    except (KeyboardInterrupt, ImportError) as error:
        if not _interrupted(error):
            raise
        tell(f"{prog}: interrupted")
        return 130


def _interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt is at the root; modules in C++ make an ImportError of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _reason(error: Exception) -> str:
    """Why the machine did not do what it was asked to; empty where the defect is ours."""
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else "a file or stream: "
        return f"{name}{error.strerror or error or type(error).__name__}"
    if isinstance(error, RecursionError):
        return "something is nested too deep"
    short = isinstance(error, MemoryError) or re.search(_NO_MEMORY, str(error), re.IGNORECASE)
    return "not enough memory; ask for less at once, or free some" if short else ""


_NO_MEMORY = "out of memory|not enough memory|can't allocate memory|bad_alloc"
"""What libraries say that raise a RuntimeError of it: PyTorch, ONNX Runtime."""


def _parse(
    options: Callable[..., Options], prog: str, description: str, arguments: Sequence[str] | None
) -> Options:
    """The options that the words mean; tyro's boxed complaint becomes a UsageError of one line."""
    import tyro

    words = list(sys.argv[1:] if arguments is None else arguments)
    _check_words(words)
    config = (tyro.conf.UseAppendAction, tyro.conf.FlagCreatePairsOff)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(options, prog=prog, description=description, args=words, config=config)
    except SystemExit as left:
        if not left.code:
            raise
        _heading, _, text = complaint.getvalue().strip().partition("\n")
        text = re.sub(r"\x1b\[[0-9;]*m|[╰╯─│]|-{9,}", " ", text)
        raise UsageError(" ".join(text.split()).partition(" Got errors:")[0]) from None


def _check_words(words: Sequence[str]) -> None:
    """Refuse what a shell makes of a variable that is not set, and what no file can be called."""
    named = ""
    for number, word in enumerate(words, 1):
        option, equals, value = word.partition("=") if word[:2] == "--" else (named, "=", word)
        option = option or f"word {number} of the command line"
        named = word if word[:2] == "--" and not equals else ""
        if equals and not value.strip():
            raise UsageError(f"{option} is empty; leave it out, or say what it should be")
        if "\0" in word:
            raise UsageError(f"{option} holds a NUL character; leave that out")


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
        table.add_row(*map(printable, row))
    plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
    if ruled:
        Console(**plain).print(table)
        return
    drawn = io.StringIO()
    Console(**plain, file=drawn, width=WIDE, color_system=None, force_terminal=False).print(table)
    write("stdout", "".join(f"{line.rstrip()}\n" for line in drawn.getvalue().splitlines()))


def is_wide(columns: int) -> bool:
    """Whether stdout is no terminal, or one of at least so many columns."""
    return not sys.stdout.isatty() or shutil.get_terminal_size().columns >= columns


@contextmanager
def progress(description: str, total: int | None, *, shown: bool = True) -> Iterator[Advance]:
    """A progress bar on the terminal's stderr; silent where that is no terminal, or not ``shown``.

    One inside another stands below it, and is gone when it ends.

    Yields:
        A function ``advance(steps=1, note="")``.
    """
    if not (shown and sys.stderr and sys.stderr.isatty()):
        yield silent
        return
    with _bars() as bars:
        task = bars.add_task(printable(description), total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            bars.advance(task, steps)
            if note:
                bars.update(task, note=printable(note))

        try:
            yield advance
        finally:
            if len(bars.tasks) > 1:  # the outermost is drawn once more, at its end
                bars.remove_task(task)


_open: list[Any] = []
"""The bars on the terminal, a ``rich.progress.Progress``, while there are any."""


@contextmanager
def _bars() -> Iterator[Any]:
    """Those that are on the terminal, or new ones: two would write over each other."""
    if _open:
        yield _open[0]
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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),  # names of files
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        _open.append(bars)
        try:
            yield bars
        finally:
            _open.clear()


def tell(text: str) -> None:
    """Print a line for the user's eyes, if there is a stderr; output proper goes to stdout."""
    if sys.stderr:
        write("stderr", f"{_one_line(text)}\n")


def say(text: str) -> None:
    """Print lines of output proper to stdout."""
    write("stdout", "".join(f"{printable(line)}\n" for line in text.split("\n")))


def _one_line(text: str) -> str:
    line = in_a_line(text)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


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
