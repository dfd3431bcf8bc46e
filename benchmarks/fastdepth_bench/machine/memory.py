"""Memory that this process needed at most: of the machine, and of a GPU.

Each row is measured in a process of its own, so that rows do not see one another.
"""

from __future__ import annotations

import importlib
import os
import platform
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from fastdepth_bench.machine.nvml import Gpu

_PROCESS = Path("/proc/self")


def peak_resident_bytes() -> int | None:
    """Peak resident set of this process since its start.

    On Linux VmHWM, not ru_maxrss: that one survives fork and exec, so that a child starts with
    the peak of whoever started it.

    Returns:
        Bytes; None where the system does not tell, on Windows without the package psutil.
    """
    if platform.system() == "Linux":
        return _high_water_mark()
    try:
        if platform.system() == "Windows":
            return int(importlib.import_module("psutil").Process().memory_info().peak_wset)
        usage = importlib.import_module("resource")
    except ImportError:
        return None
    peak = int(usage.getrusage(usage.RUSAGE_SELF).ru_maxrss)
    return peak if platform.system() == "Darwin" else 1024 * peak


def _high_water_mark() -> int | None:
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return None


class GpuMemory:
    """Looks again and again, in a thread, how much memory this process uses on a GPU.

    PyTorch's own counter does not see ONNX Runtime or TensorRT, and none of the three counts the
    CUDA context; the driver counts all. Enter before the model is loaded, and leave before the
    timing starts: asking the driver may disturb it, and a loaded model's memory only grows in its
    first inferences. ::

        with GpuMemory("cuda") as memory, open_runner(case) as runner:
            runner.infer(batch)
        print(memory.peak_bytes)

    Attributes:
        peak_bytes: most that was seen. Where the driver does not know this process by its
            number, as in most containers, it is by how much the memory in use on the GPU rose,
            provided that at most one process computes there. None without a GPU, without the
            package nvidia-ml-py, and where neither can be told.
    """

    def __init__(self, device: str, interval: float = 0.05) -> None:
        """Prepare.

        Args:
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            interval: time between two looks [s].
        """
        self.peak_bytes: int | None = None
        self._gpu = Gpu.open(device)
        self._interval = interval
        self._before: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if self._gpu:
            self._before = self._gpu.used_bytes()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._gpu:
            self._stop.set()
            self._thread.join()
            self._look(self._gpu)

    def _watch(self) -> None:
        while self._gpu and not self._stop.wait(self._interval):
            self._look(self._gpu)

    def _look(self, gpu: Gpu) -> None:
        used = self._used(gpu)
        if used is not None:
            self.peak_bytes = max(used, self.peak_bytes or 0)

    def _used(self, gpu: Gpu) -> int | None:
        processes = gpu.processes()
        own = processes.get(os.getpid())
        if own is not None or len(processes) > 1:
            return own
        now = gpu.used_bytes()
        return None if now is None or self._before is None else max(0, now - self._before)
