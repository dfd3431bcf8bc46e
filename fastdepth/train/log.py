"""The log of a training run: one JSON object a line, and TensorBoard's events where it is there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Required, TypedDict

import numpy as np
from numpy.typing import NDArray

from fastdepth.documents import parse
from fastdepth.errors import InputError, OutputError
from fastdepth.files import read_bytes
from fastdepth.train.optimiser import Count

PLACE = ("step", "epoch")
"""Keys of a log line that say when, not what."""


class LogLine(TypedDict, total=False):
    """What is read of a line of the log; it has more."""

    step: Required[Count]
    epoch: float
    loss: float
    resumed: bool
    validation: dict[str, float]


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """Lines of a JSONL log in the order of their steps.

    Where a run was resumed from an earlier step, what was logged after that step is superseded.

    Raises:
        InputError: a line is damaged; the message says which.
    """
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(read_bytes(path, InputError).splitlines(), start=1):
        if not text.strip():
            continue
        name, mend = f"{path}, line {number}", "remove that line"
        line = parse(text, dict[str, Any], name, mend, InputError, infinite=True)
        parse(text, LogLine, name, mend, InputError, infinite=True)
        if line.get("resumed"):
            lines = [earlier for earlier in lines if earlier["step"] <= line["step"]]
        lines.append(line)
    return lines


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Within, a disk that is full or gone is an OutputError."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


class TensorBoard:
    """Writes scalars and images below a folder; does nothing where tensorboard is missing."""

    def __init__(self, folder: str | Path, step: int = 0) -> None:
        """Begin, or go on from ``step``: what an earlier part of the run wrote later is hidden.

        Raises:
            OutputError: the folder cannot be written; the other methods raise it, too.
        """
        self._writer: Any = None
        self._folder = Path(folder)
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            with _writing(self._folder):
                self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

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
                if name in PLACE or not _is_number(value):
                    continue
                with _writing(self._folder):
                    self._writer.add_scalar(f"{group}/{name}", value, entry["step"])

    def draw(self, image: NDArray[np.uint8], step: int) -> None:
        """Write an image (H, W, 3) uint8 RGB."""
        if self._writer is not None:
            with _writing(self._folder):
                self._writer.add_image("sheet", image, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is not yet on the disk."""
        if self._writer is not None:
            with _writing(self._folder):
                self._writer.close()


def _is_number(value: object) -> bool:
    """Whether a value of the log is a curve's; a flag is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class TrainingLog:
    """Appends entries to a JSONL file; every line is whole, even after a kill."""

    def __init__(self, path: Path, board: TensorBoard) -> None:
        """Open a log; what a killed writer left of its last line is cut off.

        Raises:
            InputError: what is there is damaged.
            OutputError: it cannot be written.
        """
        self.path, self.board = path, board
        if os.path.lexists(path):
            content = read_bytes(path, InputError)
            whole = content.rfind(b"\n") + 1
            with _writing(path), path.open("r+b") as stream:
                if whole < len(content):
                    stream.truncate(whole)
            read_log(path)

    def write(self, **entry: Any) -> None:
        """Append an entry.

        Args:
            entry: ``step``, and numbers, texts, dictionaries and lists of them, by name.

        Raises:
            OutputError: it cannot be written.
        """
        with _writing(self.path), self.path.open("a") as stream:
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
