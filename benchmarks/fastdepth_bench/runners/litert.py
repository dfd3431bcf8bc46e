"""Exported files in LiteRT."""

from __future__ import annotations

from pathlib import Path

from fastdepth.errors import UsageError
from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers


class LiteRtRunner(FileRunner):
    """LiteRT on the CPU by XNNPACK."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.litert_model import LiteRtModel

        return LiteRtModel(path, case.threads)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError of anything but the CPU."""
        if device != "cpu":
            raise UsageError(f"LiteRT is timed on the CPU alone, not on {device}; use --device cpu")
