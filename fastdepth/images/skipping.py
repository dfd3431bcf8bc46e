"""Images that cannot be used: each is named on a line and counted, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2

from fastdepth.console import tell
from fastdepth.errors import DataError, ImageError

UNUSABLE = (ImageError, DataError, MemoryError, cv2.error)
"""What is raised where one image or what belongs to it is wrong, and not all of them are."""


def problem_of(error: BaseException, name: object) -> str:
    """Why an image cannot be used, in words that name it.

    Args:
        error: one of :data:`UNUSABLE`.
        name: of the image.
    """
    if isinstance(error, ImageError | DataError):
        return str(error)
    reason = getattr(error, "err", "") or "it does not fit into memory beside its depth"
    return f"{name}: {reason}; make it smaller"  # OpenCV has its own error for memory


@dataclass
class Skipped:
    """What is left out by a command.

    Attributes:
        prog: name of the command.
        count: images that were left out so far; a command that left out any ends in status 2.
    """

    prog: str
    count: int = 0

    def add(self, problem: str) -> None:
        """Count an image, and tell its problem."""
        self.count += 1
        tell(f"{self.prog}: {' '.join(problem.split())}")

    @contextmanager
    def unusable(self, name: object) -> Iterator[None]:
        """A block that uses an image of this name; where it cannot, it is left out."""
        try:
            yield
        except UNUSABLE as error:
            self.add(problem_of(error, name))
