"""What onnxsim makes of a graph is taken only where it is no larger and computes the same."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fastdepth_export import ExportRecipe, export
from fastdepth_export.cli import main
from fastdepth_export.formats import onnx_graph
from fastdepth_export.verify import verify


@pytest.fixture(scope="module")
def plain(network, tiny):
    return onnx_graph.to_onnx(network, (tiny.size,), 20, simplify=False)


def test_a_graph_that_was_not_simplified_computes_the_same(plain, model, network, tiny):
    assert len(plain.graph.node) > len(model.graph.node)
    assert plain.ByteSize() > model.ByteSize()
    assert verify(plain, network, tiny.size) < 1e-4


def test_a_graph_that_would_grow_stays_as_it_was(plain, network, tiny, monkeypatch):
    def grow(model):
        larger = onnx.ModelProto()
        larger.CopyFrom(model)
        larger.graph.initializer.append(numpy_helper.from_array(np.zeros(1000), "useless"))
        return larger

    whole = plain.SerializeToString()
    monkeypatch.setattr(onnx_graph, "_export", lambda *_: onnx.ModelProto.FromString(whole))
    monkeypatch.setattr(onnx_graph, "_simplify", grow)
    assert onnx_graph.to_onnx(network, (tiny.size,), 20) == plain


def test_a_graph_that_would_compute_something_else_is_not_taken(weights, tmp_path, monkeypatch):
    def halve(model):
        other = onnx.ModelProto()
        other.CopyFrom(model)
        weights = max(other.graph.initializer, key=onnx.TensorProto.ByteSize)
        halved = numpy_helper.to_array(weights).astype(np.float16).astype(np.float32) / 2
        weights.CopyFrom(numpy_helper.from_array(halved, weights.name))
        return other

    monkeypatch.setattr(onnx_graph, "_simplify", halve)
    recipe = ExportRecipe("tiny", str(weights), fold=False)
    metadata = export(recipe, tmp_path / "m.onnx")
    assert 0 < metadata.parity < 1e-4
    assert main(["--verify", str(tmp_path / "m.onnx"), "--weights", str(weights)]) == 0
