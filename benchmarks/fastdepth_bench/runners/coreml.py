"""Exported packages in Core ML, on a Mac."""

from __future__ import annotations

from pathlib import Path

from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers


class CoreMlRunner(FileRunner):
    """Core ML on the CPU, on as many threads as it takes; no Mac has run it yet."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.coreml_package import CoreMlModel

        return CoreMlModel(path)
