"""Exported files in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastdepth.extras import require
from fastdepth_bench.case import Case
from fastdepth_bench.runners.exported_file import FileRunner
from fastdepth_bench.runners.protocol import Batch, DepthBatch, Infers
from fastdepth_bench.runners.providers import DEVICE_PROVIDERS, check_device

if TYPE_CHECKING:
    from fastdepth.runtime.model import DepthModel


class OnnxRuntimeRunner(FileRunner):
    """ONNX Runtime as applications open it, but spinning; on a GPU its memory is bound."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth.runtime.model import load

        provider, spinning = DEVICE_PROVIDERS[case.device], bool(case.spinning)
        model = load(path, provider=provider, threads=case.threads, spinning=spinning)
        return model if case.device == "cpu" else BoundModel(model, case.device, case.batch)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if ONNX Runtime has no provider for the device."""
        check_device(device)


class BoundModel:
    """A model of ONNX Runtime whose input and output stay at one place in a device's memory."""

    def __init__(self, model: DepthModel, device: str, batch: int) -> None:
        """Bind.

        Args:
            model: opened on the device.
            device: ONNX Runtime's name of it, ``cuda``.
            batch: images per inference, from now on fixed.
        """
        values = require("onnxruntime", "cpu").OrtValue
        image = np.zeros((batch, *model.size, 3), np.uint8)
        depth = (batch, 1, *model.size)
        self._session = model.session
        self._image = values.ortvalue_from_numpy(image, device, 0)
        self._depth = values.ortvalue_from_shape_and_type(depth, np.float32, device, 0)
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input("image", self._image)
        self._binding.bind_ortvalue_output("depth", self._depth)

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`Runner.infer`."""
        self.copy_in(batch)
        self.compute()
        return self.copy_out()

    def copy_in(self, batch: Batch) -> None:
        """See :meth:`OnDevice.copy_in`."""
        self._image.update_inplace(batch)

    def compute(self) -> None:
        """See :meth:`OnDevice.compute`."""
        self._session.run_with_iobinding(self._binding)

    def copy_out(self) -> DepthBatch:
        """See :meth:`OnDevice.copy_out`."""
        return np.array(self._depth.numpy())
