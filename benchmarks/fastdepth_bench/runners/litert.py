"""Exported files in LiteRT."""

from __future__ import annotations

from pathlib import Path

from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers


class LiteRtRunner(FileRunner):
    """LiteRT on the CPU by XNNPACK."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.litert_model import LiteRtModel

        return LiteRtModel(path, case.threads)
