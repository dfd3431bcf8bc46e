"""Runners: context managers that answer a batch of pictures with metres.

A runner owns its synchronisation: when ``infer`` returns, the depth lies in the host's memory.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastdepth_bench import cache
from fastdepth_bench.providers import DEVICE_PROVIDERS, check_device
from fastdepth_bench.targets import Case

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost

Batch = NDArray[np.uint8]
"""(B, H, W, 3) uint8 RGB at the network's input size."""

DepthBatch = NDArray[np.float32]
"""(B, 1, H, W) float32 [m]."""


class Model(Protocol):
    """An opened file."""

    def infer(self, batch: Batch, /) -> DepthBatch:
        """Depth (B, 1, H, W) float32 [m] of pictures (B, H, W, 3) uint8."""
        ...


class Runner(Protocol):
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

    def infer(self, batch: Batch) -> DepthBatch:
        """Depth (B, 1, H, W) float32 [m] of pictures (B, H, W, 3) uint8, finished on return."""
        ...

    def cost(self) -> GraphCost:
        """Parameters, multiply-adds a picture, and bytes of what is run; not timed."""
        ...


class TorchRunner:
    """The network in PyTorch, eager: the function that an exported file computes."""

    def __init__(self, case: Case) -> None:
        import torch

        from fastdepth.models.device import open_device
        from fastdepth.models.inference import predict_pictures
        from fastdepth_export.network import build_network

        self._torch, self._predict = torch, predict_pictures
        self._case = case
        self._device = open_device(case.device)
        self._network = build_network(case.recipe()).to(self._device)
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
        """See :meth:`Runner.infer`; the copy to the host waits for the device."""
        with self._torch.inference_mode():
            images = self._torch.from_numpy(batch).to(self._device)
            depth, _ = self._predict(self._network, images)
            answer: DepthBatch = depth.float().cpu().numpy()
        return answer

    def cost(self) -> GraphCost:
        """Of the network as trained; bytes are those of its parameters and buffers."""
        from torch.utils.flop_counter import FlopCounterMode

        from fastdepth_export.cost import GraphCost

        torch, network = self._torch, self._network
        picture = torch.zeros((1, *self._case.size, 3), dtype=torch.uint8, device=self._device)
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # the counter cannot look inside it
        try:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                self._predict(network, picture)
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
        return GraphCost(
            params=sum(p.numel() for p in network.parameters()),
            macs=counter.get_total_flops() // 2,  # a multiply-add is two operations
            bytes=sum(t.nbytes for t in network.state_dict().values()),
        )


class FileRunner:
    """An exported file, made now unless the cache has it; subclasses say what opens it."""

    def __init__(self, case: Case) -> None:
        self._recipe = case.recipe()
        self._model: Model | None = self._open(cache.exported(self._recipe), case)

    def _open(self, path: Path, case: Case) -> Model:
        raise NotImplementedError

    @staticmethod
    def check_device(device: str) -> None:
        """See :meth:`Runner.check_device`; the CPU needs no check."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._model = None  # released with its last reference

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`Runner.infer`."""
        assert self._model is not None, "used outside its with block"
        return self._model.infer(batch)

    def cost(self) -> GraphCost:
        """Counted in the ONNX file that the timed one is built from; bytes are of what is timed."""
        from fastdepth_export.cost import graph_cost

        cost = graph_cost(cache.exported(replace(self._recipe, format="onnx")))
        files = cache.cached_files(self._recipe)
        return replace(cost, bytes=sum(path.stat().st_size for path in files))


class OnnxRuntimeRunner(FileRunner):
    """ONNX Runtime, opened as an application opens it."""

    def _open(self, path: Path, case: Case) -> Model:
        from fastdepth.runtime import load

        return load(path, provider=DEVICE_PROVIDERS[case.device], threads=case.threads)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if ONNX Runtime has no provider for the device."""
        check_device(device)


class OpenVinoRunner(FileRunner):
    """OpenVINO on the CPU."""

    def _open(self, path: Path, case: Case) -> Model:
        from fastdepth_export.openvino_ir import OpenVinoModel

        return OpenVinoModel(path, case.threads)


class TensorRtRunner(FileRunner):
    """A TensorRT engine, replayed as a CUDA graph."""

    def _open(self, path: Path, case: Case) -> Model:
        from fastdepth_export.tensorrt_engine import EngineModel

        return EngineModel(path, case.device)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if there is no such GPU."""
        TorchRunner.check_device(device)
