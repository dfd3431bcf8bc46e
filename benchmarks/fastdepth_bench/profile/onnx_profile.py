"""Operators of an ONNX file, timed by ONNX Runtime's own profiler.

ONNX Runtime joins, replaces and reorders operators while it opens a file; what it runs is what is
listed. Its profile is read as foreign JSON: nothing in it is trusted.
"""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fastdepth.documents import parse
from fastdepth.errors import ModelFileError, UsageError
from fastdepth.extras import require
from fastdepth.files import read_bytes
from fastdepth.runtime.answer import run
from fastdepth.runtime.onnx_file import read_graph
from fastdepth.runtime.opening import Opening
from fastdepth.runtime.session import open_session, write_profile
from fastdepth.size import MAX_SIDE, Size
from fastdepth_bench.profile.operators import (
    VIEWS,
    Operator,
    Timed,
    convolution_kind,
    convolution_macs,
    kernel_of,
    product_macs,
    transposed_macs,
)

if TYPE_CHECKING:
    from onnx import GraphProto

Count = Annotated[int, Meta(ge=0, le=10**15)]
Digits = Annotated[str, Meta(pattern="^[0-9]{1,15}$")]
Name = Annotated[str, Meta(max_length=10_000)]
Shape = Annotated[tuple[Count, ...], Meta(max_length=100)]
Shapes = Annotated[tuple[dict[Name, Shape], ...], Meta(max_length=10_000)]

SUFFIX = "_kernel_time"
"""Ends the names of what the profiler says of an operator at work."""

CHANNELS = (1, 3, 4)
"""Of an image: grey, colours, colours with depth."""

CONVOLUTIONS = ("Conv", "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger")
TRANSPOSED = "ConvTranspose"
WEIGHTED = ("Conv", TRANSPOSED, "MatMul", "Gemm")
"""Operators of a file whose second input is a weight, unless it is computed."""

ITEM_SIZES = {"float16": 2, "bfloat16": 2, "double": 8, "uint8": 1, "int8": 1}
"""Bytes of a number, by the profiler's name of its type, where they are not four."""

MOST = 200_000
"""Times of a file's operators that are taken; ONNX Runtime keeps a million, in a GB or two."""

PRODUCTS = ("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "FusedGemm", "QGemm")
ELEMENT_TYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}


@dataclass(frozen=True)
class Arguments:
    """What the profiler says of an operator; nothing of other events."""

    op_name: Name = ""
    node_index: Digits = "0"
    input_type_shape: Shapes = ()
    output_type_shape: Shapes = ()
    parameter_size: Digits = "0"
    activation_size: Digits = "0"
    output_size: Digits = "0"


@dataclass(frozen=True)
class Event:
    """Something that the profiler timed; ``dur`` in microseconds."""

    cat: Name
    name: Name
    dur: Count = 0
    args: Arguments = field(default_factory=Arguments)


def profile_onnx(
    path: Path, threads: int, seconds: float, size: Size | None, time_limit: float
) -> Timed:
    """Run a file on random pixels and time its operators.

    Args:
        path: the file, of whatever program.
        threads: CPU threads.
        seconds: run it for so long, three times at least [s]; what takes ``MOST`` times of its
            operators before ends then.
        size: of its input, where the file leaves it open.
        time_limit: of an inference [s].

    Raises:
        ModelFileError: the file cannot be read or run, or its profile is none.
        UsageError: its input is not one image, or its size is open and not given.
    """
    runtime = f"ONNX Runtime {require('onnxruntime', 'cpu').__version__}"
    with TemporaryDirectory() as folder:
        place = Path(folder) / "profile.json"
        opening = Opening(
            path, threads=threads, profile=place, spinning=True, time_limit=time_limit
        )
        session = open_session(opening)
        image, shape = _image(session, path, size)
        (name,) = image
        times: list[float] = []
        outputs = [output.name for output in session.get_outputs()]
        mend = "say another --input-size"
        graph = read_graph(path).graph
        most, end = MOST // max(1, len(graph.node)), time.perf_counter() + seconds
        while len(times) < 3 or (time.perf_counter() < end and len(times) < most):
            start = time.perf_counter()
            run(session, outputs, {name: image[name]}, opening, shape, mend)
            times.append(time.perf_counter() - start)
        write_profile(session, place)
        events = parse(
            read_bytes(place, ModelFileError),
            list[Event],
            f"the profile of {path}",
            "run it again",
            ModelFileError,
        )
    operators = operators_of(events, weights_of(graph))
    return Timed(runtime, len(times) - 1, median(times[1:]), tuple(operators))


def _image(session: Any, path: Path, size: Size | None) -> tuple[dict[str, NDArray[Any]], Size]:
    """Random pixels by the name of the input that takes them, and their size."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in ELEMENT_TYPES or len(inputs[0].shape) != 4:
        taken = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)[:300]
        raise UsageError(
            f"{path} takes {taken or 'nothing'}; give a file that takes one batch of images in "
            f"{', '.join(ELEMENT_TYPES)}"
        )
    (node,) = inputs
    last = node.shape[3] in CHANNELS and node.shape[1] not in CHANNELS
    at = (1, 2) if last else (2, 3)
    sides = [node.shape[axis] for axis in at]
    open_sides = not all(isinstance(side, int) for side in sides)
    found = _size_in(session) if open_sides and size is None else size
    if open_sides and found is None:
        raise UsageError(f"{path} leaves its input's size open; say --input-size WIDTHxHEIGHT")
    if not open_sides and found is not None and tuple(found) != tuple(sides):
        raise UsageError(f"{path} takes {Size(*sides)} alone; leave --input-size out")
    own = found if open_sides and found is not None else Size(*sides)
    if max(own) > MAX_SIDE:
        raise UsageError(f"{path} at {own} is too large; sides may have {MAX_SIDE} px")
    usual = (1, *own, 3) if last else (1, 3, *own)
    shape = [a if isinstance(a, int) else b for a, b in zip(node.shape, usual, strict=True)]
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    kind = ELEMENT_TYPES[node.type]
    return {node.name: pixels if kind == np.uint8 else (pixels / 255).astype(kind)}, own


def _size_in(session: Any) -> Size | None:
    """The default size that fastdepth's metadata state; None of other files."""
    from fastdepth.metadata import METADATA_KEY, ModelMetadata

    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return ModelMetadata.from_json(text, "the file").size if text else None


def weights_of(graph: GraphProto) -> dict[str, Shape]:
    """Shapes of the constants that a file's convolutions and products multiply by, by their names.

    ONNX Runtime's profile does not show those that it has packed. A node without a name is called
    by its kind and its number, as there.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    found: dict[str, Shape] = {}
    number = 0
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                shapes[node.output[0]] = tuple(attribute.t.dims)
            continue
        if node.op_type in ("Cast", "Mul", "DequantizeLinear") and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]  # stored in fewer bits
        if node.op_type in WEIGHTED and node.input[1] in shapes:
            found[node.name or f"{node.op_type}_{number}"] = shapes[node.input[1]]
        number += 1
    return found


def operators_of(events: list[Event], weights: dict[str, Shape]) -> list[Operator]:
    """The operators of a profile, each with the median of its times but the first.

    Args:
        events: of several inferences.
        weights: as :func:`weights_of` has them.

    Raises:
        ModelFileError: no operator was timed.
    """
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    said: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.cat == "Node" and event.name.endswith(SUFFIX):
            key = event.args.node_index, event.name
            times[key].append(event.dur / 1e6)
            said[key] = event
    if not said:
        raise ModelFileError("the profile times no operator; use another ONNX Runtime")
    return [
        _operator(event, weights, median(times[key][1:] or times[key]))
        for key, event in said.items()
    ]


def _operator(event: Event, weights: dict[str, Shape], seconds: float) -> Operator:
    arguments, name = event.args, event.name.removesuffix(SUFFIX)
    sizes = arguments.parameter_size, arguments.activation_size, arguments.output_size
    inputs = [shape for each in arguments.input_type_shape for shape in each.values()]
    outputs = [shape for each in arguments.output_type_shape for shape in each.values()]
    kind, macs, moved = arguments.op_name, 0, sum(map(int, sizes))
    weight = weights.get(re.sub("_token_[0-9]+$", "", name))
    packed = math.prod(weight) * _itemsize(arguments) if weight and weight not in inputs else 0
    if kind in (*CONVOLUTIONS, TRANSPOSED) and outputs:
        shown = next((shape for shape in inputs[1:] if len(shape) == 4), None)
        weight, packed = shown or weight, 0 if shown else packed
        if weight and inputs and kind == TRANSPOSED:
            macs = transposed_macs(weight, inputs[0])
            kind = f"{kind} {kernel_of(weight)}"
        elif weight:
            macs = convolution_macs(weight, outputs[0])
            kind = convolution_kind(kind, weight, inputs[0] if inputs else ())
    elif kind in PRODUCTS and outputs and inputs and inputs[0]:
        macs = product_macs(inputs, outputs[0])
    return Operator(name, kind, macs, 0 if kind in VIEWS else moved + packed, seconds)


def _itemsize(arguments: Arguments) -> int:
    """Bytes of a number of what an operator answers with, and so of its weights."""
    types = [each for tensor in arguments.output_type_shape for each in tensor]
    return ITEM_SIZES.get(types[0], 4) if types else 4
