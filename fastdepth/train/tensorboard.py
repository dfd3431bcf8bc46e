"""The log of a run for TensorBoard too, where that package is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACE = ("step", "epoch")
"""Keys of a log line that say when, not what."""


class TensorBoard:
    """Writes scalars and pictures below a folder; does nothing where tensorboard is missing."""

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

    def draw(self, picture: NDArray[np.uint8], step: int) -> None:
        """Write a picture (H, W, 3) uint8 RGB."""
        if self._writer is not None:
            self._writer.add_image("sheet", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is not yet on the disk."""
        if self._writer is not None:
            self._writer.close()


def _is_number(value: object) -> bool:
    """Whether a value of the log is a curve's; a flag is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
