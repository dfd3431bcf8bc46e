"""What a file costs to hold and to run: parameters, multiply-adds, bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx

from fastdepth.errors import ModelFileError
from fastdepth.extras import require
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.size import Size

_FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.INT8,
}

Shapes = dict[str, list[int]]


@dataclass(frozen=True)
class GraphCost:
    """Cost of an ONNX file for one picture.

    Attributes:
        params: numbers in its weights.
        macs: multiply-adds of its convolutions and matrix products.
        bytes: size of the file.
    """

    params: int
    macs: int
    bytes: int


def graph_cost(path: str | Path) -> GraphCost:
    """Count parameters, multiply-adds at batch 1 and the default size, and bytes of an ONNX file.

    Raises:
        ModelFileError: the file is not ONNX.
    """
    path = Path(path)
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf raises its own tree
        raise ModelFileError(f"{path} is not an ONNX file ({error}); export it again") from None
    scales = {
        name
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        for name in node.input[1:]
    }
    params = sum(
        math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type in _FLOATS and tensor.name not in scales
    )
    text = {entry.key: entry.value for entry in model.metadata_props}.get(METADATA_KEY)
    size = ModelMetadata.from_json(text, str(path)).size if text else None
    macs = sum(macs for _, macs in node_macs(model, size))
    return GraphCost(params, macs, path.stat().st_size)


def node_macs(model: onnx.ModelProto, size: Size | None = None) -> list[tuple[onnx.NodeProto, int]]:
    """Nodes and their multiply-adds at batch 1, from the shapes that follow from it.

    Args:
        model: with input (B, H, W, 3).
        size: H and W, where the graph leaves them open.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    dims = single.graph.input[0].type.tensor_type.shape.dim
    for dim, side in zip(dims, (1, *(size or ())), strict=False):
        dim.dim_value = side
    fixed, _ = require("onnxsim", "export").simplify(single)
    inferred = onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    shapes = _shapes(inferred.graph)
    return [(node, _node_macs(node, shapes)) for node in inferred.graph.node]


def _shapes(graph: onnx.GraphProto) -> Shapes:
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for info in (*graph.input, *graph.value_info, *graph.output):
        shapes[info.name] = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
    return shapes


def _node_macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Multiply-adds of one node; elementwise work and resizing count nothing."""
    if node.op_type in ("Conv", "ConvTranspose"):
        weight = shapes[node.input[1]]  # Conv: (out, in / groups, ...); ConvTranspose: (in, ...)
        map_name = node.output[0] if node.op_type == "Conv" else node.input[0]
        pixels = math.prod(shapes[map_name][2:]) * shapes[map_name][0]
        return pixels * math.prod(weight)
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    return 0
