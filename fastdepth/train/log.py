"""The log of a training run: one JSON object a line, and TensorBoard's events where it is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.train.tensorboard import TensorBoard


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

    def draw(self, picture: NDArray[np.uint8], step: int) -> None:
        """Show a picture (H, W, 3) uint8 RGB, where there is something to show it."""
        self.board.draw(picture, step)

    def close(self) -> None:
        """Write what is not yet on the disk."""
        self.board.close()
