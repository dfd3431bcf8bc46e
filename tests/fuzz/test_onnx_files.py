from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from hostile import Family, damaged
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import write_model

from fastdepth import load
from fastdepth.runtime.answer import MARGIN
from fastdepth.size import Size

with TemporaryDirectory() as place:
    PATHS = (
        write_model(Path(place) / "one.onnx"),
        write_model(Path(place) / "several.onnx", Size(48, 64), Size(64, 48)),
        write_model(Path(place) / "std.onnx", std=True),
    )
    GOOD = [path.read_bytes() for path in PATHS]

SIDES = st.sampled_from((0, 1, 2, 3, 4, 24, 48, 64, 96, "B", "x", None))
KINDS = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.DOUBLE,
    TensorProto.INT32,
    TensorProto.UINT8,
    TensorProto.STRING,
)
STEPS = {
    "half": ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "negative": ("Neg", {}),
    "nan": ("Log", {}),
    "large": ("Exp", {}),
    "infinite": ("Reciprocal", {}),
    "turned": ("Transpose", {"perm": [0, 1, 3, 2]}),
    "mixed": ("Transpose", {"perm": [3, 1, 2, 0]}),
    "flat": ("Flatten", {}),
    "means": ("ReduceMean", {"axes": [1, 3], "keepdims": 0}),
    "size": ("Shape", {}),
    "ones": ("NonZero", {}),
    "relu": ("Relu", {}),
}
"""What becomes of the depth on its way out."""


@st.composite
def liars(draw: st.DrawFn) -> bytes:
    """Graphs that do something else with the depth than they say, or than the metadata say."""
    model = onnx.load_model_from_string(draw(st.sampled_from(GOOD)))
    graph, last = model.graph, "inside"
    producer = next(node for node in graph.node if "depth" in node.output)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [last if name == "depth" else name for name in names]
    assert producer.output[0] == last
    for number, name in enumerate(draw(st.lists(st.sampled_from(sorted(STEPS)), max_size=2))):
        operator, attributes = STEPS[name]
        graph.node.append(helper.make_node(operator, [last], [f"s{number}"], **attributes))
        last = f"s{number}"
    if draw(st.integers(0, 3)) == 0:
        target = draw(st.lists(st.sampled_from((-1, 0, 1, 2, 3, 7, 24, 48, 64)), max_size=5))
        graph.initializer.append(numpy_helper.from_array(np.array(target, np.int64), "target"))
        graph.node.append(helper.make_node("Reshape", [last, "target"], ["shaped"]))
        last = "shaped"
    kind = draw(st.just(TensorProto.FLOAT) | st.sampled_from(KINDS))
    graph.node.append(helper.make_node("Cast", [last], ["depth"], to=kind))
    said = draw(st.just(kind) | st.sampled_from(KINDS))
    shape = draw(st.none() | st.just(["B", 1, 48, 64]) | st.lists(SIDES, max_size=5))
    graph.output[0].CopyFrom(helper.make_tensor_value_info("depth", said, shape))
    if draw(st.integers(0, 3)) == 0:
        dims = draw(st.lists(SIDES, min_size=3, max_size=5))
        graph.input[0].CopyFrom(
            helper.make_tensor_value_info("image", draw(st.sampled_from(KINDS)), dims)
        )
    return model.SerializeToString()


FAMILY = Family(
    "onnx-files",
    st.one_of(damaged(GOOD), liars()),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    image = np.full((60, 100, 3), 90, np.uint8)
    image[..., 0] = np.arange(100)
    path = folder / "m.onnx"
    path.write_bytes(data)
    model = load(path, threads=1)
    near, far = model.metadata.depth_range
    margin = MARGIN * (far - near)
    for depth in (model(image), load(data, threads=1)(image)):
        assert (depth.shape, depth.dtype) == (image.shape[:2], np.float32)
        assert max(0, near - margin) <= depth.min() <= depth.max() <= far + margin
    if len(model.session.get_outputs()) == 2:
        _, std = model.depth_and_std(image)
        assert std.shape == image.shape[:2] and std.min() >= 0


@pytest.mark.thorough
def test_onnx_files(try_to_break):
    try_to_break(FAMILY)
