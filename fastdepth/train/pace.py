"""How fast training goes, and what it waits for."""

from __future__ import annotations

WAITING_LIMIT = 0.2  # share of the time above which more workers would help


class Pace:
    """Counts pictures, time of steps, and time spent waiting for the loader."""

    def __init__(self) -> None:
        self._images, self._seconds = 0, 0.0
        self._window, self._waited = 0.0, 0.0

    def add(self, images: int, waited: float, worked: float) -> None:
        """Count a step in: pictures of all processes, and seconds before and in the step."""
        if self._images:  # the first wait is that for the workers to start
            self._window += waited + worked
            self._waited += waited
        self._images += images
        self._seconds += waited + worked

    @property
    def images_per_second(self) -> float:
        """Pictures per second so far, waiting included; 0 before the first step."""
        return self._images / self._seconds if self._seconds else 0.0

    def waiting(self) -> float:
        """Share of the time that went into waiting since this was last asked."""
        share = self._waited / self._window if self._window else 0.0
        self._window, self._waited = 0.0, 0.0
        return share
