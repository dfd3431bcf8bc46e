"""SIGTERM ends a command as Ctrl-C does: what it was writing is removed, its processes end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminable() -> Iterator[None]:
    """Within, SIGTERM raises KeyboardInterrupt, unless somebody else has seen to that signal."""
    first = threading.current_thread() is threading.main_thread()
    if not first or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def finishing() -> Iterator[list[int]]:
    """Within, SIGINT and SIGTERM do nothing, so that a second Ctrl-C does not lose what is written.

    Yields:
        The signals that came, in their order.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {
        number: signal.signal(number, lambda which, _: came.append(which)) for number in numbers
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None is one of a library in C


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
