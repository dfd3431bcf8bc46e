from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastdepth.errors import ModelFileError
from fastdepth_export.cost import graph_cost


def test_by_hand(tmp_path):
    """A 3x3 convolution 3 -> 4, its depthwise sibling, and a matrix product 5 -> 6."""
    weights = {
        "conv": np.zeros((4, 3, 3, 3), np.float32),
        "depthwise": np.zeros((4, 1, 3, 3), np.float32),
        "matrix": np.zeros((5, 6), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "depthwise"], ["b"], group=4, pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["b", "matrix"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 7, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4, 7, 6])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
    cost = graph_cost(path)
    assert cost.params == 4 * 27 + 4 * 9 + 30
    assert cost.macs == 35 * 4 * 27 + 35 * 4 * 9 + 4 * 7 * 6 * 5
    assert cost.bytes == path.stat().st_size


@pytest.mark.slow
def test_the_network_of_the_seeds_has_the_multiply_adds_that_they_state(tmp_path):
    """35.2 GFLOP at 640x480 are 17.6 GMAC; counted by torch for the same network."""
    from fastdepth.models import create_model
    from fastdepth.size import Size
    from fastdepth_export.graph import to_onnx

    path = tmp_path / "m.onnx"
    onnx.save(to_onnx(create_model("unet128-dws").eval(), (Size(480, 640),), 20), path)
    assert graph_cost(path).macs / 1e9 == pytest.approx(17.6, abs=0.15)


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="is not an ONNX file"):
        graph_cost(path)
