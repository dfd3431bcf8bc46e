"""A profile by hand: what groups, totals and shares come to, and what a foreign one may hold."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import METADATA, make_endless, rewrite, write_model, write_third_party

from fastdepth.errors import ModelFileError
from fastdepth.size import Size
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.profile import command, onnx_profile
from fastdepth_bench.profile.command import HEADINGS, cells, main
from fastdepth_bench.profile.onnx_profile import Arguments, Event, operators_of
from fastdepth_bench.profile.operators import Operator, Profile, convolution_kind, product_macs
from fastdepth_export.formats.openvino_ir import build

RATES = Rates(macs_per_second=1e9, bytes_per_second=1e9, threads=1)


@pytest.fixture
def found():
    operators = (
        Operator("one", "Conv 3x3", 2_000_000, 1_000_000, 4e-3),
        Operator("add", "Add", 0, 3_000_000, 6e-3),
        Operator("two", "Conv 3x3", 1_000_000, 2_000_000, 4e-3),
        Operator("tiny", "Pad", 0, 10, 1e-6),
    )
    return Profile("ONNX Runtime 1", 5, 0.02, operators, "m.onnx", RATES)


@pytest.fixture(autouse=True)
def rates(monkeypatch):
    monkeypatch.setattr(command, "measure_rates", lambda threads, seconds: RATES)


@pytest.mark.parametrize(
    "inputs",
    [
        [(8, 50, 81), (8, 81, 128)],
        [(8, 81, 50), (8, 81, 128)],
        [(8, 50, 81), (8, 128, 81)],
        [(8, 50, 81)],
        [(8, 50, 81), (128,)],
    ],
    ids=["plain", "left transposed", "right transposed", "constant", "bias"],
)
def test_a_product_counts_alike_however_its_factors_lie(inputs):
    assert product_macs(inputs, (8, 50, 128)) == 8 * 50 * 81 * 128


def test_each_operator_has_its_own_roofline(found):
    convolutions, add, _ = found.groups()
    assert (convolutions.kind, convolutions.count) == ("Conv 3x3", 2)
    assert convolutions.share == pytest.approx((2e-3 + 2e-3) / 8e-3)  # one by MACs, one by bytes
    assert add.share == pytest.approx(0.5)
    assert found.total().seconds == pytest.approx(14.001e-3)


def test_the_table_fits_and_ends_in_the_total(found):
    kinds = [row[0] for row in cells(found)]
    assert kinds == ["Conv 3x3", "Add", "Pad", "total"]
    more = replace(found, operators=(*found.operators, Operator("tiny", "Relu", 0, 10, 1e-6)))
    assert [row[0] for row in cells(more)] == ["Conv 3x3", "Add", "2 other kinds", "total"]
    assert cells(found)[0][1:] == ("2", "3.0", "3.00", "8.000", "57.1 %", "50 %")
    assert len(cells(found, each=True)) == 5
    assert all(len(row) == len(HEADINGS) for row in cells(found))


def test_what_a_convolution_is_called():
    assert convolution_kind("Conv", (32, 3, 3, 3)) == "Conv 3x3"
    assert convolution_kind("Conv", (32, 1, 5, 5)) == "Conv 5x5 depthwise"
    assert convolution_kind("Conv", (1, 1, 1, 1)) == "Conv 1x1"
    assert convolution_kind("Conv", (16, 1, 3, 3), (1, 1, 8, 8)) == "Conv 3x3"  # of a grey image
    assert convolution_kind("Conv", (16, 1, 3, 3), (1, 16, 8, 8)) == "Conv 3x3 depthwise"


def write_three(path):
    """A convolution, a transposed one and a product, without names or padding of channels."""
    weights = {"a": (32, 16, 3, 3), "b": (32, 16, 2, 2), "c": (24, 48)}
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["0"], strides=[2, 2], pads=[1] * 4),
        helper.make_node("ConvTranspose", ["0", "b"], ["1"], strides=[2, 2]),
        helper.make_node("MatMul", ["1", "c"], ["y"]),
    ]
    constant = helper.make_node(
        "Constant", [], ["a"], value=numpy_helper.from_array(np.ones(weights.pop("a"), np.float32))
    )
    graph = helper.make_graph(
        [constant, *nodes],
        "three",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 16, 16, 24))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 16, 16, 48))],
        [
            numpy_helper.from_array(np.ones(shape, np.float32), name)
            for name, shape in weights.items()
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_three_operators_cost_what_they_do_by_hand(tmp_path, capsys):
    """Of a batch that the file fixes, of images of as many channels as it takes."""
    path = write_three(tmp_path / "three.onnx")
    assert main([str(path), "--seconds", "0.01", "--threads", "1", "--json", "-"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = {each["kind"].split()[0]: each for each in said["operators"] if each["macs"]}
    macs = {
        "Conv": 2 * 8 * 12 * 32 * 16 * 9,
        "ConvTranspose": 2 * 8 * 12 * 32 * 16 * 4,
        "MatMul": 2 * 16 * 16 * 24 * 48,
    }
    assert {kind: each["macs"] for kind, each in found.items()} == macs
    numbers = {  # what is read, weights among it, and written
        "Conv": 2 * 16 * 16 * 24 + 32 * 16 * 9 + 2 * 32 * 8 * 12,
        "ConvTranspose": 2 * 32 * 8 * 12 + 32 * 16 * 4 + 2 * 16 * 16 * 24,
        "MatMul": 2 * 16 * 16 * 24 + 24 * 48 + 2 * 16 * 16 * 48,
    }
    assert {kind: each["bytes"] / 4 for kind, each in found.items()} == numbers
    for each in found.values():
        least = max(each["macs"] / 1e9, each["bytes"] / 1e9)
        assert each["least_ms"] == pytest.approx(1000 * least)
    assert said["total"]["macs"] == sum(macs.values())


def node(index, microseconds, **arguments):
    said = Arguments(op_name="QLinearConv", node_index=index, **arguments)
    return Event("Node", "c_token_3_kernel_time", microseconds, said)


def test_the_first_inference_does_not_count_and_packed_weights_are_found():
    shapes = {"output_type_shape": ({"uint8": (1, 4, 2, 2)},), "output_size": "16"}
    events = [node("7", dur, **shapes) for dur in (9_000, 2_000, 4_000)]
    (operator,) = operators_of(events, {"c": (4, 2, 3, 3)})
    assert operator.seconds == pytest.approx(3e-3)
    assert operator.macs == 2 * 3 * 3 * 16
    assert (operator.kind, operator.bytes) == ("QLinearConv 3x3", 16 + 4 * 2 * 3 * 3)
    with pytest.raises(ModelFileError, match="times no operator"):
        operators_of([Event("Session", "model_loading", 5)], {})


def test_a_file_of_ours_and_json(tmp_path, capsys):
    path = write_model(tmp_path / "m.onnx")
    place = tmp_path / "p.json"
    assert main([str(path), "--seconds", "0.01", "--threads", "1", "--json", str(place)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split()[:2] == ["operators", "count"]
    assert "total" in out
    said = json.loads(place.read_text())
    assert said["total"]["count"] == len(said["operators"]) >= 3
    assert said["rates"]["threads"] == 1
    assert main([str(path), "--seconds", "0.01", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "m.onnx"


def test_a_third_party_file_counts_its_multiply_adds(tmp_path, capsys):
    path = write_third_party(tmp_path / "m.onnx")
    assert main([str(path), "--seconds", "0.01"]) == 2
    assert "say --input-size" in capsys.readouterr().err
    words = ["--seconds", "0.01", "--input-size", "32x16", "--json", "-"]
    assert main([str(path), *words]) == 0
    padded = [blocks * 3 * 16 * 32 for blocks in (1, 4, 8, 16)]  # its one channel, on this CPU
    assert json.loads(capsys.readouterr().out)["total"]["macs"] in padded


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.onnx"], "does not exist"),
        (["mnv2-64-dsw"], "did you mean 'mnv2-64-dws'?"),
        (["large.onnx"], "sides may have 4096 px"),
        (["two.onnx"], "takes x tensor(float) ['B', 3, 'H', 'W'], focal tensor(float) [1]; give"),
        (["nowhere.xml"], "nowhere.xml does not exist"),
        (["m.onnx", "--input-size", "32x16"], "leave --input-size out"),
        (["m.onnx", "--threads", "1024"], "the cores there are"),
        (["m.xml", "--input-size", "32x16"], "a .onnx file; leave it out"),
        (["m.onnx", "--json", "m.onnx"], "is an input"),
    ],
)
def test_what_cannot_be_is_one_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "m.onnx")
    write_third_party(tmp_path / "large.onnx", (1, 3, 16, 4100))
    write_third_party(tmp_path / "two.onnx", extra_input=True)
    assert main([*words, "--seconds", "0.01"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_no_more_times_are_taken_than_a_profile_holds(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(onnx_profile, "MOST", 40)
    path = write_model(tmp_path / "m.onnx")  # of four operators
    assert main([str(path), "--seconds", "9", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["inferences"] == 9


def call_it_image(model):
    model.graph.input[0].name = model.graph.node[0].input[0] = "image"


def test_openvino_says_what_it_computes_in(tmp_path, capsys):
    source = write_third_party(tmp_path / "m.onnx", ("B", 16, 32, 3), TensorProto.UINT8)
    rewrite(source, call_it_image)
    metadata = replace(METADATA, sizes=(Size(16, 32),))
    build(source, [tmp_path / "m.xml", tmp_path / "m.bin"], metadata, lambda infer: {})
    words = ["--seconds", "0.01", "--threads", "1", "--json", "-"]
    assert main([str(tmp_path / "m.xml"), *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["runtime"].startswith("OpenVINO 20")
    assert said["total"]["macs"] == 3 * 16 * 32
    assert "Convolution 1x1 f32" in {group["kind"] for group in said["groups"]}


@pytest.mark.parametrize("groups", [1, 3])
def test_openvino_counts_transposed_convolutions(groups, tmp_path, capsys):
    nodes = [
        helper.make_node("Cast", ["image"], ["0"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["0"], ["1"], perm=[0, 3, 1, 2]),
        helper.make_node("ConvTranspose", ["1", "w"], ["depth"], strides=[2, 2], group=groups),
    ]
    weight = np.ones((3, 6 // groups, 2, 2), np.float32)
    graph = helper.make_graph(
        nodes,
        "up",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, (1, 16, 32, 3))],
        [helper.make_tensor_value_info("depth", TensorProto.FLOAT, (1, 6, 32, 64))],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    source = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), source)
    metadata = replace(METADATA, sizes=(Size(16, 32),))
    build(source, [tmp_path / "m.xml", tmp_path / "m.bin"], metadata, lambda infer: {})
    words = ["--seconds", "0.01", "--threads", "1", "--json", "-"]
    assert main([str(tmp_path / "m.xml"), *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["total"]["macs"] == weight.size * 16 * 32
    assert "Deconvolution 2x2 f32" in {group["kind"] for group in said["groups"]}


@pytest.mark.thorough
def test_a_file_without_end_is_stopped(tmp_path, capsys):
    path = make_endless(write_model(tmp_path / "m.onnx"))
    assert main([str(path), "--time-limit", "0.5"]) == 2
    assert "did not answer within 0.5 s" in capsys.readouterr().err
