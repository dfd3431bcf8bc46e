"""The network in PyTorch, eager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from fastdepth_bench.case import Case
from fastdepth_bench.runners.protocol import Batch, DepthBatch, OnDevice

if TYPE_CHECKING:
    from torch import Tensor

    from fastdepth_export.cost import GraphCost


class TorchRunner:
    """The network in PyTorch, eager: the function that an exported file computes.

    In bf16 convolutions and linear maps are computed in bfloat16.
    """

    def __init__(self, case: Case) -> None:
        import torch

        from fastdepth.models.device import open_device
        from fastdepth.models.inference import predict_images
        from fastdepth_export.network import build_network

        self._torch, self._predict = torch, predict_images
        self._case = case
        self._device = open_device(case.device)
        torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 keeps 10 bits of 23
        self._network = build_network(case.recipe()).to(self._device)
        if case.precision == "bf16":
            from fastdepth_bench.runners.pytorch_bf16 import to_bf16

            to_bf16(self._network)
        self._threads_before = torch.get_num_threads()

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if PyTorch cannot run on the device."""
        from fastdepth.models.device import open_device

        open_device(device)

    def __enter__(self) -> Self:
        self._torch.set_num_threads(self._case.threads)
        return self

    def __exit__(self, *_: object) -> None:
        self._torch.set_num_threads(self._threads_before)

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`Infers.infer`; the copy to the host waits for the device."""
        with self._torch.inference_mode():
            images = self._torch.from_numpy(batch).to(self._device)
            answer: DepthBatch = self._order(images).float().cpu().numpy()
        return answer

    def _order(self, images: Tensor) -> Tensor:
        """Order the depth (B, 1, H, W) of images (B, H, W, 3) uint8 on the device."""
        depth, _ = self._predict(self._network, images)
        return depth

    def on_device(self) -> OnDevice | None:
        """See :meth:`Runner.on_device`."""
        return None if self._device.type == "cpu" else self

    def copy_in(self, batch: Batch) -> None:
        """See :meth:`OnDevice.copy_in`."""
        self._images = self._torch.from_numpy(batch).to(self._device)
        self._wait()

    def compute(self) -> None:
        """See :meth:`OnDevice.compute`."""
        with self._torch.inference_mode():
            self._depth = self._order(self._images)
        self._wait()

    def copy_out(self) -> DepthBatch:
        """See :meth:`OnDevice.copy_out`."""
        answer: DepthBatch = self._depth.float().cpu().numpy()
        return answer

    def _wait(self) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.synchronize(self._device)

    def cost(self) -> GraphCost:
        """Of the network that is run; bytes are those of its parameters and buffers."""
        from fastdepth_export.cost import GraphCost, is_weight, network_macs

        torch, network = self._torch, self._network
        image = torch.zeros((1, *self._case.size, 3), dtype=torch.uint8, device=self._device)
        state = network.state_dict()  # what was folded is a buffer
        return GraphCost(
            params=sum(value.numel() for name, value in state.items() if is_weight(name)),
            macs=network_macs(lambda: self._order(image)),
            bytes=sum(value.nbytes for value in state.values()),
            weights_bytes=sum(value.nbytes for name, value in state.items() if is_weight(name)),
        )
