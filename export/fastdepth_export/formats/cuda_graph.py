"""A fixed computation on a GPU, recorded once and replayed: the host gives one order an image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WARM_UPS = 3
"""Runs before recording, in which libraries choose their kernels and fetch their memory."""


class CudaGraph:
    """Images of one shape to depth, on a stream of its own, through page-locked buffers.

    Page-locked memory lets copies run at the full speed of the bus and in the stream's order.
    """

    def __init__(
        self,
        compute: Callable[[Tensor], Tensor],
        shape: tuple[int, ...],
        device: torch.device,
    ) -> None:
        """Warm up and record.

        Args:
            compute: orders the work on the current stream: (B, H, W, 3) uint8 on the device to
                (B, 1, H, W) float32 on the device; it may not look at values or shapes. It lives
                as long as the graph, and with it all that it closes over.
            shape: (B, H, W, 3).
            device: the GPU.
        """
        # A replay reads and writes addresses: the memory of weights and of TensorRT's context,
        # which nothing else may keep, must not be given to others meanwhile.
        self._compute = compute
        with torch.cuda.device(device):  # or page-locked memory would take the first one
            self._record(compute, shape, device)

    def _record(
        self,
        compute: Callable[[Tensor], Tensor],
        shape: tuple[int, ...],
        device: torch.device,
    ) -> None:
        pinned = device.type == "cuda"
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._graph = torch.cuda.CUDAGraph()
        self._image = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        self._input = torch.zeros(shape, dtype=torch.uint8, device=device)
        torch.cuda.synchronize(device)  # the zeros were written on another stream
        with torch.inference_mode():
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UPS):
                    compute(self._input)
            self._stream.synchronize()
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._output = compute(self._input)
        self._depth = torch.empty(self._output.shape, dtype=torch.float32, pin_memory=pinned)

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (B, 1, H, W) float32 [m] of images of the recorded shape, finished on return."""
        self._order(lambda: self._bring(batch), self._graph.replay, self._fetch)
        depth: NDArray[np.float32] = self._depth.numpy().copy()
        return depth

    def copy_in(self, batch: NDArray[np.uint8]) -> None:
        """Bring images to the device, and no more; finished on return."""
        self._order(lambda: self._bring(batch))

    def compute(self) -> None:
        """Compute the depth of the images on the device, and no more; finished on return."""
        self._order(self._graph.replay)

    def copy_out(self) -> NDArray[np.float32]:
        """The depth on the device (B, 1, H, W) float32 [m], as a new array of the host."""
        self._order(self._fetch)
        depth: NDArray[np.float32] = self._depth.numpy().copy()
        return depth

    def _bring(self, batch: NDArray[np.uint8]) -> None:
        self._image.copy_(torch.from_numpy(batch))
        self._input.copy_(self._image, non_blocking=True)

    def _fetch(self) -> None:
        self._depth.copy_(self._output, non_blocking=True)

    def _order(self, *works: Callable[[], None]) -> None:
        """Give orders on the graph's stream, then wait until all are done."""
        with torch.inference_mode():
            with torch.cuda.stream(self._stream):
                for work in works:
                    work()
            self._stream.synchronize()
