"""What OpenVINO leaves in float32 of a model that it computes in bfloat16.

OpenVINO keeps the type of a node that is marked ``precise`` in the .xml. Unmarked, it would compute
all there is in 8 significant bits: the sum over the bins' widths, the mixture of the bins, and the
depth in metres, which it would round to steps of 8 mm beyond 2 m and of 16 mm beyond 4 m.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from fastdepth.errors import DeviceError
from fastdepth_export.compress.early import EARLY

PRODUCTS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul")
"""OpenVINO's operators that multiply features by weights or by features ..."""

COMPILED_PRODUCTS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")
"""... and their names in what its CPU plugin makes of them."""

SHARES = ("Softmax", "SoftMax", "Exp")
"""Operators that answer with the shares in which bins are mixed."""

VIEWS = ("Reshape", "Transpose", "Squeeze", "Unsqueeze")
"""Operators that leave values as they are."""


def prepare(model: Any) -> set[str]:
    """Names of the nodes to be marked by :func:`mark`, in a model that is changed for it.

    They are: what stands before the first product, the first ``EARLY`` ones and what follows these
    up to the next, and all from the output back to the products that give logits and widths. The
    product of shares and centres is in metres or their logarithm: it is not stopped at.

    Args:
        model: an ``openvino.Model`` in float32 or in 8 bits.
    """
    exact = _early(model) | _late(model)
    for node in model.get_ordered_ops():
        if node.get_friendly_name() in exact:
            exact |= _lower(node)
    return exact


def _early(model: Any) -> set[str]:
    """Names of what the image comes to first."""
    early = EARLY
    reached = {node.get_friendly_name() for node in model.get_parameters()}
    for node in model.get_ordered_ops():
        if reached.isdisjoint(maker.get_friendly_name() for maker in _makers(node)):
            continue
        if node.get_type_name() in PRODUCTS:
            if not early:
                continue
            early -= 1
        reached.add(node.get_friendly_name())
    return reached


def _late(model: Any) -> set[str]:
    """Names of what leads from logits and widths to the output."""
    shares: set[str] = set()
    for node in model.get_ordered_ops():
        kind, makers = node.get_type_name(), _makers(node)
        if kind in SHARES or (kind in VIEWS and makers[0].get_friendly_name() in shares):
            shares.add(node.get_friendly_name())
    seen: set[str] = set()
    waiting = list(model.get_results())
    while waiting:
        node = waiting.pop()
        makers = _makers(node)
        mixes = any(maker.get_friendly_name() in shares for maker in makers)
        if node.get_type_name() in PRODUCTS and not mixes:
            continue
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += makers
    return seen


def _makers(node: Any) -> list[Any]:
    """The nodes that a node reads from."""
    return [port.get_source_output().get_node() for port in node.inputs()]


def _lower(node: Any) -> set[str]:
    """Put in a node's place what the CPU plugin would, whose own replacements lose the mark.

    What the plugin joins of arithmetic with constants still loses it: in the MobileNets the pixels'
    division by their deviation and that of widths by their sum.

    Returns:
        Names of what was put there beside the node of the same name.
    """
    from openvino import opset1
    from openvino.utils import replace_node
    from openvino.utils.node_factory import NodeFactory

    kind, name, attributes = node.get_type_name(), node.get_friendly_name(), node.get_attributes()
    inputs = [port.get_source_output() for port in node.inputs()]
    beside: list[Any] = []
    if kind in ("Softmax", "SoftMax"):
        axis = attributes["axis"] % len(node.get_input_partial_shape(0))
        made = NodeFactory("opset1").create("Softmax", inputs, {"axis": axis})
    elif kind == "Pad":
        made = NodeFactory("opset1").create("Pad", inputs, attributes)
    elif kind == "Interpolate" and len(inputs) == 2:  # of all axes, as ONNX's Resize is
        by_size = attributes["shape_calculation_mode"] == "sizes"
        unread = np.ones(len(node.get_input_partial_shape(0)), np.float32 if by_size else np.int64)
        inputs.insert(2 if by_size else 1, opset1.constant(unread).output(0))
        made = NodeFactory("opset4").create("Interpolate", inputs, attributes)
    elif kind == "Divide" and inputs[1].get_node().get_type_name() == "Constant":
        made = opset1.multiply(inputs[0], 1 / inputs[1].get_node().get_data())
    elif kind == "Divide":
        # a product with the power -1 would be made a division again, so a / b is a b b^-2
        inverse = opset1.power(inputs[1], np.float32(-2), name=f"{name}_inverse")
        scaled = opset1.multiply(inputs[0], inputs[1], name=f"{name}_scaled")
        made, beside = opset1.multiply(scaled, inverse), [inverse, scaled]
    elif kind == "Subtract" and inputs[1].get_node().get_type_name() == "Constant":
        made = opset1.add(inputs[0], -inputs[1].get_node().get_data())
    elif kind == "Unsqueeze" and (shape := _shape_with_ones(node)) is not None:
        made = opset1.reshape(inputs[0], shape, special_zero=True)
    elif kind == "Minimum" and (bounds := _bounds(node)):
        made = opset1.clamp(*bounds)
    else:
        return set()
    tensors = node.output(0).get_names()
    made.set_friendly_name(name)
    replace_node(node, made)
    made.output(0).set_names(tensors)
    return {each.get_friendly_name() for each in beside}


def _shape_with_ones(node: Any) -> Any:
    """Pattern of the Reshape that an Unsqueeze of one axis is; None where there is none."""
    shape, axes = node.get_output_partial_shape(0), _makers(node)[1]
    if axes.get_type_name() != "Constant" or axes.get_data().size != 1:
        return None
    axis = int(axes.get_data().item()) % len(shape)
    # 0 takes a side over from the same axis, which those behind the new one no longer have
    after = [dim.get_length() if dim.is_static else -1 for dim in list(shape)[axis + 1 :]]
    return np.array([0] * axis + [1, *after]) if after.count(-1) < 2 else None


def _bounds(node: Any) -> tuple[Any, float, float] | None:
    """What the Minimum of a Maximum bounds, and between which numbers; None where it does not."""
    ends = []
    for kind in ("Maximum", None):
        makers = {maker.get_type_name(): maker for maker in _makers(node)}
        if "Constant" not in makers or len(makers) != 2 or (kind and kind not in makers):
            return None
        ends.append(makers.pop("Constant").get_data())
        (node,) = makers.values()
    if any(end.size != 1 for end in ends):
        return None
    greatest, least = (float(end.item()) for end in ends)
    return node.output(0), least, greatest


def mark(xml_file: Path, names: Collection[str]) -> None:
    """Mark the nodes of these names in a written .xml to be computed in float32.

    OpenVINO reads such marks and writes none.
    """
    tree = ET.parse(xml_file)
    for layer in tree.getroot().iterfind("layers/layer"):
        if layer.get("name") in names and layer.get("type") not in ("Const", "Parameter", "Result"):
            info = layer.find("rt_info")
            if info is None:  # it stands before the inputs
                info = ET.Element("rt_info")
                layer.insert(0 if layer.find("data") is None else 1, info)
            ET.SubElement(info, "attribute", name="precise", version="0")
    tree.write(xml_file, encoding="utf-8", xml_declaration=True)


def computed_in(compiled: Any) -> Counter[str]:
    """Products of a compiled model by the type that they are computed in: bf16, f32, i8, u8.

    Args:
        compiled: an ``openvino.CompiledModel``; its plugin says what it runs.
    """
    counts: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) in COMPILED_PRODUCTS:
            counts[info["runtimePrecision"].astype(str)] += 1
    return counts


def check_bf16(compiled: Any, variant: str) -> None:
    """See that a model is computed in bfloat16.

    Args:
        compiled: an ``openvino.CompiledModel``.
        variant: name of the network, for the message.

    Raises:
        DeviceError: this CPU has none, so that OpenVINO computes in another type.
    """
    hint = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
    if hint != "bf16" or not computed_in(compiled)["bf16"]:
        found = ", ".join(sorted(computed_in(compiled)))
        raise DeviceError(
            f"OpenVINO computes {variant} in {found} on this CPU, not in bfloat16; use --precision "
            "fp32 or int8"
        )
