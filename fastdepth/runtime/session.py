"""Sessions of ONNX Runtime: opened on the provider that was asked for, or not at all.

ONNX Runtime goes on with the CPU where a GPU is not really there, and says so in its log at most.
Here that is an error, and a file that is not as fastdepth-export writes it is one, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastdepth.errors import DeviceError, ModelFileError, UnknownNameError
from fastdepth.extras import require
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.size import Size

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Execution providers: our name, and ONNX Runtime's."""

# What TensorRT cannot run goes to CUDA, and what CUDA cannot run to the CPU.
_CHAINS = {"cpu": ["cpu"], "cuda": ["cuda", "cpu"], "tensorrt": ["tensorrt", "cuda", "cpu"]}

# ONNX Runtime itself puts arithmetic on shapes onto the CPU, where it is quicker. CUDA has all of
# these for feature maps too, so one that is left to the CPU works on shapes.
# fmt: off
_ON_SHAPES = {
    "Add", "And", "Cast", "Ceil", "Concat", "Constant", "ConstantOfShape", "Div", "Equal",
    "Expand", "Floor", "Gather", "Greater", "Identity", "Less", "Max", "Min", "Mod", "Mul",
    "Not", "Or", "Range", "ReduceProd", "Reshape", "Shape", "Size", "Slice", "Squeeze", "Sub",
    "Unsqueeze", "Where",
}
# fmt: on

_OUTPUTS = (
    [("depth", "tensor(float)")],
    [("depth", "tensor(float)"), ("std", "tensor(float)")],
)
_ONLY_ERRORS = 3  # log level; what a user must know is raised, not logged
_BROKEN_FILE = ("InvalidProtobuf", "InvalidGraph", "NoSuchFile")


def provider_name(provider: str) -> str:
    """Our name of a provider, given ours or ONNX Runtime's.

    Raises:
        UnknownNameError: it is neither.
    """
    for name, theirs in PROVIDERS.items():
        if provider in (name, theirs):
            return name
    raise UnknownNameError("provider", provider, PROVIDERS)


def provider_in_use(session: Any) -> str:
    """Our name of the provider on which the session really runs what it can."""
    return provider_name(session.get_providers()[0])


def open_session(
    path: Path, provider: str, threads: int | None, allow_fallback: bool = False
) -> Any:
    """An ``onnxruntime.InferenceSession`` on exactly this provider.

    Args:
        path: the .onnx file.
        provider: our name of it.
        threads: threads for one operator on the CPU; None takes all cores.
        allow_fallback: let the CPU run the nodes that the provider leaves to it.

    Raises:
        DeviceError: the provider is not really there, or cannot run this model or a part of it.
        ModelFileError: the file cannot be read.
        MissingExtraError: ONNX Runtime is not installed.
    """
    ort = require("onnxruntime", "cpu")
    if PROVIDERS[provider] not in ort.get_available_providers():
        raise _not_there(provider)
    options = ort.SessionOptions()
    options.log_severity_level = _ONLY_ERRORS
    options.intra_op_num_threads = threads or 0
    if provider != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = ort.InferenceSession(
            str(path),
            sess_options=options,
            providers=[PROVIDERS[name] for name in _CHAINS[provider]],
            enable_fallback=0,  # the fall-back would print to stdout and take the CPU
        )
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        raise _as_ours(error, path, provider, ort.__version__) from None
    if provider_in_use(session) != provider:
        raise _not_there(provider)
    if provider != "cpu" and not allow_fallback:
        _check_placement(session, path, provider)
    return session


def _check_placement(session: Any, path: Path, provider: str) -> None:
    """See that the provider runs the file, not the CPU behind its name.

    The option ``session.disable_cpu_ep_fallback`` would refuse every file: arithmetic on shapes
    is always the CPU's. ONNX Runtime before 1.24 does not say where it puts what.

    Raises:
        DeviceError: more is left to the CPU than that, or nothing runs on the provider.
    """
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return
    placed: dict[str, set[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        placed.setdefault(part.ep_name, set()).update(node.op_type for node in part.get_nodes())
    left = sorted(placed.get(PROVIDERS["cpu"], set()) - _ON_SHAPES)
    if left or PROVIDERS[provider] not in placed:
        what = ", ".join(left) or "everything"
        raise DeviceError(
            f"provider {provider!r} leaves {what} of {path} to others; use provider 'cpu', "
            "export it in another precision, or allow the fall-back"
        )


def read_metadata(session: Any, path: str | Path) -> ModelMetadata:
    """What the file says of itself.

    Raises:
        ModelFileError: another program wrote the file.
    """
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelFileError(
            f"{path} has no fastdepth metadata, another program wrote it; "
            "write the model with fastdepth-export"
        )
    return ModelMetadata.from_json(text, str(path))


def check_graph(session: Any, metadata: ModelMetadata, path: str | Path) -> None:
    """See that a file takes and gives what its metadata says.

    Raises:
        ModelFileError: inputs or outputs are not those of an exported network.
    """
    inputs = [(node.name, node.type, *node.shape[1:]) for node in session.get_inputs()]
    outputs = [(node.name, node.type) for node in session.get_outputs()]
    several = len(metadata.sizes) > 1
    if outputs in _OUTPUTS and all(_takes(inputs, size, several) for size in metadata.sizes):
        return
    sizes = ", ".join(str(size) for size in metadata.sizes)
    raise ModelFileError(
        f"{path} takes {inputs} and gives {outputs}, but its metadata says uint8 image "
        f"(B, H, W, 3) of {sizes} and float depth; export it again with fastdepth-export"
    )


def _takes(inputs: list[tuple[Any, ...]], size: Size, several: bool) -> bool:
    """Whether the graph's inputs are one image of this size; one of several may be left open."""
    if len(inputs) != 1 or len(inputs[0]) != 5:
        return False
    name, kind, *sides, channels = inputs[0]
    fits = all(a == b or (several and isinstance(a, str)) for a, b in zip(sides, size, strict=True))
    return fits and (name, kind, channels) == ("image", "tensor(uint8)", 3)


def _not_there(provider: str) -> DeviceError:
    """The error for a provider that is missing, or that left the work to another."""
    return DeviceError(
        f"provider {provider!r} is not there; check the driver and run: "
        "pip uninstall -y onnxruntime && pip install 'fastdepth[gpu]', or use provider 'cpu'"
    )


def _as_ours(error: Exception, path: Path, provider: str, version: str) -> Exception:
    """The error of ours that says whether the file is to blame or the device."""
    reason = " ".join(str(error).split())[:200]
    if provider == "cpu" or type(error).__name__ in _BROKEN_FILE:
        return ModelFileError(
            f"{path} is truncated or not an ONNX model that ONNX Runtime {version} reads; "
            f"copy it again or run fastdepth-export ({reason})"
        )
    return DeviceError(f"provider {provider!r} cannot run {path}; use provider 'cpu' ({reason})")
