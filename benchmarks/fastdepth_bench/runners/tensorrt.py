"""TensorRT engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers
from fastdepth_bench.runners.pytorch import TorchRunner

if TYPE_CHECKING:
    pass


class TensorRtRunner(FileRunner):
    """A TensorRT engine, replayed as a CUDA graph."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.tensorrt_engine import EngineModel

        return EngineModel(path, case.device)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if there is no such GPU."""
        TorchRunner.check_device(device)
