from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastdepth.models import create_model
from fastdepth.size import Size
from fastdepth_export.compress.early import EARLY
from fastdepth_export.compress.fp16 import keep_exact, to_half
from fastdepth_export.formats.onnx_graph import to_onnx
from fastdepth_export.verify import run_model, with_outputs

IN_AND_OUT = ("image", "depth")


@pytest.fixture(scope="module")
def plain(model):
    return model


@pytest.fixture(scope="module")
def regression():
    return to_onnx(create_model("unet-dws").eval(), (Size(96, 128),), 20)


def element_types(model):
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    infos = (*graph.input, *graph.value_info, *graph.output)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


@pytest.mark.parametrize(
    "name",
    ["folded", *(pytest.param(n, marks=pytest.mark.thorough) for n in ("plain", "regression"))],
)
def test_bytes_in_and_metres_out_as_before(name, request, images):
    whole = request.getfixturevalue(name)
    half = to_half(whole)
    assert list(half.graph.input) == list(whole.graph.input)
    assert list(half.graph.output) == list(whole.graph.output)
    for batch in (1, 3):
        expected = run_model(whole, images[:batch], ["depth"])["depth"]
        got = run_model(half, images[:batch], ["depth"])["depth"]
        assert got.dtype == np.float32
        assert 0 < np.abs(got - expected).mean() < 0.1  # of depths up to 10 m


@pytest.mark.parametrize("name", ["plain", "folded"])
def test_weights_are_half_and_what_is_counted_in_metres_is_not(name, request):
    half = to_half(request.getfixturevalue(name))
    types = element_types(half)
    for node in half.graph.node:
        if node.op_type in ("Softmax", "CumSum"):
            assert types[node.input[0]] == types[node.output[0]] == TensorProto.FLOAT
        if node.op_type in ("Conv", "Gemm"):
            assert {types[name] for name in (*node.input, *node.output)} == {TensorProto.FLOAT16}
    for stage in ("normalised", "centres", "depth"):  # folded, no image is normalised
        assert types.get(f"stage_{stage}", TensorProto.FLOAT) == TensorProto.FLOAT
    assert {"stage_centres", "stage_depth"} <= types.keys()


def test_where_asked_for_the_first_products_stay_in_fp32(folded, images):
    expected = run_model(folded, images, ["depth"])["depth"]
    for early in (0, 1, EARLY):
        half = to_half(folded, early)
        types = element_types(half)
        kinds = [types[n.output[0]] for n in half.graph.node if n.op_type == "Conv"]
        assert kinds[:early] == [TensorProto.FLOAT] * early
        assert kinds[early] == TensorProto.FLOAT16
        assert np.abs(run_model(half, images, ["depth"])["depth"] - expected).mean() < 0.1


def test_logits_whose_exponentials_no_half_holds(folded, images):
    loud = onnx.ModelProto()
    loud.CopyFrom(folded)
    (kernel,) = [t for t in loud.graph.initializer if t.name == "network.bins.logits.conv.weight"]
    kernel.CopyFrom(numpy_helper.from_array(3e3 * numpy_helper.to_array(kernel), kernel.name))
    (logits,) = [n.input[0] for n in loud.graph.node if n.name == "node_softmax"]
    values = run_model(with_outputs(loud, [logits]), images, [logits])[logits]
    assert 20 < np.abs(values).max() < 6e4  # exp(12) is the last below 65504
    assert np.isfinite(run_model(to_half(loud), images, ["depth"])["depth"]).all()


def test_the_mixture_of_exponentials_is_in_fp32_as_that_of_a_softmax_is():
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["logits"], "logits"),
        helper.make_node("Exp", ["logits"], ["shares"], "exp"),
        helper.make_node("Reshape", ["shares", "shape"], ["flat"], "flat"),
        helper.make_node("MatMul", ["centres", "flat"], ["mixed"], "mix"),
        helper.make_node("Exp", ["mixed"], ["depth"], "metres"),
    ]
    image, depth = (helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in IN_AND_OUT)
    graph = helper.make_graph(nodes, "mixture", [image], [depth])
    assert keep_exact(graph) == {"exp", "flat", "mix", "metres"}


def test_the_model_itself_stays_as_it_was(folded):
    before = folded.SerializeToString()
    to_half(folded)
    assert folded.SerializeToString() == before
