from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fastdepth.errors import ParityError
from fastdepth_export.compress.accuracy_loss import AccuracyLoss
from fastdepth_export.compress.int8 import HEAVY, MOST_LOSS, BlockLoss, Quantiser
from fastdepth_export.verify import run_model, with_outputs

HEAD = "bins.logits.conv"


@pytest.fixture(scope="module", params=["u8s8", "u8s7", "s8s8"])
def types(request):
    return request.param


@pytest.fixture(scope="module")
def quantiser(folded, tiny, types):
    return Quantiser(folded, tiny.size, "rooms:2", types)


def weights(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def nodes(model):
    return {node.name: node for node in model.graph.node}


def test_only_the_chosen_product_reads_rounded_features(quantiser, folded):
    """The patch embedding and the ring read the same tensor as the head convolution."""
    quantised = quantiser.quantise([HEAD])
    readers = [n for n in quantised.graph.node if any("_rounded" in name for name in n.input)]
    (head,) = readers
    before = nodes(folded)[head.name]
    assert head.input[0] == f"{before.input[0]}_rounded"
    exact = [n for n in quantised.graph.node if before.input[0] in n.input]
    assert {"Conv", "Gather", "QuantizeLinear"} <= {n.op_type for n in exact}


def test_integers_of_the_asked_types(quantiser, types):
    quantised = quantiser.quantise([HEAD])
    (quantise,) = [n for n in quantised.graph.node if n.op_type == "QuantizeLinear"]
    found = weights(quantised)
    zero = found[quantise.input[2]]
    assert zero.dtype == (np.int8 if types == "s8s8" else np.uint8)
    assert types != "s8s8" or zero == 0
    kernel = found[f"network.{HEAD}.weight_int8"]
    assert np.abs(kernel).max() == (63 if types == "u8s7" else 127)


def test_tensorrt_dequantises_no_weights_but_those_that_meet_8_bits(folded, tiny):
    """It documents weights alone in 4 bits, not in 8: a lone DequantizeLinear need not build."""
    quantised = Quantiser(folded, tiny.size, "rooms:1", "s8s8").quantise([HEAD])
    made_by = {n.output[0]: n.op_type for n in quantised.graph.node}
    readers = [n for n in quantised.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    found = [[made_by.get(name) == "DequantizeLinear" for name in n.input[:2]] for n in readers]
    assert [True, True] in found
    assert not any(features != kernel for features, kernel in found)


def test_an_int8_file_without_a_block_in_8_bits_is_none(folded, tiny, monkeypatch):
    for types in ("s8s8", "u8s8"):
        quantiser = Quantiser(folded, tiny.size, "rooms:1", types)
        monkeypatch.setattr(quantiser, "sensitivity", lambda meter, blocks: [])
        if types == "u8s8":
            assert quantiser.choose(None) == []  # its weights are
        else:
            with pytest.raises(ParityError, match="no block is worth 8 bits .* --precision fp16"):
                quantiser.choose(None)


def test_weights_are_off_by_half_a_step_at_most(quantiser, folded, types):
    quantised = quantiser.quantise([])
    if types == "s8s8":
        assert not any("Linear" in node.op_type for node in quantised.graph.node)
        return
    exact, found = weights(folded), weights(quantised)
    dequantise = [n for n in quantised.graph.node if n.op_type == "DequantizeLinear"]
    assert len(dequantise) > 12
    assert not any(node.op_type == "QuantizeLinear" for node in quantised.graph.node)
    for node in dequantise:
        values, scale = (found[name] for name in node.input)
        shape = np.ones(values.ndim, int)
        shape[node.attribute[0].i] = -1
        step = scale.reshape(shape)
        assert len(scale) == values.shape[node.attribute[0].i]
        assert (np.abs(values * step - exact[node.output[0]]) <= 0.501 * step).all()
    floats = sum(v.size for v in found.values() if v.dtype == np.float32)
    assert floats < 0.06 * sum(v.size for v in exact.values() if v.dtype == np.float32)


def test_features_are_off_by_half_a_step_inside_the_calibrated_range(quantiser, folded, images):
    quantised = quantiser.quantise([HEAD])
    (quantise,) = [n for n in quantised.graph.node if n.op_type == "QuantizeLinear"]
    name = quantise.input[0]
    scale = weights(quantised)[quantise.input[1]]
    exact = run_model(with_outputs(folded, [name]), images, [name])[name]
    opened = with_outputs(quantiser.quantise([HEAD], store=False), [f"{name}_rounded"])
    rounded = run_model(opened, images, [f"{name}_rounded"])[f"{name}_rounded"]
    inside = np.abs(rounded - exact) <= 0.51 * scale
    assert inside.mean() > 0.99  # other images than the calibration's reach a little farther


def test_every_block_at_once_runs_at_any_batch_and_differs_a_little(quantiser, folded, images):
    quantised = quantiser.quantise(list(quantiser.shares))
    expected = run_model(folded, images, ["depth"])["depth"]
    got = run_model(quantised, images, ["depth"])["depth"]
    assert got.shape == expected.shape
    assert 0 < np.abs(got - expected).mean() < 0.5  # of depths up to 10 m


def test_the_model_itself_stays_as_it_was(quantiser, folded):
    before = folded.SerializeToString()
    quantiser.quantise([HEAD])
    assert folded.SerializeToString() == before


@pytest.mark.thorough
def test_a_row_per_block(folded, tiny, meter):
    quantiser = Quantiser(folded, tiny.size, "rooms:1", "u8s8")
    rows = quantiser.sensitivity(meter)
    assert [row.block for row in rows] == list(quantiser.shares)
    assert {"trunk.stem", "trunk.down.0", "bins.mini_vit.encoder", HEAD} <= set(quantiser.shares)
    assert all(0 < row.loss.mean < 0.5 for row in rows)
    assert 0.5 < sum(quantiser.shares.values()) <= 1
    assert set(quantiser.choose(meter)) == {row.block for row in rows if row.chosen}
    assert str(rows[0]).startswith("trunk.stem ")


@pytest.mark.parametrize(
    ("share", "d1", "nonfinite", "chosen"),
    [
        (HEAVY, MOST_LOSS, 0, True),
        (HEAVY, -MOST_LOSS, 0, True),
        (HEAVY / 2, 0.0, 0, False),
        (HEAVY, 2 * MOST_LOSS, 0, False),
        (HEAVY, -2 * MOST_LOSS, 0, False),
        (HEAVY, 0.0, 1, False),
    ],
)
def test_what_is_light_or_sensitive_stays_in_float(share, d1, nonfinite, chosen):
    assert BlockLoss("b", share, AccuracyLoss(d1, 0.0, 0.0, nonfinite)).chosen == chosen


def test_files_are_valid_onnx(quantiser):
    onnx.checker.check_model(quantiser.quantise(list(quantiser.shares)), full_check=True)
