"""Stop a loop politely: at the end of a step, on Ctrl-C, on termination, or after a time."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Mapping
from types import FrameType, TracebackType

from fastdepth.console import Stopwatch
from fastdepth.metrics import METRICS


class StopRequest:
    """A context that turns the first SIGINT or SIGTERM into a request; a second one interrupts.

    Among several processes no signal interrupts: whoever sends one to all of them may reach each
    twice, by torchrun and by the terminal.

    Attributes:
        signalled: whether a signal asked for the stop.
    """

    def __init__(self, max_minutes: float | None = None, *, alone: bool = True) -> None:
        self.signalled = False
        self._alone = alone
        self._limit = max_minutes
        self._watch = Stopwatch()
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.signalled and self._alone:
            raise KeyboardInterrupt
        self.signalled = True

    @property
    def due(self) -> bool:
        """Whether to stop now."""
        late = self._limit is not None and self._watch.seconds > 60 * self._limit
        return self.signalled or late


class Improvement:
    """Follows one figure of the validations.

    Attributes:
        monitor: ``loss`` or a metric's name.
        patience: validations without a better one until it is time to stop; None for never.
        best: the best value so far, infinitely bad before the first.
        stale: validations since then.
    """

    def __init__(self, monitor: str, patience: int | None) -> None:
        self.monitor, self.patience, self.stale = monitor, patience, 0
        self._higher = monitor in METRICS and METRICS[monitor].higher_is_better
        self.best = -math.inf if self._higher else math.inf

    def update(self, scores: Mapping[str, float]) -> bool:
        """Count a validation in; whether it is the best so far."""
        value = scores[self.monitor]
        better = value > self.best if self._higher else value < self.best
        self.best, self.stale = (value, 0) if better else (self.best, self.stale + 1)
        return better

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self.stale >= self.patience
