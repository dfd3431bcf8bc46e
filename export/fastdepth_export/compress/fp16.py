"""A graph in half precision: weights and features are fp16, what must be exact stays fp32.

fp32 stay the pixels before the first product, where asked for the first products as well, softmax
and exponentials (their sum overflows fp16 at 65504), and all that is counted in metres or their
logarithm: widths, the cumulative sum of the bins, their centres, the mixture of the bins and what
follows it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that multiply features by weights or by features."""

EXACT = ("Softmax", "CumSum")
"""Operators that stay in fp32 wherever they stand; LayerNormalization computes in it by itself."""

SHARES = ("Softmax", "Exp")
"""Operators that answer with the shares in which bins are mixed."""

VIEWS = ("Reshape", "Flatten", "Transpose")
"""Operators that leave values as they are."""

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)

_ALWAYS_FLOAT = {"Resize": (1, 2)}
"""Inputs, by position, that ONNX wants in fp32 (scales) or that are empty."""


def to_half(model: onnx.ModelProto, early: int = 0) -> onnx.ModelProto:
    """The graph typed in fp16, with the same inputs and outputs and casts where precisions meet.

    Args:
        model: in fp32; it is not changed.
        early: number of the first products that stay in fp32 too.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    _Typing(half.graph, _types(model), keep_exact(model.graph, early)).apply()
    onnx.checker.check_model(half, full_check=True)
    return half


def keep_exact(graph: onnx.GraphProto, early: int = 0) -> set[str]:
    """Names of the nodes that stay in fp32.

    Before the first product, or up to the first ``early`` ones and what follows them; back from the
    output to the products that give logits and widths; and the operators of ``EXACT``. The product
    of shares and centres is in metres: it is not stopped at.
    """
    makers = {name: node for node in graph.node for name in node.output}
    shares: set[str] = set()
    for node in graph.node:
        if node.op_type in SHARES or (node.op_type in VIEWS and node.input[0] in shares):
            shares.update(node.output)
    exact = {node.name for node in graph.node if node.op_type in EXACT}
    reached = {graph.input[0].name}
    for node in graph.node:
        if not reached.intersection(node.input):
            continue
        if node.op_type in PRODUCTS:
            if not early:
                continue
            early -= 1
        reached.update(node.output)
        exact.add(node.name)
    waiting, seen = [output.name for output in graph.output], set()
    exact |= {makers[name].name for name in waiting}
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if node.op_type not in PRODUCTS or shares.intersection(node.input):
            exact.add(node.name)
            waiting += node.input
    return exact.union(_beyond_onnxruntime(graph, makers))


def _beyond_onnxruntime(graph: onnx.GraphProto, makers: dict[str, onnx.NodeProto]) -> Iterator[str]:
    """Nodes that in fp16 crash ONNX Runtime 1.31 on the CPU while it optimises the graph.

    A transposed feature times a stored matrix without bias, as in a transformer whose biases are
    zero, as they are in an untrained one.
    """
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        maker = makers.get(node.input[0]) if node.op_type == "MatMul" else None
        if maker is not None and maker.op_type == "Transpose" and node.input[1] in weights:
            yield from (maker.name, node.name)


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of all tensors."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    infos = (*graph.input, *graph.value_info, *graph.output)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


class _Typing:
    """Gives every node of a graph its precision, in the order of the graph."""

    def __init__(self, graph: onnx.GraphProto, types: dict[str, int], exact: set[str]) -> None:
        self._graph, self._types, self._exact = graph, types, exact
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._cast: set[str] = set()

    def apply(self) -> None:
        """Retype the nodes, cast between them, and convert the weights that they read."""
        nodes = [made for node in self._graph.node for made in self._retype(node)]
        used = {name for node in nodes for name in node.input}
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        kept = [tensor for name, tensor in self._weights.items() if name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)

    def _retype(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """Casts of what the node reads, then the node itself."""
        kind = TensorProto.FLOAT if node.name in self._exact else TensorProto.FLOAT16
        for at, name in enumerate(node.input):
            if self._types.get(name) not in FLOATS or at in _ALWAYS_FLOAT.get(node.op_type, ()):
                continue
            if self._types[name] != kind:
                node.input[at] = f"{name}_{_label(kind)}"
                yield from self._convert(name, kind)
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in FLOATS:
                attribute.i = kind
        self._types.update((name, kind) for name in node.output if self._types.get(name) in FLOATS)
        yield node

    def _convert(self, name: str, kind: int) -> Iterator[onnx.NodeProto]:
        """Have ``name`` in another precision as well: a weight for good, a feature by a cast."""
        converted = f"{name}_{_label(kind)}"
        if converted in self._cast:
            return
        self._cast.add(converted)
        if name in self._weights:
            with np.errstate(over="ignore"):  # infinity is found when the file is judged
                values = numpy_helper.to_array(self._weights[name]).astype(np.float16)
            self._weights[converted] = numpy_helper.from_array(values, converted)
        else:
            yield helper.make_node("Cast", [name], [converted], name=f"to_{converted}", to=kind)


def _label(kind: int) -> str:
    return "fp16" if kind == TensorProto.FLOAT16 else "fp32"
