"""Exported files in ncnn."""

from __future__ import annotations

from pathlib import Path

from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers


class NcnnRunner(FileRunner):
    """ncnn on the CPU, from a camera's bytes to metres."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.ncnn_net import NcnnModel

        return NcnnModel(path, case.threads)
