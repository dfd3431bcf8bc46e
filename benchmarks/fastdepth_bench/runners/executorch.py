"""Exported files in ExecuTorch."""

from __future__ import annotations

from pathlib import Path

from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers


class ExecuTorchRunner(FileRunner):
    """ExecuTorch on the CPU by XNNPACK."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.executorch_program import ExecuTorchModel

        return ExecuTorchModel(path, case.threads)
