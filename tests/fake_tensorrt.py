"""Stand-ins for TensorRT and for PyTorch's CUDA, of exactly the surface that fastdepth uses.

Every name and parameter here is compared with the real bindings of both majors by
``test_tensorrt_engine.py``. Engines hold their ONNX file and run it in ONNX Runtime on the memory
at the addresses that they are given; what is ordered while a graph is recorded runs at replay. A
recorded graph keeps no context alive, as on a GPU: what is left of one that was freed gives NaN.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import weakref
from collections.abc import Callable, Iterator
from enum import IntEnum
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime

__version__ = "10.16.1.11"

BROKEN: set[str] = set()
"""Names of what shall fail: ``parse``, ``build``, ``deserialize``, ``execute``, ``context``,
``profile``, ``shape``, ``address``, ``inputs``, ``timings``."""

LOG: list[str] = []
"""What was done, in order."""


class Logger:
    WARNING = 2

    def __init__(self, min_severity=WARNING):
        assert min_severity == self.WARNING


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(IntEnum):
    TF32 = 7


class ITimingCache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return self.content + b"timings"


class IOptimizationProfile:
    def set_shape(self, input, min, opt, max):
        self.shapes = {input: (tuple(min), tuple(opt), tuple(max))}


class IBuilderConfig:
    def __init__(self):
        self.flags = {BuilderFlag.TF32}
        self.profiles = []

    def clear_flag(self, flag):
        self.flags.remove(flag)

    def add_optimization_profile(self, profile):
        self.profiles.append(profile)
        return -1 if "inputs" in BROKEN else len(self.profiles) - 1

    def create_timing_cache(self, serialized_timing_cache):
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        if cache.content and "timings" in BROKEN:
            return False
        self.cache = cache
        return True

    def get_timing_cache(self):
        return self.cache


class INetworkDefinition:
    def __init__(self):
        self.model = b""


class Builder:
    def __init__(self, logger):
        assert isinstance(logger, Logger)

    def create_network(self, flags=0):
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return INetworkDefinition()

    def create_builder_config(self):
        return IBuilderConfig()

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        assert not config.flags
        LOG.append(f"built from timings {config.cache.content!r}")
        dims = onnx.load_from_string(network.model).graph.input[0].type.tensor_type.shape.dim
        shapes = []
        for lowest, usual, highest in (profile.shapes["image"] for profile in config.profiles):
            assert lowest == usual == highest
            assert all(d.dim_param or d.dim_value == n for d, n in zip(dims, usual, strict=True))
            shapes.append(usual)
        head = b"engine" + json.dumps(shapes).encode() + b"\n"
        return None if "build" in BROKEN else head + network.model


class OnnxParser:
    def __init__(self, network, logger):
        self._network = network

    num_errors = 1

    def parse(self, model, path=None):
        self._network.model = model
        first = onnx.load_from_string(model).graph.node[0]
        casts = first.op_type == "Cast" and list(first.input) == ["image"]
        return casts and "parse" not in BROKEN

    def get_error(self, index):
        assert index < self.num_errors
        return "no plugin"


class IExecutionContext:
    def __init__(self, session, shapes):
        self.session, self.shapes, self.addresses, self.shape = session, shapes, {}, ()
        self.profile = None

    def set_optimization_profile_async(self, profile_index, stream_handle):
        assert self.profile is None, "a recorded graph would be spoiled"
        if "profile" in BROKEN:
            raise RuntimeError("Error in set optimization profile async.")
        self.profile = self.shapes[profile_index]
        return True

    def set_input_shape(self, name, shape):
        assert name == "image"
        assert list(shape) == self.profile
        self.shape = tuple(shape)
        return "shape" not in BROKEN

    def set_tensor_address(self, name, memory):
        self.addresses[name] = memory
        return "address" not in BROKEN

    def execute_async_v3(self, stream_handle):
        assert stream_handle == CUDA.stream_in_use.cuda_stream
        assert stream_handle != 0, "the default stream waits for all others"
        here, addresses, shape = weakref.ref(self), dict(self.addresses), self.shape
        CUDA.order(lambda: _run(here(), addresses, shape))
        return "execute" not in BROKEN


def _run(context, addresses, shape):
    """What the kernels of a context do, at the addresses that it had when they were ordered."""
    image = _memory(addresses["image"], shape, np.uint8)
    depth = _memory(addresses["depth"], (shape[0], 1, *shape[1:3]), np.float32)
    LOG.append("ran")
    depth[...] = context.session.run(["depth"], {"image": image})[0] if context else np.nan


class ICudaEngine:
    def __init__(self, content):
        shapes, _, self._model = content.partition(b"\n")
        self._shapes = json.loads(shapes)
        self._device = CUDA.device_in_use

    def create_execution_context(self):
        assert CUDA.device_in_use == self._device, "a context lies on its engine's device"
        if "context" in BROKEN:
            return None
        return IExecutionContext(onnxruntime.InferenceSession(self._model), self._shapes)


class Runtime:
    def __init__(self, logger):
        assert isinstance(logger, Logger)

    def deserialize_cuda_engine(self, serialized_engine):
        if "deserialize" in BROKEN or not serialized_engine.startswith(b"engine"):
            return None
        LOG.append(f"loaded on {CUDA.device_in_use}")
        return ICudaEngine(serialized_engine.removeprefix(b"engine"))


def _memory(address, shape, dtype):
    """The array that lies at an address."""
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * count).from_address(address), dtype).reshape(shape)


class FakeGraph:
    """``torch.cuda.CUDAGraph``: what was ordered while it was recorded, to be done at replay."""

    def __init__(self):
        self.work: list[Callable[[], None]] = []

    def replay(self):
        assert CUDA.stream_in_use is not DEFAULT_STREAM
        for work in self.work:
            work()


class FakeCuda:
    """Functions of ``torch.cuda``, on the CPU."""

    def __init__(self):
        self.stream_in_use = DEFAULT_STREAM
        self.device_in_use = "the first"
        self.recording: FakeGraph | None = None

    def order(self, work):
        if self.recording:
            self.recording.work.append(work)
        else:
            work()

    def current_stream(self, device=None):
        return self.stream_in_use

    @contextlib.contextmanager
    def device(self, device) -> Iterator[None]:
        before, self.device_in_use = self.device_in_use, str(device)
        try:
            yield
        finally:
            self.device_in_use = before

    @contextlib.contextmanager
    def stream(self, stream) -> Iterator[None]:
        before, self.stream_in_use = self.stream_in_use, stream
        yield
        self.stream_in_use = before

    @contextlib.contextmanager
    def graph(self, cuda_graph, *, stream) -> Iterator[None]:
        assert self.device_in_use != "the first", "which would get a context of CUDA's"
        with self.stream(stream):
            self.recording = cuda_graph
            yield
            self.recording = None


DEFAULT_STREAM = SimpleNamespace(cuda_stream=0)
CUDA = FakeCuda()


def fake_stream(device=None):
    """``torch.cuda.Stream``."""
    return SimpleNamespace(cuda_stream=77, synchronize=lambda: None)


def install(patch):
    """Put the fakes in the place of the real ones; ``patch`` is pytest's monkeypatch."""
    import sys

    import torch

    from fastdepth_export.formats import tensorrt_engine

    BROKEN.clear()
    LOG.clear()
    patch.setitem(sys.modules, "tensorrt", sys.modules[__name__])
    patch.setattr(tensorrt_engine, "DEVICE", "cpu")
    for name, value in {
        "Stream": fake_stream,
        "CUDAGraph": FakeGraph,
        "synchronize": lambda device=None: None,
        "current_stream": CUDA.current_stream,
        "device": CUDA.device,
        "stream": CUDA.stream,
        "graph": CUDA.graph,
        "is_available": lambda: True,
        "get_device_name": lambda: "NVIDIA Fake",
        "get_device_capability": lambda: (9, 0),
    }.items():
        assert hasattr(torch.cuda, name)
        patch.setattr(torch.cuda, name, value)
