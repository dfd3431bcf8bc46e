"""ONNX graphs of a few nodes that stand in for exported networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.size import Size

METADATA = ModelMetadata(
    variant="tiny",
    weights="tiny.test",
    licence="Apache-2.0",
    sizes=(Size(48, 64),),
    depth_range=(1e-3, 10.0),
    params=0,
    precision="fp32",
    opset=17,
    parity=0.0,
    version="0.1.0",
)

NCHW, NHWC = ("B", 3, "H", "W"), ("B", "H", "W", 3)
Shape = Sequence[str | int | None]


def write_model(
    path: Path,
    size: Size = Size(48, 64),
    *others: Size,
    metadata: ModelMetadata | None = METADATA,
    metres: float = 0.04,
    std: bool = False,
    input_type: int = TensorProto.UINT8,
) -> Path:
    """Write a model whose depth [m] is the red channel times ``metres``.

    With ``std`` it answers with a tenth of that as well, as its standard deviation.
    ``metadata`` is given this size and the others; None writes none, as another program would.
    With others height and width are left open.
    """
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Slice", ["planes", "zero", "one", "one"], ["red"]),
        helper.make_node("Mul", ["red", "metres"], ["depth"]),
    ]
    constants = [
        helper.make_tensor("tenth", TensorProto.FLOAT, [1], [0.1]),
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("metres", TensorProto.FLOAT, [1], [metres]),
    ]
    if std:
        nodes.append(helper.make_node("Mul", ["depth", "tenth"], ["std"]))
    sides = ("height", "width") if others else size
    shapes = ["B", *sides, 3], ["B", 1, *sides]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", input_type, shapes[0])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[1])
            for name in (("depth", "std") if std else ("depth",))
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata is not None:
        text = replace(metadata, sizes=(size, *others)).to_json()
        helper.set_model_props(model, {METADATA_KEY: text})
    onnx.save(model, str(path))
    return path


def write_third_party(
    path: Path,
    shape: Shape = NCHW,
    kind: int = TensorProto.FLOAT,
    answer: Shape = ("B", 1, "h", "w"),
    *,
    answer_kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("depth",),
    extra_input: bool = False,
    stride: int = 1,
) -> Path:
    """A network whose depth is twice red plus three times green plus five times blue.

    It looks at every ``stride``th pixel of every ``stride``th row.
    """
    weight = np.array([2, 3, 5], np.float32).reshape(1, 3, 1, 1)
    last = shape[-1] == 3
    steps = [
        ("Transpose", ["x"], {"perm": [0, 3, 1, 2]}) if last else ("Identity", ["x"], {}),
        ("Cast", ["0"], {"to": TensorProto.FLOAT}),
        ("Conv", ["1", "weight"], {"strides": [stride, stride]}),
    ]
    if len(answer) == 3:
        steps.append(("Squeeze", ["2", "axis"], {}))
    elif answer[-1] == 1:
        steps.append(("Transpose", ["2"], {"perm": [0, 2, 3, 1]}))
    nodes = [
        helper.make_node(operator, inputs, [str(index)], **attributes)
        for index, (operator, inputs, attributes) in enumerate(steps)
    ]
    for name in outputs:
        nodes.append(helper.make_node("Cast", [str(len(steps) - 1)], [name], to=answer_kind))
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("focal", TensorProto.FLOAT, [1]))
    graph = helper.make_graph(
        nodes,
        "third-party",
        inputs,
        [helper.make_tensor_value_info(name, answer_kind, answer) for name in outputs],
        [
            numpy_helper.from_array(weight, "weight"),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def rewrite(path: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    """Change the graph of a file."""
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path


def make_endless(path: Path) -> Path:
    """Let a model of :func:`write_model` repeat its last step 2**62 times."""

    def change(model: onnx.ModelProto) -> None:
        body = helper.make_graph(
            [
                helper.make_node("Identity", ["going"], ["on"]),
                helper.make_node("Mul", ["before", "once"], ["after"]),
            ],
            "body",
            [
                helper.make_tensor_value_info("count", TensorProto.INT64, []),
                helper.make_tensor_value_info("going", TensorProto.BOOL, []),
                helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
            ],
            [
                helper.make_tensor_value_info("on", TensorProto.BOOL, []),
                helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
            ],
            [numpy_helper.from_array(np.ones(1, np.float32), "once")],
        )
        last = add_step(model, "Loop", ["times", "always"], body=body)
        last.input[:] = [last.input[1], last.input[2], last.input[0]]
        model.graph.initializer.append(numpy_helper.from_array(np.array(2**62), "times"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))

    return rewrite(path, change)


def add_step(
    model: onnx.ModelProto, operator: str, others: Sequence[str] = (), **attributes: object
) -> onnx.NodeProto:
    """Put a node between a model's depth and the output of that name, and return it."""
    for node in model.graph.node:
        node.output[:] = ["inside" if name == "depth" else name for name in node.output]
    node = helper.make_node(operator, ["inside", *others], ["depth"], **attributes)
    model.graph.node.append(node)
    return model.graph.node[-1]


def metadata_entry(key: str, value: bytes) -> bytes:
    """What gives a file these metadata where it follows the file's bytes, UTF-8 or not."""
    return _field(14, _field(1, key.encode()) + _field(2, value))


def _field(number: int, content: bytes) -> bytes:
    """A field of protobuf that holds bytes."""
    length, rest = [], len(content)
    while rest > 127:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([8 * number + 2, *length, rest]) + content
