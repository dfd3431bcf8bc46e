"""Runners: context managers that answer a batch of pictures with metres.

A runner owns its synchronisation: when ``infer`` returns, the depth lies in the host's memory.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import DeviceError
from fastdepth.extras import require
from fastdepth_bench import cache
from fastdepth_bench.providers import DEVICE_PROVIDERS, check_device
from fastdepth_bench.targets import Case

if TYPE_CHECKING:
    from fastdepth.runtime import DepthModel
    from fastdepth_export.cost import GraphCost

Batch = NDArray[np.uint8]
"""(B, H, W, 3) uint8 RGB at the network's input size."""

DepthBatch = NDArray[np.float32]
"""(B, 1, H, W) float32 [m]."""


class Infers(Protocol):
    """What can be timed: a runner, or an opened :class:`fastdepth.runtime.DepthModel`."""

    def infer(self, batch: Batch) -> DepthBatch:
        """Depth (B, 1, H, W) float32 [m] of pictures (B, H, W, 3) uint8, finished on return."""
        ...


class OnDevice(Infers, Protocol):
    """What runs on a device of its own memory: an inference in three parts.

    Each part alone is finished on return; ``infer`` orders all three and waits once.
    """

    def copy_in(self, batch: Batch, /) -> None:
        """Bring pictures (B, H, W, 3) uint8 to the device."""
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
        torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 keeps 10 bits of 23
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
        """See :meth:`Infers.infer`; the copy to the host waits for the device."""
        with self._torch.inference_mode():
            images = self._torch.from_numpy(batch).to(self._device)
            depth, _ = self._predict(self._network, images)
            answer: DepthBatch = depth.float().cpu().numpy()
        return answer

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
            self._depth, _ = self._predict(self._network, self._images)
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
        state = network.state_dict()  # what was folded is a buffer
        return GraphCost(
            params=sum(value.numel() for name, value in state.items() if _is_weight(name)),
            macs=counter.get_total_flops() // 2,  # a multiply-add is two operations
            bytes=sum(value.nbytes for value in state.values()),
            weights_bytes=sum(value.nbytes for name, value in state.items() if _is_weight(name)),
        )


def _is_weight(name: str) -> bool:
    """Whether a tensor is learnt or folded, not a statistic of batch normalisation."""
    return name.rpartition(".")[2] not in ("running_mean", "running_var", "num_batches_tracked")


class FileRunner:
    """An exported file, made now unless the cache has it; subclasses say what opens it."""

    def __init__(self, case: Case) -> None:
        self._recipe = case.recipe()
        self._model: Infers | None = self._open(cache.exported(self._recipe), case)

    def _open(self, path: Path, case: Case) -> Infers:
        """The file, ready to run."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._model = None  # released with its last reference

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`Infers.infer`."""
        assert self._model is not None, "used outside its with block"
        return self._model.infer(batch)

    def on_device(self) -> OnDevice | None:
        """See :meth:`Runner.on_device`."""
        return cast("OnDevice", self._model) if hasattr(self._model, "copy_in") else None

    def cost(self) -> GraphCost:
        """Counted in the ONNX file that the timed one is built from; bytes are of what is timed."""
        from fastdepth_export.cost import graph_cost

        cost = graph_cost(cache.exported(cache.as_onnx(self._recipe)))
        files = cache.cached_files(self._recipe)
        return replace(cost, bytes=sum(path.stat().st_size for path in files))


class OnnxRuntimeRunner(FileRunner):
    """ONNX Runtime, opened as an application opens it; on a GPU its memory is bound."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth.runtime import load

        model = load(path, provider=DEVICE_PROVIDERS[case.device], threads=case.threads)
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
            batch: pictures per inference, from now on fixed.
        """
        values = require("onnxruntime", "cpu").OrtValue
        picture = np.zeros((batch, *model.size, 3), np.uint8)
        depth = (batch, 1, *model.size)
        self._session = model.session
        self._image = values.ortvalue_from_numpy(picture, device, 0)
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


class OpenVinoRunner(FileRunner):
    """OpenVINO on the CPU."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.openvino_ir import OpenVinoModel

        return OpenVinoModel(path, case.threads)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise DeviceError if OpenVINO finds no CPU that it can use."""
        from fastdepth_export.openvino_ir import core

        found = core().available_devices
        if "CPU" not in found:
            raise DeviceError(f"OpenVINO finds no CPU, only {found}; use another runtime")


class TensorRtRunner(FileRunner):
    """A TensorRT engine, replayed as a CUDA graph."""

    def _open(self, path: Path, case: Case) -> Infers:
        from fastdepth_export.tensorrt_engine import EngineModel

        return EngineModel(path, case.device)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if there is no such GPU."""
        TorchRunner.check_device(device)
