"""What sources and pipeline hand on: frames, and what became of those that cannot be used."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 100
"""Problems whose lines are kept; a camera's may have no end."""


@dataclass(frozen=True, eq=False)
class Still:
    """A frame as its source has it.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        time: since the first frame, by the source's own clock [s].
        number: of the frame, from 0; those that were skipped are counted.
    """

    image: NDArray[np.uint8]
    time: float
    number: int


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame with its depth.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        depth: (H, W) float32 along the optical axis [m].
        time: since the first frame, by the source's own clock [s].
        number: of the frame, from 0; those that were skipped or dropped are counted.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    time: float
    number: int


class Faults:
    """Frames that cannot be used: named, counted, and the others go on.

    Args:
        tell: is given the line of each; None keeps the last ones in :attr:`lines` alone.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.count = 0
        self.lines: deque[str] = deque(maxlen=REMEMBERED)
        self._tell = tell
        self._lock = threading.Lock()  # sources and models have threads of their own

    def add(self, line: str) -> None:
        """Count a frame, or the lost end of a clip."""
        with self._lock:
            self.count += 1
            self.lines.append(line)
        if self._tell is not None:
            self._tell(line)


class Source(Protocol):
    """Where frames come from; iterated once.

    Attributes:
        name: what messages call it.
        rate: frames a second as it says of itself; may vary from frame to frame.
        count: number of frames as it says of itself; None where it does not, or has no end.
        live: whether frames are made now, so that they are lost where nobody takes them.
    """

    name: str
    rate: float
    count: int | None
    live: bool

    def __iter__(self) -> Iterator[Still]:
        """Frames in their order; closes the source at its end."""
        ...
