from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastdepth.errors import ModelFileError
from fastdepth.variants import get_variant
from fastdepth_export import ExportRecipe
from fastdepth_export.cost import deployed_cost, graph_cost, node_macs
from fastdepth_export.network import build_network, weights_in


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
    from fastdepth_export.formats.onnx_graph import to_onnx

    path = tmp_path / "m.onnx"
    onnx.save(to_onnx(create_model("unet128-dws").eval(), (Size(480, 640),), 20), path)
    assert graph_cost(path).macs / 1e9 == pytest.approx(17.6, abs=0.15)


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match="is not an ONNX file"):
        graph_cost(path)


def write_product(path, opset_domain="", weight_type=np.float32, **save_options):
    """y = x w with w (5, 6); height and width of x (batch, 3, height, 5) are open."""
    operator = "MatMul" if opset_domain == "" else "FusedMatMul"
    nodes = [
        helper.make_node(operator, ["x", "w"], ["y"], domain=opset_domain),
        helper.make_node("MatMul", ["y", "v"], ["z"]),
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(weight_type))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, ["batch", 3, "height", 5])],
        [helper.make_tensor_value_info("z", kind, ["batch", 3, "height", 1])],
        [
            numpy_helper.from_array(np.zeros((5, 600), weight_type), "w"),
            numpy_helper.from_array(np.zeros((600, 1), weight_type), "v"),
        ],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), path, **save_options)
    return path


def test_open_sides_are_given(tmp_path):
    path = write_product(tmp_path / "m.onnx")
    assert graph_cost(path, (1, 3, 7, 5)).macs == 3 * 7 * (5 * 600 + 600)
    with pytest.raises(ModelFileError, match=r"multiply-adds of .*m.onnx cannot be counted"):
        graph_cost(path)


def test_operators_without_a_known_shape_are_not_counted_as_nothing(tmp_path):
    path = write_product(tmp_path / "m.onnx", "com.microsoft")
    with pytest.raises(ModelFileError, match="cannot be counted"):
        graph_cost(path, (1, 3, 7, 5))


@pytest.mark.parametrize(("kind", "size"), [(np.float32, 4), (np.float16, 2)])
def test_bytes_of_the_weights_alone(tmp_path, kind, size):
    path = write_product(tmp_path / "m.onnx", weight_type=kind)
    cost = graph_cost(path, (1, 3, 7, 5))
    assert cost.weights_bytes == 3600 * size
    assert cost.bytes == path.stat().st_size > 3600 * size


def test_weights_beside_the_file_count(tmp_path):
    path = write_product(
        tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0
    )
    assert path.stat().st_size < 2000
    cost = graph_cost(path, (1, 3, 7, 5))
    assert cost.weights_bytes == 14400
    assert cost.bytes == path.stat().st_size + (tmp_path / "m.data").stat().st_size > 14400
    assert cost.params == 3600
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelFileError, match=r"m\.data"):
        graph_cost(path)


def test_constants_in_nodes_and_packed_ones_count(tmp_path):
    constant = numpy_helper.from_array(np.zeros(10, np.int8))
    packed = helper.make_tensor("packed", TensorProto.INT4, [5], [1, 2, 3, 4, 5])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=constant),
        helper.make_node("Identity", ["c"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [10])],
        [packed],
    )
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    assert graph_cost(tmp_path / "m.onnx").weights_bytes == 10 + 3


@pytest.mark.parametrize(
    ("variant", "reported"),
    [
        ("effb5-256", 940),
        ("effb0-256", 326),
        ("unet256", 131),
        ("unet128", 130),
        ("unet128-dws", 78),
        ("unet128-dws-75", 55.9),
    ],
)
def test_checkpoints_have_the_size_that_the_seeds_report(variant, reported):
    """Their "Mb"."""
    assert get_variant(variant).checkpoint_bytes / 1e6 == pytest.approx(reported, rel=0.006)


def test_a_network_is_counted_in_the_form_that_goes_into_a_file(folded, tiny, tmp_path):
    file = tmp_path / "m.ncnn.bin"
    file.write_bytes(b"weights")
    cost = deployed_cost(ExportRecipe("tiny", format="ncnn"), [file])
    triangle = (tiny.options["bins"] + 1) ** 2
    assert cost.macs == sum(macs for _, macs in node_macs(folded, (1, *tiny.size))) + triangle
    assert cost.bytes == 7
    whole = weights_in(build_network(ExportRecipe("tiny")))
    assert 0 < cost.params < sum(value.size for value in whole.values())
