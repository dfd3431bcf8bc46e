"""Run a function in a process of its own, and hear from it while it works.

A row that is measured so sees neither the memory nor the threads of another, and one that is killed
for its memory, or crashes, takes no other with it.
"""

from __future__ import annotations

import io
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from fastdepth.errors import FastDepthError

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")

MOST = 10_000
"""Characters of an error that a row keeps."""

SECONDS_TO_END = 10.0
"""For a process that has answered."""

OVER = "not measured: the time for the whole run was over"
"""Why work that was stopped for that has no answer."""

Say = Callable[[str], None]
"""Told what is being done, for a progress bar."""


class ProcessError(FastDepthError):
    """Work that failed in a process of its own; the message is one line."""

    exit_status = 1


def in_own_process(
    work: Callable[Concatenate[Say, Arguments], Answer],
    say: Say,
    *arguments: Arguments.args,
    **options: Arguments.kwargs,
) -> Answer:
    """What ``work(say, *arguments, **options)`` answers in a new process, however long it takes.

    Raises:
        ProcessError: the work raised an exception, or its process died.
    """
    return _heard(None, None, work, say, arguments, options)


def within(
    silence: float,
    work: Callable[Concatenate[Say, Arguments], Answer],
    say: Say,
    *arguments: Arguments.args,
    **options: Arguments.kwargs,
) -> Answer:
    """What ``work(say, *arguments, **options)`` answers in a new process.

    Args:
        silence: the process is killed when it says nothing for so long [s].
        work: a function of a module, which the process imports.
        say: told what the work says, while it works.
        arguments: sent to the process.
        options: likewise.

    Raises:
        ProcessError: as :func:`in_own_process`, or its process was killed.
    """
    return _heard(silence, None, work, say, arguments, options)


def until(
    ends: float | None,
    work: Callable[Concatenate[Say, Arguments], Answer],
    say: Say,
    *arguments: Arguments.args,
    **options: Arguments.kwargs,
) -> Answer:
    """As :func:`in_own_process`, and killed when time is over.

    Args:
        ends: by ``time.monotonic`` [s]; None waits.
        work: as for :func:`within`.
        say: as for :func:`within`.
        arguments: as for :func:`within`.
        options: as for :func:`within`.

    Raises:
        ProcessError: as :func:`in_own_process`, or its process was killed.
    """
    return _heard(None, ends, work, say, arguments, options)


def _heard(
    silence: float | None,
    ends: float | None,
    work: Callable[..., Answer],
    say: Say,
    arguments: tuple[object, ...],
    options: dict[str, object],
) -> Answer:
    context = multiprocessing.get_context("spawn")  # forked threads of a runtime would hang
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, work, arguments, options))
    process.start()
    theirs.close()
    try:
        _next(ours, process, None, ends)  # that it has started, which takes seconds
        while True:
            kind, value = _next(ours, process, silence, ends)
            if kind == "answer":
                return cast("Answer", value)
            if kind == "error":
                raise ProcessError(value)
            say(value)
    finally:
        ours.close()
        process.join(0 if sys.exc_info()[0] is KeyboardInterrupt else SECONDS_TO_END)
        process.kill()  # it has ended already, unless it hangs or this process was interrupted
        process.join()


def one_line(error: Exception) -> str:
    """An exception in one line; its type too where it is none of fastdepth's own."""
    message = " ".join(str(error).split())[:MOST]
    return message if isinstance(error, FastDepthError) else f"{type(error).__name__}: {message}"


def _next(
    connection: Connection, process: BaseProcess, silence: float | None, ends: float | None
) -> tuple[str, Any]:
    """The next message.

    Raises:
        ProcessError: there will be none, or none came for too long.
    """
    left = None if ends is None else max(0.0, ends - time.monotonic())
    waits = [seconds for seconds in (silence, left) if seconds is not None]
    if not connection.poll(min(waits, default=None)):
        process.kill()
        if silence is None:
            raise ProcessError(OVER)
        raise ProcessError(
            f"a step of it did not end within {silence:g} s and was stopped; "
            "give it longer by --time-limit, or use another file"
        )
    try:
        message: tuple[str, Any] = connection.recv()
        return message
    except EOFError:
        process.join()
        raise ProcessError(f"its process {_end(process.exitcode or 0)}") from None


def _end(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        hint = ", as one does that takes too much memory" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"
    return f"ended with status {status} and no answer"


class _Piped(io.TextIOWrapper):
    """No terminal, so that no progress bar of the work is drawn across the one of the parent."""

    def isatty(self) -> bool:
        return False


def _work(
    connection: Connection,
    work: Callable[..., object],
    arguments: tuple[object, ...],
    options: dict[str, object],
) -> None:
    """What the process does."""
    if sys.stderr:
        sys.stderr = _Piped(sys.stderr.buffer, line_buffering=True)
    try:
        _answer(connection, work, arguments, options)
    except (KeyboardInterrupt, BrokenPipeError):  # the parent was interrupted, which tells, or died
        sys.exit(130)


def _answer(
    connection: Connection,
    work: Callable[..., object],
    arguments: tuple[object, ...],
    options: dict[str, object],
) -> None:
    """Send that it begins, what the work says and answers, or why it failed."""
    connection.send(("began", None))
    try:
        answer = work(lambda text: connection.send(("said", text)), *arguments, **options)
        connection.send(("answer", answer))
    except Exception as error:  # whatever a runtime throws is told in one line
        connection.send(("error", one_line(error)))
