"""TensorRT engines."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Infers
from fastdepth_bench.runners.pytorch import TorchRunner

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost


class TensorRtRunner(FileRunner):
    """A TensorRT engine, replayed as a CUDA graph."""

    def __init__(self, case: Case) -> None:
        self._device = case.device
        with self._on_its_device():  # an engine is built on the GPU that runs it
            super().__init__(case)

    def cost(self) -> GraphCost:
        """See :meth:`FileRunner.cost`."""
        with self._on_its_device():
            return super().cost()

    def _on_its_device(self) -> AbstractContextManager[None]:
        """Makes the case's GPU CUDA's current device, by which files are told apart too."""
        import torch

        current: AbstractContextManager[None] = torch.cuda.device(self._device)
        return current

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.formats.tensorrt_engine import EngineModel

        return EngineModel(path, case.device)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if there is no such GPU."""
        TorchRunner.check_device(device)
