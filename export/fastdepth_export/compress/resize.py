"""Enlargements by a whole factor, told as one: what runtimes have layouts and kernels for.

PyTorch exports an enlargement as one to a size that is computed from other shapes. ONNX Runtime
then leaves the layout of its convolutions for it, and everything up to the next one: the sums with
the skips are no longer part of a convolution, and linear enlargement is four times as slow.
"""

from __future__ import annotations

import numpy as np

from fastdepth.extras import require

require("onnx", "export")
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

SIZES = 3
"""Place of the size among the inputs of Resize; the factors are the one before."""


def enlarge_by_factors(model: onnx.ModelProto) -> int:
    """Give each Resize whose answer is a whole multiple of its input the factors, not the size.

    What it computes stays the same: its coordinates are of the two sides or of their ratio.

    Args:
        model: with the shapes of its values; it is changed.

    Returns:
        How many there are.
    """
    sides = {value.name: _sides(value) for value in model.graph.value_info}
    sides |= {value.name: _sides(value) for value in model.graph.output}
    found = 0
    for node in model.graph.node:
        if node.op_type != "Resize" or len(node.input) <= SIZES:
            continue
        before, after = (sides.get(name, ()) for name in (node.input[0], node.output[0]))
        steps = [divmod(b, a) for a, b in zip(before, after, strict=False)]
        if not steps or any(rest for _, rest in steps):
            continue
        factors = np.array([1, 1, *(factor for factor, _ in steps)])
        name = f"{node.output[0]}_factors"
        model.graph.initializer.append(numpy_helper.from_array(factors.astype(np.float32), name))
        del node.input[SIZES - 1 :]
        node.input.append(name)
        kept = [each for each in node.attribute if each.name != "keep_aspect_ratio_policy"]
        del node.attribute[:]  # that one is of sizes alone
        node.attribute.extend(kept)
        found += 1
    if found:
        _drop_unused(model.graph)
    return found


def _sides(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Height and width of a (B, C, H, W); empty where they are not known."""
    dimensions = value.type.tensor_type.shape.dim
    sides = tuple(dimension.dim_value for dimension in dimensions[2:])  # 0 where it is open
    return sides if len(dimensions) == 4 and all(sides) else ()


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drop the nodes that computed the sizes, whose inputs a runtime would keep for them."""
    used = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            used.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
