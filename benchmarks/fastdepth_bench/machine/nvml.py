"""NVIDIA's own account of a GPU (NVML), by the package ``nvidia-ml-py`` where it is installed.

It sees what every runtime does there, PyTorch, ONNX Runtime and TensorRT alike.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Self


class Gpu:
    """A GPU as the driver knows it; made by :meth:`open`."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    @classmethod
    def open(cls, device: str) -> Self | None:
        """The GPU of ``cuda`` or ``cuda:N``; None for the CPU, and where NVML cannot be asked."""
        kind, _, index = device.partition(":")
        if kind != "cuda":
            return None
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            return None
        try:
            nvml.nvmlInit()
            return cls(nvml, _handle(nvml, int(index or 0)))
        except nvml.NVMLError:
            return None

    def joules(self) -> float | None:
        """Energy that the GPU used since the driver was loaded [J]; None before Volta."""
        try:
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1000
        except self._nvml.NVMLError:
            return None

    def used_bytes(self) -> int | None:
        """Memory in use on the GPU, whoever uses it."""
        try:
            return int(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used)
        except self._nvml.NVMLError:
            return None

    def processes(self) -> dict[int, int | None]:
        """Memory of each computing process by its number; None where the driver does not say.

        In a container the numbers are often those outside it.
        """
        try:
            found = self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        except self._nvml.NVMLError:
            return {}
        return {process.pid: process.usedGpuMemory for process in found}


def _handle(nvml: Any, index: int) -> Any:
    """NVML's handle of CUDA's device of this number.

    NVML does not know ``CUDA_VISIBLE_DEVICES``, which hides and renumbers GPUs for CUDA, by
    numbers or by their UUIDs.
    """
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    name = visible[index] if index < len(visible) and visible[index] else str(index)
    if name.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    return nvml.nvmlDeviceGetHandleByUUID(name)
