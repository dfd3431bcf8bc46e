"""Half the bytes, and not a bit of the function is another one."""

from __future__ import annotations

import copy

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper

from fastdepth.errors import UsageError
from fastdepth.weights import WeightsCard
from fastdepth_export import ExportRecipe, export
from fastdepth_export.compress.compact import compact, factorise
from fastdepth_export.cost import graph_cost
from fastdepth_export.formats.onnx_graph import to_onnx
from fastdepth_export.network import weights_in
from fastdepth_export.verify import draw_images, open_model, run_model, verify

finite = st.floats(-1000, 1000, width=32)
halves = st.integers(-60_000, 60_000).map(lambda number: np.float16(number / 7))


@pytest.fixture(scope="module")
def shipped(network):
    """The tiny network as if its weights had been shipped: in half precision."""
    other = copy.deepcopy(network)
    with torch.no_grad():
        for value in other.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half())
    return other


@pytest.fixture(scope="module")
def whole(shipped, tiny):
    return to_onnx(shipped, (tiny.size,), 20)


@pytest.fixture(scope="module")
def stored(whole, shipped):
    return compact(whole, weights_in(shipped))


def constants(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_it_takes_hardly_more_than_half_the_bytes(whole, stored):
    assert stored.ByteSize() < 0.6 * whole.ByteSize()


def test_every_weight_is_computed_bit_for_bit(whole, stored):
    gone = sorted(constants(whole).keys() - constants(stored).keys())
    assert gone
    opened = onnx.ModelProto()
    opened.CopyFrom(stored)
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in gone)
    session = open_model(opened)
    found = session.run(gone, {"image": draw_images_of(whole)})
    for name, values in zip(gone, found, strict=True):
        assert values.tobytes() == constants(whole)[name].tobytes()


def draw_images_of(model):
    height, width = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[1:3])
    return np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)


def test_the_runtime_sees_the_same_graph(whole, stored, tmp_path):
    """Whoever opens the file computes the weights once, and then runs what it would have run."""
    import onnxruntime

    def optimised(model, name):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / name)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options)
        return onnx.load(tmp_path / name)

    first, second = optimised(whole, "whole.onnx"), optimised(stored, "stored.onnx")

    def kinds(model):
        return sorted(node.op_type for node in model.graph.node)

    assert kinds(first) == kinds(second)
    numbers = [sorted(v.tobytes() for v in constants(m).values()) for m in (first, second)]
    assert numbers[0] == numbers[1]


def test_the_answer_is_the_same_bit_for_bit(whole, stored, shipped, tiny):
    images = draw_images(tiny.size, 2)
    first, second = (run_model(m, images, ["depth"])["depth"] for m in (whole, stored))
    np.testing.assert_array_equal(first, second)
    assert verify(stored, shipped, tiny.size) < 1e-4


def test_weights_that_half_precision_does_not_hold_stay(model, network):
    """Those of a network that was not shipped."""
    kept = compact(model, weights_in(network))
    assert kept.ByteSize() > 0.9 * model.ByteSize()
    images = draw_images_of(model)
    first, second = (run_model(m, images, ["depth"])["depth"] for m in (model, kept))
    np.testing.assert_array_equal(first, second)


@given(arrays(np.float16, (3, 5), elements=halves), arrays(np.float32, (3, 1), elements=finite))
def test_whatever_is_stored_is_the_weight(original, factors):
    single = original.astype(np.float32)
    values = single * factors
    parts = factorise(values, single)
    if parts is None:  # a quotient of numbers below the least normal one says little
        assert (np.abs(values) < 1e-30).any()
        return
    stored, found = parts
    again = stored.astype(np.float32) * (1 if found is None else found)
    assert again.astype(np.float32).tobytes() == values.tobytes()


@given(arrays(np.float32, (2, 4), elements=st.floats(width=32)))
def test_any_tensor_is_stored_exactly_or_not_at_all(values):
    parts = factorise(values, np.ones_like(values))
    if parts is not None:
        stored, factors = parts
        again = stored.astype(np.float32) * (np.float32(1) if factors is None else factors)
        assert again.tobytes() == values.tobytes()


def test_a_compact_file_says_the_same_of_itself(shipped, tiny, tmp_path):
    from fastdepth.train.checkpoint import save_weights

    weights = tmp_path / "half.safetensors"
    save_weights(weights, shipped, WeightsCard("tiny", "tiny.half", licence="MIT"))
    recipe = ExportRecipe("tiny", str(weights), form="plain")
    plain = export(recipe, tmp_path / "plain.onnx")
    small = export(
        ExportRecipe("tiny", str(weights), form="plain", compact=True), tmp_path / "small.onnx"
    )
    assert small == plain
    first, second = (graph_cost(tmp_path / name) for name in ("plain.onnx", "small.onnx"))
    assert (first.params, first.macs) == (second.params, second.macs)
    assert second.bytes < 0.6 * first.bytes


@pytest.mark.parametrize("options", [{"precision": "int8"}, {"format": "openvino"}])
def test_what_cannot_be_stored_so(options):
    with pytest.raises(UsageError, match="compact storage is of --format onnx or web in"):
        ExportRecipe("tiny", compact=True, **options).resolved()
