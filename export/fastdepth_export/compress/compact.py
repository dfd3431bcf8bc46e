"""Store weights in half the bytes where that loses nothing, in a graph of the same function.

Weights that ship are stored in half precision, and exporting multiplies most of them by a batch
norm's factor per output channel. So a weight of the graph is often exactly a half-precision tensor,
or one times a factor per channel, rounded to single precision. Such a weight is stored as that and
computed by ``Cast`` and ``Mul``, which every runtime does once, when it opens the file. What is
computed equals the weight bit for bit, which is seen here for each; every other weight stays as it
is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LEAST_WEIGHTS = 1024
"""Smaller tensors save nothing."""

NEIGHBOURS = 2
"""A channel's factor is looked for among so many numbers beside the quotient of two weights, which
is rounded twice."""

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]


def compact(model: onnx.ModelProto, weights: Mapping[str, Floats]) -> onnx.ModelProto:
    """A copy of a graph whose weights take half the bytes where that is exact.

    Args:
        model: in fp32.
        weights: of the network as trained, by the names of the graph's weights; those that the
            graph has in another form, or that half precision does not hold, are not used.
    """
    stored = onnx.ModelProto()
    stored.CopyFrom(model)
    graph = stored.graph
    nodes: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LEAST_WEIGHTS:
            continue
        values = numpy_helper.to_array(tensor)
        parts = factorise(values, weights.get(tensor.name))
        if parts is not None:
            graph.initializer.remove(tensor)
            nodes += _expand(graph, tensor.name, *parts)
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(stored, full_check=True)
    return stored


def factorise(values: Floats, original: Floats | None) -> tuple[Halves, Floats | None] | None:
    """Half-precision numbers of which a tensor can be computed, bit for bit.

    Args:
        values: of the tensor.
        original: what it may be a multiple of, per first axis.

    Returns:
        The numbers, and factors shaped to multiply them, or None for none; None where it cannot.
    """
    halves = _halves(values)
    if halves is not None:
        return halves, None
    if original is None or original.shape != values.shape:
        return None
    halves = _halves(original)
    factors = None if halves is None else _factors(original, values)
    return None if halves is None or factors is None else (halves, factors)


def _halves(values: Floats) -> Halves | None:
    """The numbers in half precision, if it holds each of them."""
    with np.errstate(all="ignore"):
        halves: Halves = values.astype(np.float16)
    return halves if _same(halves.astype(np.float32), values).all() else None


def _factors(original: Floats, values: Floats) -> Floats | None:
    """Factors per first axis with which the original becomes the values, if there are such."""
    flat, wanted = original.reshape(len(original), -1), values.reshape(len(values), -1)
    rows, largest = np.arange(len(flat)), np.abs(flat).argmax(axis=1)
    with np.errstate(all="ignore"):
        quotient = wanted[rows, largest] / flat[rows, largest]
    guess = np.where(np.isfinite(quotient), quotient, 0).astype(np.float32)
    factors = np.full(len(flat), np.nan, np.float32)
    for candidate in _around(guess):
        with np.errstate(all="ignore"):
            found = _same(flat * candidate[:, None], wanted).all(axis=1)
        factors[found] = candidate[found]
    missing = np.isnan(factors).any()
    return None if missing else factors.reshape(-1, *[1] * (values.ndim - 1))


def _around(guess: Floats) -> Iterator[Floats]:
    """Arrays of the numbers next to each, and of the numbers themselves."""
    for end in (-np.inf, np.inf):
        near = guess
        for _ in range(NEIGHBOURS):
            with np.errstate(over="ignore"):  # infinity follows the largest, and fits none
                near = np.nextafter(near, np.float32(end))
            yield near
    yield guess


def _same(a: Floats, b: Floats) -> NDArray[np.bool_]:
    """Where both are the same bits: 0 is not -0, and NaN is itself."""
    same: NDArray[np.bool_] = a.view(np.uint32) == b.view(np.uint32)
    return same


def _expand(
    graph: onnx.GraphProto, name: str, halves: Halves, factors: Floats | None
) -> Iterator[onnx.NodeProto]:
    """Store what a weight is computed from; yields the nodes that do."""
    half, single = f"{name}_half", name if factors is None else f"{name}_single"
    graph.initializer.append(numpy_helper.from_array(halves, half))
    yield helper.make_node("Cast", [half], [single], name=f"node_{single}", to=TensorProto.FLOAT)
    if factors is not None:
        factor = f"{name}_factor"
        graph.initializer.append(numpy_helper.from_array(factors, factor))
        yield helper.make_node("Mul", [single, factor], [name], name=f"node_{name}")
