"""TensorRT 10 and 11: an ONNX file as an engine for the GPU at hand, and running it.

An engine fits one model, one GPU and one TensorRT. What it was built for stands in a JSON file
beside it, together with the hash of the engine; nothing else is believed, and an engine that does
not fit is not loaded. The engine itself is TensorRT's own, for trtexec and others to read.

Precision comes from the ONNX file alone (types, or quantise and dequantise nodes): the network is
strongly typed, which is all that TensorRT 11 knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.console import progress
from fastdepth.documents import parse
from fastdepth.errors import DeviceError, ImageError, ModelFileError
from fastdepth.extras import require
from fastdepth.files import check_regular, file_hash, read_bytes
from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.onnx_file import read_graph
from fastdepth_export.formats.converting import AGAIN
from fastdepth_export.formats.tensorrt_timings import keep_timings, timings_file, use_timings

if TYPE_CHECKING:
    import onnx
    import torch

    from fastdepth_export.formats.cuda_graph import CudaGraph
    from fastdepth_export.verify import Verify

DEVICE = "cuda"

BATCH = 1
"""Images per inference of an engine: with a fixed shape TensorRT chooses the fastest kernels.

For the same reason each of several sizes has an optimisation profile of its own.
"""


@dataclass(frozen=True)
class EngineKey:
    """Everything that decides whether an engine fits.

    Attributes:
        model: hash of the ONNX file.
        gpu: name of the GPU.
        compute_capability: of the GPU, ``9.0``.
        tensorrt: version.
        precision: of the weights in the ONNX file.
        shapes: of the input, (B, H, W, 3); one for each optimisation profile, in their order.
    """

    model: str
    gpu: str
    compute_capability: str
    tensorrt: str
    precision: str
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def here(cls, onnx_file: Path, metadata: ModelMetadata) -> EngineKey:
        """The key of an engine that would be built here and now, on CUDA's current device.

        Raises:
            MissingExtraError: TensorRT is not installed.
            DeviceError: there is no GPU.
        """
        version = tensorrt().__version__
        gpu, capability = gpu_at_hand()
        shapes = tuple((BATCH, *size, 3) for size in metadata.sizes)
        return cls(file_hash(onnx_file), gpu, capability, version, metadata.precision, shapes)


def tensorrt() -> Any:
    """The package ``tensorrt``.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("tensorrt", "tensorrt")


def build(
    onnx_file: Path, files: Sequence[Path], metadata: ModelMetadata, verify: Verify
) -> ModelMetadata:
    """Build an engine from an ONNX file, of whatever precision, for the GPU at hand.

    Args:
        onnx_file: with input ``image`` and output ``depth``.
        files: the engine and the JSON file to write.
        metadata: kept in the JSON file.
        verify: given the opened engine, answers with what was measured of it, or raises.

    Returns:
        The metadata with what was measured of the engine.

    Raises:
        MissingExtraError: TensorRT is not installed.
        DeviceError: there is no GPU, or TensorRT cannot build this network.
        ParityError: by ``verify``.
    """
    engine_file, description = files
    key = EngineKey.here(onnx_file, metadata)
    engine_file.write_bytes(_build(onnx_file, key))
    _describe(description, key, engine_file, metadata)
    opened = EngineModel(engine_file)
    metadata = replace(metadata, **verify(opened.infer, batches=(BATCH,)))
    _describe(description, key, engine_file, metadata)
    return metadata


def fits(engine_file: Path, onnx_file: Path) -> bool:
    """Whether a built engine is one of this model for the GPU and TensorRT at hand.

    Raises:
        MissingExtraError: TensorRT is not installed.
        DeviceError: there is no GPU.
    """
    from fastdepth_export.formats.onnx_graph import read_metadata

    try:
        key, _ = _read_description(engine_file)
    except ModelFileError:
        return False
    return key == EngineKey.here(onnx_file, read_metadata(onnx_file))


class EngineModel:
    """An engine, recorded as one CUDA graph for each of its input's shapes.

    Attributes:
        metadata: what was known when it was built.
    """

    def __init__(self, path: Path, device: str | None = None) -> None:
        """Load an engine that fits.

        Args:
            path: the engine; its JSON file lies beside it.
            device: ``cuda`` or ``cuda:N``; CUDA's current device if absent.

        Raises:
            ModelFileError: it was built for another GPU or TensorRT, or is not whole.
            DeviceError: there is no GPU, or TensorRT cannot run the engine there.
            MissingExtraError: TensorRT is not installed.
        """
        import torch

        from fastdepth_export.formats.cuda_graph import CudaGraph

        trt = tensorrt()
        key, self.metadata = _read_description(path)
        self._device = torch.device(device or DEVICE)
        with torch.cuda.device(self._device):  # on which TensorRT puts engine and contexts
            _check_machine(key, path, trt.__version__)
            self._runtime = trt.Runtime(_logger(trt))  # must live as long as its engine
            self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
            if self._engine is None:
                raise ModelFileError(f"TensorRT {trt.__version__} cannot load {path}; {AGAIN}")
            self._graphs = {
                shape: CudaGraph(self._order(profile, shape), shape, self._device)
                for profile, shape in enumerate(key.shapes)
            }

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (1, 1, H, W) float32 [m] of an image (1, H, W, 3) uint8 RGB.

        Raises:
            ImageError: the engine was not built for this shape.
        """
        return self._graph_of(batch).infer(batch)

    def copy_in(self, batch: NDArray[np.uint8]) -> None:
        """See :meth:`CudaGraph.copy_in`."""
        self._graph_of(batch).copy_in(batch)

    def compute(self) -> None:
        """See :meth:`CudaGraph.compute`; of the shape that was brought last."""
        self._last.compute()

    def copy_out(self) -> NDArray[np.float32]:
        """See :meth:`CudaGraph.copy_out`; of the shape that was brought last."""
        return self._last.copy_out()

    def _graph_of(self, batch: NDArray[np.uint8]) -> CudaGraph:
        if batch.shape not in self._graphs:
            shapes = ", ".join(map(str, self._graphs))
            raise ImageError(f"batch has the shape {batch.shape}; this engine takes {shapes}")
        self._last = self._graphs[batch.shape]
        return self._last

    def _order(
        self, profile: int, shape: tuple[int, ...]
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """What orders one inference of this shape on the current stream.

        In a context of its own: a recorded graph keeps using its context's memory.
        """
        import torch

        def handle() -> int:
            stream: int = torch.cuda.current_stream(self._device).cuda_stream
            return stream

        context = self._engine.create_execution_context()
        if context is None:
            raise DeviceError("TensorRT has no memory for the engine on this GPU; free some")
        depth = torch.empty((BATCH, 1, *shape[1:3]), device=self._device)
        try:
            context.set_optimization_profile_async(profile, handle())
        except RuntimeError:  # which its bindings make of a refusal
            raise _refused("profile") from None
        if not context.set_input_shape("image", shape):
            raise _refused("shape")
        if not context.set_tensor_address("depth", depth.data_ptr()):
            raise _refused("address")

        def order(image: torch.Tensor) -> torch.Tensor:
            if not context.set_tensor_address("image", image.data_ptr()):
                raise _refused("address")
            if not context.execute_async_v3(handle()):
                raise DeviceError(f"TensorRT could not run the engine; {AGAIN}")
            return depth

        return order


def _refused(what: str) -> DeviceError:
    return DeviceError(f"TensorRT refuses the engine's {what}; {AGAIN}")


def _build(onnx_file: Path, key: EngineKey) -> bytes:
    """A serialised engine, with kernel timings kept for the next one on this GPU.

    Raises:
        DeviceError: TensorRT cannot read the model or build the engine.
    """
    trt = tensorrt()
    builder = trt.Builder(_logger(trt))
    strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly_typed)
    parser = trt.OnnxParser(network, _logger(trt))
    if not parser.parse(cast_first(read_graph(onnx_file, weights=True)).SerializeToString()):
        reasons = [str(parser.get_error(index)) for index in range(parser.num_errors)]
        raise DeviceError(f"TensorRT {trt.__version__} cannot read {onnx_file}: {reasons[:1]}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # fp32 means fp32: TF32 keeps 10 bits of 23
    for shape in key.shapes:
        profile = builder.create_optimization_profile()
        profile.set_shape("image", shape, shape, shape)
        if config.add_optimization_profile(profile) < 0:
            raise DeviceError(f"TensorRT {trt.__version__} refuses inputs {shape} of {onnx_file}")
    timings = timings_file(key.gpu, key.compute_capability, key.tensorrt)
    use_timings(config, timings)
    with progress("building the engine", None):
        engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise DeviceError(
            f"TensorRT {trt.__version__} cannot build an engine of {onnx_file} on {key.gpu}; its "
            "own messages above say why; use --format onnx"
        )
    keep_timings(config, timings)
    return bytes(engine)


def cast_first(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its image made float before it is transposed, which computes the same.

    TensorRT takes uint8 from outside only into a cast; on a CPU moving bytes is cheaper.

    Args:
        model: it is changed where its input ``image`` goes into a Transpose and then a Cast.
    """
    nodes = model.graph.node
    readers = [node for node in nodes if "image" in node.input and node.op_type != "Shape"]
    if [node.op_type for node in readers] == ["Transpose"]:
        (transpose,) = readers
        casts = [node for node in nodes if transpose.output[0] in node.input]
        if [node.op_type for node in casts] == ["Cast"]:
            (cast,) = casts
            planes, cast_image = cast.output[0], f"{transpose.output[0]}_cast"
            cast.input[0], cast.output[0] = "image", cast_image
            transpose.output[0] = planes
            for node in nodes:
                if node != cast and "image" in node.input:
                    node.input[0] = cast_image
            _move_first(model, cast)
    return model


def _move_first(model: onnx.ModelProto, moved: onnx.NodeProto) -> None:
    nodes = [moved, *(node for node in model.graph.node if node != moved)]
    copies = [type(moved).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _logger(trt: Any) -> Any:
    return trt.Logger(trt.Logger.WARNING)


def gpu_at_hand() -> tuple[str, str]:
    """Name and compute capability of the GPU at hand, CUDA's current device.

    Raises:
        DeviceError: there is none that PyTorch can use.
    """
    import torch

    if not torch.cuda.is_available():
        raise DeviceError(
            f"no GPU that PyTorch {torch.__version__} can use, and engines are built on the GPU "
            "that runs them; use --format onnx"
        )
    major, minor = torch.cuda.get_device_capability()
    return torch.cuda.get_device_name(), f"{major}.{minor}"


def _check_machine(key: EngineKey, path: Path, version: str) -> None:
    """Raise ModelFileError unless an engine was built for the GPU and TensorRT at hand."""
    gpu, capability = gpu_at_hand()
    built = (key.gpu, key.compute_capability, key.tensorrt)
    if built != (gpu, capability, version):
        raise ModelFileError(
            f"{path} was built for {key.gpu} ({key.compute_capability}) with TensorRT "
            f"{key.tensorrt}, here are {gpu} ({capability}) and TensorRT {version}; "
            "run fastdepth-export here"
        )


def _description_file(engine_file: Path) -> Path:
    return engine_file.with_suffix(".engine.json")


@dataclass(frozen=True)
class _Description:
    """What stands beside an engine: its key, its hash, and the metadata as JSON."""

    key: EngineKey
    engine: str
    metadata: str


def _describe(path: Path, key: EngineKey, engine_file: Path, metadata: ModelMetadata) -> None:
    content = _Description(key, file_hash(engine_file), metadata.to_json())
    path.write_text(json.dumps(asdict(content), indent=2))


def _read_description(engine_file: Path) -> tuple[EngineKey, ModelMetadata]:
    """What stands beside an engine, once it is known to belong to it.

    Raises:
        ModelFileError: a file is missing, or the engine is not the one described.
    """
    path = _description_file(engine_file)
    again = f"copy both files, or {AGAIN}"
    check_regular(engine_file, ModelFileError, f"; {again}")
    check_regular(path, ModelFileError, f"; {again}")
    name = f"the description {path}"
    found = parse(read_bytes(path, ModelFileError), _Description, name, again, ModelFileError)
    if found.engine != file_hash(engine_file):
        raise ModelFileError(f"{engine_file} is not the engine of {path}; {again}")
    return found.key, ModelMetadata.from_json(found.metadata, str(path))
