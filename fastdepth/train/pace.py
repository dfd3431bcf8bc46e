"""How fast training goes, and what it waits for."""

from __future__ import annotations

WAITING_LIMIT = 0.2  # share of the time above which more workers would help


class Pace:
    """Counts pictures, time of steps, of preparing pictures, and of waiting for them.

    Args:
        workers: processes that prepare pictures for one that trains; with 0 it does so itself.
    """

    def __init__(self, workers: int = 0) -> None:
        self._workers = max(workers, 1)
        self._images, self._seconds = 0, 0.0
        self._worked, self._prepared = 0.0, 0.0
        self._window, self._waited = 0.0, 0.0

    def add(self, images: int, waited: float, worked: float, prepared: float = 0.0) -> None:
        """Count a step in.

        Args:
            images: pictures of all processes.
            waited: before the step, for its pictures [s].
            worked: in the step [s].
            prepared: what the workers of one process took for its share of the pictures [s].
        """
        if self._images:  # the first wait is that for the workers to start
            self._window += waited + worked
            self._waited += waited
        self._images += images
        self._seconds += waited + worked
        self._worked += worked
        self._prepared += prepared

    @property
    def images_per_second(self) -> float:
        """Pictures per second so far, waiting included; 0 before the first step."""
        return self._images / self._seconds if self._seconds else 0.0

    @property
    def step_images_per_second(self) -> float:
        """Pictures per second that the step alone could take; 0 before the first."""
        return self._images / self._worked if self._worked else 0.0

    @property
    def loader_images_per_second(self) -> float:
        """Pictures per second that all workers together could prepare; 0 where unknown."""
        return self._workers * self._images / self._prepared if self._prepared else 0.0

    def waiting(self) -> float:
        """Share of the time that went into waiting since this was last asked."""
        share = self._waited / self._window if self._window else 0.0
        self._window, self._waited = 0.0, 0.0
        return share
