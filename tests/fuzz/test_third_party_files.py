from __future__ import annotations

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from hostile import Family, damaged
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import NCHW, NHWC, write_model, write_third_party

from fastdepth.errors import UsageError
from fastdepth.runtime.third_party import ThirdPartyFile
from fastdepth.runtime.third_party_model import ThirdPartyModel
from fastdepth.size import Size

SIZE = Size(48, 64)
ANSWERS = ("B", 1, "h", "w"), ("B", "h", "w"), ("B", "h", "w", 1)

with TemporaryDirectory() as place:
    path = Path(place) / "m.onnx"
    GOOD = [
        write_third_party(path, shape, answer=answer).read_bytes()
        for shape, answer in product((NCHW, NHWC), ANSWERS)
    ]
    GOOD += [
        write_third_party(path, (1, 3, *SIZE), TensorProto.UINT8, stride=2).read_bytes(),
        write_third_party(path, answer_kind=TensorProto.FLOAT16).read_bytes(),
        write_third_party(path, outputs=("normals", "depth")).read_bytes(),
        write_model(path, SIZE).read_bytes(),
    ]

SHAPES = st.none() | st.lists(
    st.sampled_from((0, 1, 2, 3, 7, 48, 64, 5000, 2**40, "B", None)), max_size=5
)
KINDS = st.sampled_from((1, 2, 6, 7, 8, 10, 11, 16, 0, 99))


@st.composite
def liars(draw: st.DrawFn) -> bytes:
    """Graphs whose answer is reshaped, and whose input and output are not what they say."""
    model = onnx.load_model_from_string(draw(st.sampled_from(GOOD)))
    graph = model.graph
    for info in (graph.input[0], graph.output[0]):
        if draw(st.booleans()):
            made = helper.make_tensor_value_info(info.name, draw(KINDS), draw(SHAPES))
            info.CopyFrom(made)
    if draw(st.booleans()):
        target = draw(st.lists(st.sampled_from((-1, 0, 1, 2, 3, 7, 48, 64)), max_size=5))
        graph.initializer.append(numpy_helper.from_array(np.array(target, np.int64), "target"))
        graph.node[-1].output[0] = "inside"
        graph.node.append(helper.make_node("Reshape", ["inside", "target"], [graph.output[0].name]))
    if draw(st.booleans()):
        kind = draw(st.sampled_from(("Log", "Exp", "Reciprocal", "Neg", "Shape", "NonZero")))
        graph.node[-1].output[0] = "before"
        graph.node.append(helper.make_node(kind, ["before"], [graph.output[0].name]))
    return model.SerializeToString()


FAMILY = Family(
    "third-party-files",
    st.one_of(damaged(GOOD), liars()),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    path = folder / "m.onnx"
    path.write_bytes(data)
    batch = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    said = [(SIZE, "unit", "metres"), (None, "", "metres"), (None, "", "")]
    refusals = []
    for given in said:
        try:
            model = ThirdPartyModel(ThirdPartyFile(path, *given), threads=1)
        except UsageError as error:
            refusals.append(error)
            continue
        count = model.graph.batch or len(batch)
        if count > len(batch) or model.graph.size != SIZE:
            return
        depth = model.infer(batch[:count])
        assert (depth.shape, depth.dtype) == ((count, 1, *SIZE), np.float32)
        assert np.isfinite(depth).all()
    if len(refusals) == len(said):
        raise refusals[0]


@pytest.mark.thorough
def test_third_party_files(try_to_break):
    try_to_break(FAMILY)
