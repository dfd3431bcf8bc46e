"""Runners: context managers that answer a batch of images with metres.

A runner owns its synchronisation: when ``infer`` returns, the depth lies in the host's memory.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastdepth_bench.case import Case

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost


Batch = NDArray[np.uint8]
"""(B, H, W, 3) uint8 RGB at the network's input size."""


DepthBatch = NDArray[np.float32]
"""(B, 1, H, W) float32 [m]."""


class Infers(Protocol):
    """What can be timed: a runner, or an opened :class:`fastdepth.runtime.model.DepthModel`."""

    def infer(self, batch: Batch) -> DepthBatch:
        """Depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8, finished on return."""
        ...


class OnDevice(Infers, Protocol):
    """What runs on a device of its own memory: an inference in three parts.

    Each part alone is finished on return; ``infer`` orders all three and waits once.
    """

    def copy_in(self, batch: Batch, /) -> None:
        """Bring images (B, H, W, 3) uint8 to the device."""
        ...

    def compute(self) -> None:
        """Compute their depth there."""
        ...

    def copy_out(self) -> DepthBatch:
        """Fetch that depth: (B, 1, H, W) float32 [m]."""
        ...


class Runner(Infers, Protocol):
    """What runs a case; loaded while it is made, released when its block ends."""

    def __init__(self, case: Case) -> None: ...

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if this runner cannot run on the device."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def on_device(self) -> OnDevice | None:
        """The same in three parts; None on the CPU, where nothing is copied."""
        ...

    def cost(self) -> GraphCost:
        """Parameters, multiply-adds an image, and bytes of what is run; not timed."""
        ...
