"""An iterator that runs in a thread of its own, a few items ahead of whoever takes them.

Two of them, one on the other, are a pipeline: frames are decoded while the one before is predicted
while the one before that is used.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import cv2

from fastdepth.errors import FastDepthError

Item = TypeVar("Item")

_WAKE = 0.5
"""How long a wait lasts before it is begun again [s], so that interrupts come through anywhere."""


class Ahead(Generic[Item]):
    """Takes items of an iterator in a thread, and hands them on in their order.

    Args:
        items: is used in the thread alone, and closed there where it has a ``close``.
        most: items that wait at most; the thread waits while there are so many.
        stage: what it does, for messages and the thread's name.
        dropping: instead of waiting, drop the oldest that waits.

    Attributes:
        dropped: items that were dropped.
    """

    def __init__(
        self, items: Iterator[Item], *, most: int, stage: str, dropping: bool = False
    ) -> None:
        self.dropped = 0
        self._items = items
        self._most = most
        self._stage = stage
        self._dropping = dropping
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._stopped = self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"fastdepth-{stage}", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        """The next item, as soon as there is one.

        Raises:
            FastDepthError: the iterator raised it, after all items before it were taken.
        """
        with self._changed:
            while not (self._waiting or self._ended or self._stopped):
                self._changed.wait(_WAKE)
            if self._waiting:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def stop(self) -> None:
        """Let the thread end after what it is at; nothing more is handed on."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; whether it came."""
        if self._thread is not threading.current_thread():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
            self._close()
        except FastDepthError as own:
            error = own
        except BaseException as other:
            error = _as_own(self._stage, other)
        with self._changed:
            self._error = None if self._stopped else error
            self._ended = True
            self._changed.notify_all()

    def _put(self, item: Item) -> bool:
        """Let an item wait to be taken; False where nobody takes any more."""
        with self._changed:
            while len(self._waiting) >= self._most and not self._stopped:
                if self._dropping:
                    self._waiting.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait(_WAKE)
            if not self._stopped:
                self._waiting.append(item)
                self._changed.notify_all()
            return not self._stopped

    def _close(self) -> None:
        with contextlib.suppress(AttributeError):
            self._items.close()  # type: ignore[attr-defined]


def beside(function: Callable[[], Item]) -> Item:
    """What a function returns or raises, called in a thread, so that an interrupt need not wait."""
    done: list[Item | BaseException] = []

    def call() -> None:
        try:
            done.append(function())
        except BaseException as error:
            done.append(error)

    thread = threading.Thread(target=call, name="fastdepth-opening", daemon=True)
    thread.start()
    while not done:
        thread.join(_WAKE)
    (found,) = done
    if isinstance(found, BaseException):
        raise found
    return found


def _as_own(stage: str, error: BaseException) -> FastDepthError:
    """An error of another library, or a defect of ours, as one that the consumer can expect."""
    text = error.err if isinstance(error, cv2.error) else str(error)
    if isinstance(error, MemoryError):
        text = "not enough memory; make the frames smaller"
    raised = FastDepthError(f"{stage} failed: {text or type(error).__name__}")
    raised.__cause__ = error
    return raised
