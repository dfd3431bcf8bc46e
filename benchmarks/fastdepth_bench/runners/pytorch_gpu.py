"""PyTorch as it is deployed on a GPU without TensorRT: folded, channels last, a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fastdepth.models.inference import predict_images
from fastdepth_bench.runners.pytorch import TorchRunner
from fastdepth_export.compress.fold import can_merge, fold
from fastdepth_export.formats.cuda_graph import CudaGraph

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth.size import Size
    from fastdepth_bench.case import Case
    from fastdepth_bench.runners.protocol import Batch, DepthBatch, OnDevice

Compute = Callable[[Tensor], Tensor]
"""Images (B, H, W, 3) uint8 to depth (B, 1, H, W) float32 [m]."""


def deployed(network: DepthNetwork, precision: str, size: Size) -> tuple[DepthNetwork, Compute]:
    """The folded network, channels last, and the function that it computes.

    In fp16 convolutions and matrix products run in half precision; softmax, exponentials, sums and
    normalisation stay in float32, as automatic mixed precision has it.

    Args:
        network: in evaluation mode, on its device; it is changed.
        precision: fp32 or fp16.
        size: network input.
    """
    half = precision == "fp16"
    network = fold(network, merge=not half and can_merge((size,)))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if half:
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.half()  # or they would be converted again for each image

    def compute(images: Tensor) -> Tensor:
        kind = images.device.type
        # what a cache holds while a graph is recorded would be freed before it is replayed
        with torch.autocast(kind, torch.float16, enabled=half, cache_enabled=False):
            depth, _ = predict_images(network, images)
        return depth.float()

    return network, compute


class TorchGraphRunner(TorchRunner):
    """Replayed as a CUDA graph; :class:`Case.batch` is fixed."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        self._network, self._compute = deployed(self._network, case.precision, case.size)
        shape = (case.batch, *case.size, 3)
        self._graph = CudaGraph(self._compiled(self._compute), shape, self._device)

    def _compiled(self, compute: Compute) -> Compute:
        return compute

    def _order(self, images: Tensor) -> Tensor:
        return self._compute(images)  # in the precision in which it is timed

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`Runner.infer`."""
        return self._graph.infer(batch)

    def on_device(self) -> OnDevice:
        """See :meth:`Runner.on_device`."""
        return self._graph


class TorchCompileRunner(TorchGraphRunner):
    """Compiled by torch.compile for this shape, then replayed as a CUDA graph."""

    def _compiled(self, compute: Compute) -> Compute:
        return torch.compile(compute, mode="max-autotune-no-cudagraphs", dynamic=False)
