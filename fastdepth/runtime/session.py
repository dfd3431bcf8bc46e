"""Sessions of ONNX Runtime: opened on the provider that was asked for, or not at all.

ONNX Runtime goes on with the CPU where a GPU is not really there, and says so in its log at most.
Here that is an error, and a file that is not as fastdepth-export writes it is one, too.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastdepth.errors import (
    DeviceError,
    ModelFileError,
    OutputError,
    UnknownNameError,
    UsageError,
)
from fastdepth.extras import require
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.runtime.onnx_file import (
    NO_FOLDER,
    Source,
    check_start,
    name_of,
    reason,
    unreadable,
)
from fastdepth.runtime.opening import OPTIMISATIONS, Opening

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Execution providers: our name, and ONNX Runtime's."""

# What TensorRT cannot run goes to CUDA, and what CUDA cannot run to the CPU.
_CHAINS = {"cpu": ["cpu"], "cuda": ["cuda", "cpu"], "tensorrt": ["tensorrt", "cuda", "cpu"]}

# fp32 means fp32: TF32, which CUDA's provider computes in by default, keeps 10 bits of 23.
_PROVIDER_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}

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
_SILENT = 4  # log level; what a user must know is raised, not logged
_BROKEN_FILE = ("InvalidProtobuf", "InvalidGraph", "NoSuchFile")
_FAULTS_OF_FILES = ("IR version", "Opset", "External data", "external")


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


def open_session(opening: Opening) -> Any:
    """An ``onnxruntime.InferenceSession`` on exactly the provider that is asked for.

    Raises:
        DeviceError: the provider is not really there, or cannot run this model or a part of it.
        ModelFileError: the file cannot be read.
        MissingExtraError: ONNX Runtime is not installed.
    """
    source, provider = opening.source, opening.provider
    ort = require("onnxruntime", "cpu")
    if provider != "cpu":
        load_libraries(ort)
    if PROVIDERS[provider] not in ort.get_available_providers():
        raise _not_there(provider)
    check_start(source)
    try:
        session = ort.InferenceSession(
            source if isinstance(source, bytes) else str(source),
            sess_options=_options(ort, opening),
            providers=[provider_with_options(PROVIDERS[name]) for name in _CHAINS[provider]],
            enable_fallback=0,  # the fall-back would print to stdout and take the CPU
        )
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        raise _as_ours(error, source, provider, ort.__version__) from None
    if provider_in_use(session) != provider:
        raise _not_there(provider)
    if provider != "cpu" and not opening.allow_fallback:
        _check_placement(session, source, provider)
    return session


def load_libraries(ort: Any) -> None:
    """Load CUDA's and cuDNN's libraries where pip puts them, if ONNX Runtime can (1.21 and later).

    It looks for them where the system does. PyTorch for CUDA brings its own along when it is
    imported, which nothing does that an app embeds.
    """
    torch = sys.modules.get("torch")
    if hasattr(ort, "preload_dlls") and not (torch and torch.version.cuda):
        with contextlib.redirect_stdout(io.StringIO()):  # what is missing shows in the session
            ort.preload_dlls()


def provider_with_options(provider: str) -> tuple[str, dict[str, str]]:
    """A provider, by ONNX Runtime's name, and the options that it is always opened with."""
    return provider, _PROVIDER_OPTIONS.get(provider, {})


def _options(ort: Any, opening: Opening) -> Any:
    """An ``onnxruntime.SessionOptions``."""
    ort.set_default_logger_severity(_SILENT)  # what belongs to no session goes through this
    options = ort.SessionOptions()
    options.log_severity_level = _SILENT
    options.intra_op_num_threads = opening.threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(opening.spinning)))
    options.enable_cpu_mem_arena = options.enable_mem_pattern = opening.arena
    level = f"ORT_{OPTIMISATIONS[opening.graph_optimisation]}"
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    if opening.affinity:  # ONNX Runtime counts from 1
        entry = ";".join(str(core + 1) for core in opening.affinity)
        options.add_session_config_entry("session.intra_op_thread_affinities", entry)
    if opening.profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(opening.profile.with_suffix(""))
    if isinstance(opening.source, bytes):  # or weights would be looked for in the working directory
        entry = "session.model_external_initializers_file_folder_path"
        options.add_session_config_entry(entry, NO_FOLDER)
    if opening.provider != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _check_placement(session: Any, source: Source, provider: str) -> None:
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
            f"provider {provider!r} leaves {what} of {name_of(source)} to others; use provider "
            "'cpu', export it in another precision, or allow the fall-back"
        )


def read_metadata(session: Any, source: Source) -> ModelMetadata:
    """What the file says of itself.

    Raises:
        ModelFileError: another program wrote the file, or it is broken.
    """
    name = name_of(source)
    text = metadata_text(session, source, METADATA_KEY)
    if text is None:
        raise ModelFileError(
            f"{name} has no fastdepth metadata, another program wrote it; "
            "write the model with fastdepth-export, or give it metres with fastdepth-calibrate"
        )
    return ModelMetadata.from_json(text, name)


def metadata_text(session: Any, source: Source, key: str) -> str | None:
    """What stands under a key of a file's metadata; None where nothing does.

    Raises:
        ModelFileError: it is no text.
    """
    try:
        text: str | None = session.get_modelmeta().custom_metadata_map.get(key)
    except UnicodeDecodeError:
        what = f"the metadata of {name_of(source)}"
        raise ModelFileError(f"{what} is not text; copy it again") from None
    return text


def check_graph(session: Any, metadata: ModelMetadata, source: Source) -> None:
    """See that a file takes and gives what its metadata says.

    What it leaves open is seen by :func:`fastdepth.runtime.answer.check_answer` when it answers.

    Raises:
        ModelFileError: inputs or outputs are not those of an exported network.
    """
    try:
        inputs = [(node.name, node.type, *node.shape) for node in session.get_inputs()]
        outputs = [(node.name, node.type, *node.shape) for node in session.get_outputs()]
    except UnicodeDecodeError:
        raise ModelFileError(f"names in {name_of(source)} are no text; copy it again") from None
    if _takes(inputs, metadata) and _gives(outputs, metadata):
        return
    sizes = ", ".join(str(size) for size in metadata.sizes)
    raise ModelFileError(
        f"{name_of(source)} takes {_said(inputs)} and gives {_said(outputs)}, but its metadata "
        f"says uint8 image ({metadata.batch or 'B'}, H, W, 3) of {sizes} and float depth "
        f"({metadata.batch or 'B'}, 1, H, W); export it again with fastdepth-export"
    )


def _takes(inputs: Sequence[tuple[Any, ...]], metadata: ModelMetadata) -> bool:
    """Whether the inputs are one image of all sizes; only of several may sides be open."""
    if len(inputs) != 1 or len(inputs[0]) != 6:
        return False
    name, kind, *shape = inputs[0]
    fixed = len(metadata.sizes) == 1 and not all(isinstance(side, int) for side in shape[1:])
    wanted = [(metadata.batch or 1, *size, 3) for size in metadata.sizes]
    fits = not fixed and shape[3] == 3 and all(_may_be(shape, each) for each in wanted)
    return fits and (name, kind) == ("image", "tensor(uint8)")


def _gives(outputs: Sequence[tuple[Any, ...]], metadata: ModelMetadata) -> bool:
    """Whether the outputs are depth and maybe std, of the images' size where they say one."""
    wanted = [(metadata.batch or 1, 1, *size) for size in metadata.sizes]
    shapes = [shape for _, _, *shape in outputs if shape]
    fits = all(_may_be(shape, each) for shape in shapes for each in wanted)
    return fits and [tuple(output[:2]) for output in outputs] in _OUTPUTS


def _may_be(shape: Sequence[Any], wanted: Sequence[int]) -> bool:
    """Whether a shape, whose open sides are names or None, can be this one."""
    pairs = zip(shape, wanted, strict=False)
    return len(shape) == len(wanted) and all(not isinstance(a, int) or a == b for a, b in pairs)


def _said(tensors: Sequence[tuple[Any, ...]]) -> str:
    return f"{tensors}"[:300]


def _not_there(provider: str) -> DeviceError:
    """The error for a provider that is missing, or that left the work to another."""
    return DeviceError(
        f"provider {provider!r} is not there; check the driver and run: "
        "pip uninstall -y onnxruntime && pip install 'fastdepth[gpu]', or use provider 'cpu'"
    )


def _as_ours(error: Exception, source: Source, provider: str, version: str) -> Exception:
    """The error of ours that says whether the file is to blame or the device."""
    blamed = any(sign in str(error) for sign in _FAULTS_OF_FILES)
    if provider == "cpu" or blamed or type(error).__name__ in _BROKEN_FILE:
        return unreadable(error, source, f"ONNX Runtime {version}")
    return DeviceError(
        f"provider {provider!r} cannot run {name_of(source)}; use provider 'cpu' "
        f"({reason(str(error))})"
    )


class Closed:
    """Stands in the place of a session that was closed."""

    def __getattr__(self, name: str) -> Any:
        raise UsageError("this model is closed; open it again with fastdepth.load")


def write_profile(session: Any, path: Path) -> None:
    """End the profile of a session and move it to where it was asked for.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        Path(session.end_profiling()).replace(path)
    except Exception as error:  # of ONNX Runtime or the system
        raise OutputError(
            f"the profile cannot be written to {path}; give another file ({reason(str(error))})"
        ) from None
