"""What a file costs to hold and to run: parameters, multiply-adds, bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from fastdepth.errors import ModelFileError
from fastdepth.extras import require
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.runtime.onnx_file import read_graph, read_weights, reason
from fastdepth_export.recipe import ExportRecipe

_FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.INT8,
}

Shapes = dict[str, list[int]]


@dataclass(frozen=True)
class GraphCost:
    """Cost of an ONNX file for one image.

    Attributes:
        params: numbers in its weights.
        macs: multiply-adds of its convolutions and matrix products.
        bytes: size of the file.
        weights_bytes: of its constants alone, as they are stored; None where not counted.
    """

    params: int
    macs: int
    bytes: int
    weights_bytes: int | None = None


def graph_cost(path: str | Path, shape: Sequence[int] | None = None) -> GraphCost:
    """Count parameters, multiply-adds for one image, and bytes of an ONNX file.

    Args:
        path: the file; weights that it keeps in files beside it count.
        shape: of its first input, which decides the multiply-adds where the graph leaves it open;
            None takes one image of the default size that fastdepth's metadata state.

    Raises:
        ModelFileError: the file is not ONNX, or its multiply-adds cannot be counted.
    """
    path = Path(path)
    model = read_graph(path)
    files = [path, *read_weights(path, model)]
    if shape is None:
        text = {entry.key: entry.value for entry in model.metadata_props}.get(METADATA_KEY)
        shape = (1, *(ModelMetadata.from_json(text, str(path)).size if text else ()))
    try:
        macs = sum(macs for _, macs in node_macs(model, shape))
        params, weights_bytes = _params(model), _constants_bytes(model)
    except Exception as error:  # of the simplifier, of ONNX, or of what a damaged graph lacks
        raise ModelFileError(
            f"the multiply-adds of {path} cannot be counted ({reason(str(error))}); "
            "write it with ONNX's own operators and shapes that follow from its input's"
        ) from None
    size = sum(file.stat().st_size for file in files)
    return GraphCost(params, macs, size, weights_bytes)


def network_macs(call: Callable[[], object]) -> int:
    """Multiply-adds of the networks in PyTorch that a function calls."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

    def attention(*shapes: Sequence[int], out_shape: object = None, **_: object) -> int:
        return int(sdpa_flop_count(*shapes[:3]))  # type: ignore[no-untyped-call]

    # The CPU's attention is one that the counter leaves out.
    mapping = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention}
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter cannot look inside it
    try:
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=mapping) as counter:
            call()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return int(counter.get_total_flops()) // 2  # a multiply-add is two operations


def deployed_cost(recipe: ExportRecipe, files: Sequence[Path]) -> GraphCost:
    """Cost of files that were built from a network in PyTorch, counted in the form that went in.

    Args:
        recipe: of the files; its first size counts.
        files: all of them.
    """
    import torch

    from fastdepth_export.formats.one_image import OneImage
    from fastdepth_export.network import build_network, in_form

    resolved = recipe.resolved()
    module = OneImage(in_form(build_network(recipe), resolved), planes=False)
    image = torch.zeros((1, *resolved.sizes[0], 3), dtype=torch.uint8)
    used: set[int] = set()

    class Noting(torch.overrides.TorchFunctionMode):
        """Notes the tensors that operators read: what was folded away is still there."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            used.update(map(id, torch.utils._pytree.tree_leaves((args, kwargs))))
            return func(*args, **(kwargs or {}))

    def call() -> None:
        with Noting():
            module(image)

    macs = network_macs(call)
    state = module.state_dict(keep_vars=True)
    read = (value for name, value in state.items() if is_weight(name) and id(value) in used)
    size = sum(file.stat().st_size for file in files)
    return GraphCost(sum(value.numel() for value in read), macs, size)


def is_weight(name: str) -> bool:
    """Whether a network's tensor is learnt or folded, not a statistic of batch normalisation."""
    return name.rpartition(".")[2] not in ("running_mean", "running_var", "num_batches_tracked")


def _params(model: onnx.ModelProto) -> int:
    """Numbers in the weights, not in scales, nor in the factors of compactly stored ones."""
    stored = {tensor.name for tensor in model.graph.initializer}
    cast = {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Cast" and node.input[0] in stored
    }
    scales = {
        name
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        or (node.op_type == "Mul" and node.input[0] in cast)
        for name in node.input[1:]
    }
    return sum(
        math.prod(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type in _FLOATS and tensor.name not in scales
    )


def _constants_bytes(model: onnx.ModelProto) -> int:
    """Bytes of the constants as the file stores them, scales and shapes among them."""
    tensors = [attribute.t for node in model.graph.node for attribute in node.attribute]
    return sum(_tensor_bytes(tensor) for tensor in (*model.graph.initializer, *tensors))


def _tensor_bytes(tensor: onnx.TensorProto) -> int:
    """Bytes of a tensor's numbers, packed where they are smaller than one."""
    if not tensor.data_type or tensor.data_type == onnx.TensorProto.STRING:
        return 0
    halves = onnx.TensorProto.DataType.Name(tensor.data_type) in ("INT4", "UINT4", "FLOAT4E2M1")
    size = int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    count: int = math.prod(tensor.dims)
    return -(-count // 2) if halves else count * size


def node_macs(
    model: onnx.ModelProto, shape: Sequence[int] = (1,)
) -> list[tuple[onnx.NodeProto, int]]:
    """Nodes and their multiply-adds, from the shapes that follow from the first input's.

    Args:
        model: its first input is the image.
        shape: of it, or as many of its first axes as the graph leaves open.

    Raises:
        KeyError, ValueError: the shape of a convolution or product does not follow.
    """
    single = onnx.ModelProto()
    single.CopyFrom(model)
    constants = {tensor.name for tensor in single.graph.initializer}
    image = next(info for info in single.graph.input if info.name not in constants)
    for dim, side in zip(image.type.tensor_type.shape.dim, shape, strict=False):
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
    macs = _products(node, shapes)
    if macs == 0:
        raise ValueError(f"a shape of {node.op_type} {node.name or node.output[0]} is open")
    return macs or 0


def _products(node: onnx.NodeProto, shapes: Shapes) -> int | None:
    """Multiply-adds of a convolution or matrix product; None of any other node."""
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
    return None
