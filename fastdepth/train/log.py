"""The log of a training run: one JSON object a line, and TensorBoard's events where it is there."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACE = ("step", "epoch")
"""Keys of a log line that say when, not what."""


class TensorBoard:
    """Writes scalars and images below a folder; does nothing where tensorboard is missing."""

    def __init__(self, folder: str | Path, step: int = 0) -> None:
        """Begin, or go on from ``step``: what an earlier part of the run wrote later is hidden."""
        self._writer: Any = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(log_dir=str(folder), purge_step=step + 1 if step else None)

    def write(self, **entry: Any) -> None:
        """Write the numbers of a line of the log under ``training/`` and ``validation/``.

        Args:
            entry: as in the JSONL log: ``step``, numbers by name, and the scores in
                ``validation``; everything else is left out.
        """
        if self._writer is None:
            return
        groups = {"training": entry, "validation": entry.get("validation", {})}
        for group, values in groups.items():
            for name, value in values.items():
                if name not in PLACE and _is_number(value):
                    self._writer.add_scalar(f"{group}/{name}", value, entry["step"])

    def draw(self, image: NDArray[np.uint8], step: int) -> None:
        """Write an image (H, W, 3) uint8 RGB."""
        if self._writer is not None:
            self._writer.add_image("sheet", image, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is not yet on the disk."""
        if self._writer is not None:
            self._writer.close()


def _is_number(value: object) -> bool:
    """Whether a value of the log is a curve's; a flag is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class TrainingLog:
    """Appends entries to a JSONL file; every line is whole, even after a kill."""

    def __init__(self, path: Path, board: TensorBoard) -> None:
        """Open a log; what a killed writer left of its last line is cut off."""
        self.path, self.board = path, board
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with path.open("r+b") as stream:
                    stream.truncate(whole)

    def write(self, **entry: Any) -> None:
        """Append an entry.

        Args:
            entry: ``step``, and numbers, texts, dictionaries and lists of them, by name.
        """
        with self.path.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
        self.board.write(**entry)

    def draw(self, image: NDArray[np.uint8], step: int) -> None:
        """Show an image (H, W, 3) uint8 RGB, where there is something to show it."""
        self.board.draw(image, step)

    def close(self) -> None:
        """Write what is not yet on the disk."""
        self.board.close()


WAITING_LIMIT = 0.2  # share of the time above which more workers would help


class Pace:
    """Counts images, time of steps, of preparing images, and of waiting for them.

    Args:
        workers: processes that prepare images for one that trains; with 0 it does so itself.
    """

    def __init__(self, workers: int = 0) -> None:
        self._workers = max(workers, 1)
        self._images, self._seconds = 0, 0.0
        self._worked, self._prepared = 0.0, 0.0
        self._window, self._waited = 0.0, 0.0

    def add(self, images: int, waited: float, worked: float, prepared: float = 0.0) -> None:
        """Count a step in.

        Args:
            images: images of all processes.
            waited: before the step, for its images [s].
            worked: in the step [s].
            prepared: what the workers of one process took for its share of the images [s].
        """
        if self._images:  # the first wait is that for the workers to start
            self._window += waited + worked
            self._waited += waited
        self._images += images
        self._seconds += waited + worked
        self._worked += worked
        self._prepared += prepared

    def bottleneck(self, waiting: float, workers: int) -> str:
        """What to tell who waits for the loader.

        Args:
            waiting: share of the time that went into it.
            workers: what ``--workers`` was.
        """
        return (
            f"the loader is the bottleneck: {waiting:.0%} of the time is spent waiting for "
            f"images; the step could take {self.step_images_per_second:.1f} images/s, the loader "
            f"prepares {self.loader_images_per_second:.1f} with --workers {workers}: raise that"
        )

    @property
    def images_per_second(self) -> float:
        """Images per second so far, waiting included; 0 before the first step."""
        return self._images / self._seconds if self._seconds else 0.0

    @property
    def step_images_per_second(self) -> float:
        """Images per second that the step alone could take; 0 before the first."""
        return self._images / self._worked if self._worked else 0.0

    @property
    def loader_images_per_second(self) -> float:
        """Images per second that all workers together could prepare; 0 where unknown."""
        return self._workers * self._images / self._prepared if self._prepared else 0.0

    def waiting(self) -> float:
        """Share of the time that went into waiting since this was last asked."""
        share = self._waited / self._window if self._window else 0.0
        self._window, self._waited = 0.0, 0.0
        return share
