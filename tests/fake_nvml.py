"""A stand-in for ``pynvml``: a GPU whose figures a test sets."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """What pynvml raises for everything."""


class FakeNvml(ModuleType):
    """The functions of ``pynvml`` that are used; a figure of None is one that it refuses.

    Attributes:
        works: whether there is a driver.
        opened: numbers and UUIDs of the GPUs that were asked for.
        millijoules: energy since the driver was loaded.
        used: bytes in use on the GPU.
        by_process: bytes by number of the process.
        before_each: called before each look at the processes.
    """

    NVMLError = NVMLError

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.works = True
        self.opened: list[int | str] = []
        self.millijoules: int | None = 0
        self.used: int | None = 0
        self.by_process: dict[int, int | None] | None = {}
        self.before_each: Callable[[], None] = lambda: None

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.works:
            raise NVMLError("Driver Not Loaded")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        if index > 7:
            raise NVMLError("Invalid Argument")
        self.opened.append(index)
        return "handle"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self.opened.append(uuid)
        return "handle"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        return supported(self.millijoules)

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=supported(self.used))

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:  # noqa: N802
        self.before_each()
        found = supported(self.by_process)
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in found.items()]


def supported(figure: Any) -> Any:
    if figure is None:
        raise NVMLError("Not Supported")
    return figure
