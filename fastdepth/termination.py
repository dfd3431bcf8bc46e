"""SIGTERM ends a command as Ctrl-C does: what it was writing is removed, its processes end."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminable() -> Iterator[None]:
    """Within, SIGTERM raises KeyboardInterrupt, unless somebody else has seen to that signal.

    An interrupt is not lost where it comes while Python calls what can raise nothing: a callback of
    the garbage collector's, a finaliser. It comes again then.
    """
    first = threading.current_thread() is threading.main_thread()
    if not first or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    before = sys.unraisablehook

    def ignored(fault: sys.UnraisableHookArgs) -> None:
        if issubclass(fault.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_soon, ())  # here it would be ignored once more
        else:
            before(fault)

    signal.signal(signal.SIGTERM, _interrupt)
    sys.unraisablehook = ignored
    try:
        yield
    finally:
        sys.unraisablehook = before
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


SOON = 0.05
"""Until an interrupt that was ignored comes again [s]."""


def _interrupt_soon() -> None:
    time.sleep(SOON)
    if signal.getsignal(signal.SIGTERM) is not _interrupt:  # the command has ended
        return
    if sys.platform == "win32":
        _thread.interrupt_main(signal.SIGTERM)
    else:  # which also wakes what waits
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
