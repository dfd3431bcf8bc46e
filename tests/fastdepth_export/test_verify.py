"""A defect put into a file by hand must be found, and the right stage named."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fastdepth.errors import ParityError
from fastdepth_export.verify import verify


def copy(model):
    other = onnx.ModelProto()
    other.CopyFrom(model)
    return other


def change(model, stage, factor):
    """Multiply a stage's values by a factor, for all that follow and for whoever reads it."""
    model = copy(model)
    (producer,) = [node for node in model.graph.node if stage in node.output]
    at = list(model.graph.node).index(producer)
    producer.output[0] = "before"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(factor), "factor"))
    model.graph.node.insert(at + 1, onnx.helper.make_node("Mul", ["before", "factor"], [stage]))
    return model


def test_what_was_exported_passes(model, network, tiny):
    assert verify(copy(model), network, tiny.size) < 1e-4


@pytest.mark.parametrize("stage", ["normalised", "features", "centres", "depth"])
@pytest.mark.parametrize("factor", [1.01, float("nan")])
def test_the_stage_at_fault_is_named(model, network, tiny, stage, factor):
    broken = change(model, f"stage_{stage}", factor)
    with pytest.raises(ParityError, match=f"first stage that differs: {stage}, which is"):
        verify(broken, network, tiny.size)


def test_the_last_upsampling_is_a_stage(model, network, tiny):
    with pytest.raises(ParityError, match="first stage that differs: depth at the image's size"):
        verify(change(model, "depth", 1.01), network, tiny.size)


def test_a_batch_that_was_baked_in_is_found(model, network, tiny):
    fixed = copy(model)
    for node in fixed.graph.node:
        if "stage_centres" in node.output:
            at = list(fixed.graph.node).index(node)
            node.output[0] = "before"
    first = numpy_helper.from_array(np.array([0]), "first")
    fixed.graph.initializer.append(first)
    gather = onnx.helper.make_node("Gather", ["before", "first"], ["stage_centres"], axis=0)
    fixed.graph.node.insert(at + 1, gather)
    with pytest.raises(ParityError, match="batch 3"):
        verify(fixed, network, tiny.size)


def test_a_difference_below_the_tolerance_passes(model, network, tiny):
    assert verify(change(model, "depth", 1 + 1e-6), network, tiny.size) > 0
