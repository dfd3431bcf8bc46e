"""Any ONNX depth network beside fastdepth's own: what it is, and whether it can be run.

A third-party file does not say how it wants its images and what its answer means; whoever gives it
does. A fastdepth file says both itself and is taken as what it is. What runs them is
:class:`fastdepth.runtime.third_party_model.ThirdPartyModel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastdepth.calibrate.correction import Stored
from fastdepth.calibrate.record import RECORD_KEY, CalibrationRecord
from fastdepth.documents import MOST
from fastdepth.errors import ModelFileError, UsageError, look_up
from fastdepth.extras import require
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.preprocess import IMAGENET_MEAN, IMAGENET_STD
from fastdepth.runtime.onnx_file import read_graph
from fastdepth.size import MAX_SIDE, Size

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Normalisation:
    """What becomes of a pixel: (pixel / 255 - mean) / std, by colour.

    Attributes:
        mean: of red, green and blue, in [0, 1].
        std: of the same.
        summary: one line for lists.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    summary: str

    def table(self) -> NDArray[np.float32]:
        """(256, 3) float32: what each value of a pixel becomes in red, green and blue."""
        pixels = np.arange(256)[:, None] / 255
        return ((pixels - self.mean) / self.std).astype(np.float32)


NORMALISE: Mapping[str, Normalisation] = MappingProxyType(
    {
        "imagenet": Normalisation(
            IMAGENET_MEAN, IMAGENET_STD, "ImageNet's mean and standard deviation"
        ),
        "half": Normalisation((0.5,) * 3, (0.5,) * 3, "mean 0.5 and standard deviation 0.5: -1..1"),
        "unit": Normalisation((0.0,) * 3, (1.0,) * 3, "0..1"),
        "raw": Normalisation((0.0,) * 3, (1 / 255,) * 3, "0..255 as it is"),
    }
)
"""Ways in which depth networks want their images, by name."""

OUTPUTS: Mapping[str, str] = MappingProxyType(
    {
        "metres": "depth [m]",
        "disparity": "disparity, larger is nearer, of no known scale and shift",
    }
)
"""What a model may answer with, by name."""

_TYPES: Mapping[str, type[np.generic]] = {
    "FLOAT": np.float32,
    "FLOAT16": np.float16,
    "UINT8": np.uint8,
}
_ANSWERS = ("FLOAT", "FLOAT16", "DOUBLE")


class OptionNames(NamedTuple):
    """What a command line calls the fields of a :class:`ThirdPartyFile`, for its messages."""

    size: str = "--input-size"
    normalise: str = "--normalise"
    output: str = "--output"


@dataclass(frozen=True)
class ThirdPartyFile:
    """An ONNX file, and what has to be said of it.

    Attributes:
        path: the file.
        size: network input; None where the file has but one.
        normalise: a name of ``NORMALISE``; empty where the file takes uint8 or is fastdepth's.
        output: a name of ``OUTPUTS``; empty where the file is fastdepth's.
        options: how to say these three.
    """

    path: Path
    size: Size | None = None
    normalise: str = ""
    output: str = ""
    options: OptionNames = OptionNames()

    def __post_init__(self) -> None:
        if self.normalise:
            look_up("normalisation", self.normalise, NORMALISE)
        if self.output:
            look_up("output", self.output, OUTPUTS)

    @property
    def in_metres(self) -> bool:
        """Whether it answers with depth [m]."""
        return self.output != "disparity"


@dataclass(frozen=True)
class Graph:
    """How a file is called.

    Attributes:
        input: name of the tensor that is the image.
        output: name of the tensor that is the depth.
        channels_first: whether the image is (B, 3, H, W) and not (B, H, W, 3).
        dtype: float32, float16 or uint8.
        batch: images per inference where that is fixed in the graph; None takes any.
        size: network input.
        metadata: of a fastdepth file; None of others.
        normalise: a name of ``NORMALISE``.
        record: of a third-party file that fastdepth-calibrate wrote; None of others.
    """

    input: str
    output: str
    channels_first: bool
    dtype: type[np.generic]
    batch: int | None
    size: Size
    metadata: ModelMetadata | None = None
    normalise: str = "raw"
    record: CalibrationRecord | None = None

    @classmethod
    def of_record(cls, record: CalibrationRecord) -> Graph:
        """How a calibrated third-party file is called."""
        own = cls(
            record.input,
            record.output,
            record.channels_first,
            np.dtype(record.dtype).type,
            record.batch,
            record.size,
        )
        return replace(own, normalise=record.normalise, record=record)

    @property
    def correction(self) -> Stored | None:
        """What calibration has left in the file."""
        if self.record:
            return self.record.correction or self.record.disparity
        return self.metadata.correction if self.metadata else None

    def shape(self, batch: int) -> tuple[int, int, int, int]:
        """Of the input, with so many images."""
        return (batch, 3, *self.size) if self.channels_first else (batch, *self.size, 3)


def inspect(file: ThirdPartyFile) -> Graph:
    """See that a file can be run as it was given, before anything is run.

    Raises:
        ModelFileError: the file is missing, not ONNX, or no network from one image to one map.
        UsageError: size, normalisation or output are missing, or do not fit the file.
        MissingExtraError: ONNX is not installed.
    """
    path = file.path
    model = read_graph(path)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if METADATA_KEY in texts:
        return _own(file, ModelMetadata.from_json(texts[METADATA_KEY], str(path)))
    if RECORD_KEY in texts:
        return _calibrated(file, CalibrationRecord.from_json(texts[RECORD_KEY], str(path)))
    graph = _read_input(file, model.graph)
    if graph.dtype == np.uint8 and file.normalise not in ("", "raw"):
        raise UsageError(
            f"input {graph.input[:MOST]!r} of {path} is uint8, which the file normalises itself; "
            f"use {file.options.normalise} raw, or leave it out"
        )
    if graph.dtype != np.uint8 and not file.normalise:
        raise UsageError(
            f"how input {graph.input[:MOST]!r} of {path} is normalised stands nowhere in it; "
            f"say {file.options.normalise} {', '.join(NORMALISE)}"
        )
    if not file.output:
        raise UsageError(
            f"what output {graph.output[:MOST]!r} of {path} means stands nowhere in it; "
            f"say {file.options.output} {' or '.join(OUTPUTS)}"
        )
    return replace(graph, normalise=file.normalise or "raw")


def _calibrated(file: ThirdPartyFile, record: CalibrationRecord) -> Graph:
    """How a calibrated third-party file is called."""
    option = file.options
    if file.normalise or file.output or file.size not in (None, record.size):
        raise UsageError(
            f"{file.path} is calibrated, which says how it is called, at {record.size}; "
            f"leave {option.normalise}, {option.output} and {option.size} out"
        )
    return Graph.of_record(record)


def _own(file: ThirdPartyFile, metadata: ModelMetadata) -> Graph:
    """How a file of fastdepth's is called."""
    if file.normalise or file.output:
        raise UsageError(
            f"{file.path} is a fastdepth file, which normalises itself and answers in metres; "
            f"leave {file.options.normalise} and {file.options.output} out"
        )
    size = file.size or metadata.size
    if size not in metadata.sizes:
        sizes = ", ".join(map(str, metadata.sizes))
        raise UsageError(
            f"{file.path} takes {sizes}, not {size}; export it with --size {size}, "
            f"or leave {file.options.size} out"
        )
    return Graph("image", "depth", False, np.uint8, metadata.batch, size, metadata)


def _read_input(file: ThirdPartyFile, graph: onnx.GraphProto) -> Graph:
    """How a third-party file is called, from its graph."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [info for info in graph.input if info.name not in constants]
    if len(inputs) != 1:
        raise ModelFileError(
            f"{file.path} takes {_names(inputs)}, but is given one image; "
            "export it with constants for the others"
        )
    (image,) = inputs
    what, shape = f"input {image.name[:MOST]!r} of {file.path}", _shape(image)
    kind = _kind(image)
    if kind not in _TYPES:
        raise ModelFileError(f"{what} is {kind}; export it with float32, float16 or uint8")
    if shape is None or len(shape) != 4 or not _colours(shape):
        raise ModelFileError(
            f"{what} has the shape {_said(shape)}; export it with (B, 3, H, W) or (B, H, W, 3)"
        )
    first = _colours(shape) == 1
    return Graph(
        image.name,
        _output(file.path, graph),
        first,
        _TYPES[kind],
        shape[0],
        _size(file, shape[2:] if first else shape[1:3], what),
    )


def _colours(shape: Sequence[int | None]) -> int:
    """The axis of the three colours, 0 for none; an open second axis is PyTorch's habit."""
    axes = [axis for wanted in (3, None) for axis in (1, 3) if shape[axis] == wanted]
    return axes[0] if axes else 0


def _size(file: ThirdPartyFile, sides: Sequence[int | None], what: str) -> Size:
    """The network input, from what was given and the sides that the graph fixes."""
    given, option = file.size, file.options.size
    if given is None:
        height, width = sides
        if height is None or width is None:
            raise UsageError(f"{what} leaves its size open; say {option} WIDTHxHEIGHT")
        if max(height, width) > MAX_SIDE:
            raise ModelFileError(f"{what} is {width}x{height}; sides may have {MAX_SIDE} px")
        return Size(height, width)
    if max(given) > MAX_SIDE:
        raise UsageError(f"{option} {given} is too large; sides may have {MAX_SIDE} px")
    if any(side not in (None, wanted) for side, wanted in zip(sides, given, strict=True)):
        fixed = "x".join("any" if side is None else str(side) for side in reversed(sides))
        raise UsageError(f"{what} takes {fixed}, not {given}; use that size as {option}")
    return given


def _output(path: Path, graph: onnx.GraphProto) -> str:
    """Name of the tensor that is the depth."""
    outputs = list(graph.output)
    if len(outputs) != 1:
        likely = ("depth", "disp")
        named = [info for info in outputs if any(word in info.name.lower() for word in likely)]
        if len(named) != 1:
            raise ModelFileError(
                f"{path} answers with {_names(outputs)}, and which is the depth cannot be told; "
                "keep that one with onnx.utils.extract_model"
            )
        outputs = named
    (depth,) = outputs
    shape = _shape(depth)
    fits = shape is None or len(shape) == 3 or (len(shape) == 4 and map_axis(shape))
    if not fits or _kind(depth) not in _ANSWERS:
        raise ModelFileError(
            f"output {depth.name[:MOST]!r} of {path} is {_kind(depth)} {_said(shape)}; export it "
            "with one float map an image: (B, 1, H, W), (B, H, W) or (B, H, W, 1)"
        )
    name: str = depth.name
    return name


def map_axis(shape: Sequence[int | None]) -> int:
    """The axis of four that is or can be of length 1, 0 for none."""
    axes = [axis for wanted in (1, None) for axis in (1, 3) if shape[axis] == wanted]
    return axes[0] if axes else 0


def _shape(info: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    """A tensor's sides, None where they are open; None where not even their number is known."""
    tensor = info.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim)


def _kind(info: onnx.ValueInfoProto) -> str:
    """ONNX's name of a tensor's type."""
    number = info.type.tensor_type.elem_type
    known = require("onnx", "calibrate").TensorProto.DataType
    return str(known.Name(number)) if number in known.values() else f"of a type {number}"


def _said(shape: Sequence[int | None] | None) -> str:
    if shape is None:
        return "(unknown)"
    return f"({', '.join('open' if side is None else str(side) for side in shape)})"[:MOST]


def _names(infos: Sequence[onnx.ValueInfoProto]) -> str:
    return ", ".join(repr(info.name) for info in infos)[:MOST] or "nothing"
