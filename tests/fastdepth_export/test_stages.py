"""A finished file is compared with PyTorch stage by stage, whatever was done to it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from tiny_onnx import METADATA

from fastdepth.models import create_model
from fastdepth.train.checkpoint import save_weights
from fastdepth.weights import WeightsCard
from fastdepth_export.cli import main
from fastdepth_export.compress.fp16 import to_half
from fastdepth_export.compress.int8 import Quantiser
from fastdepth_export.formats.onnx_graph import set_metadata


@pytest.fixture(scope="module")
def files(weights, model, folded, tiny, tmp_path_factory):
    """Plain and folded files of all precisions."""
    folder = tmp_path_factory.mktemp("files")
    quantiser = Quantiser(model, tiny.size, "rooms:2", "u8s8")
    graphs = {
        "plain": (model, "fp32"),
        "folded": (folded, "fp32"),
        "fp16": (to_half(model), "fp16"),
        "int8": (quantiser.quantise(["unet.head"]), "int8"),
    }
    for name, (graph, precision) in graphs.items():
        sizes, weights_name = (tiny.size,), weights.name
        file = replace(METADATA, weights=weights_name, sizes=sizes, precision=precision)
        written = onnx.ModelProto()
        written.CopyFrom(graph)
        set_metadata(written, file)
        onnx.save(written, folder / f"{name}.onnx")
    return folder


def check(path, weights, capsys, data="rooms:1"):
    status = main(["--verify", str(path), "--weights", str(weights), "--data", data])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err


def scale(source, stage, factor, target):
    """Write the file with a stage's values multiplied by a factor."""
    model = onnx.load(source)
    (producer,) = [node for node in model.graph.node if stage in node.output]
    at = list(model.graph.node).index(producer)
    producer.output[0] = "before"
    graph = onnx.shape_inference.infer_shapes(model).graph
    infos = (*graph.value_info, *graph.output)
    half = any(
        info.name == "before" and info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
        for info in infos
    )
    value = (np.float16 if half else np.float32)(factor)
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), "factor"))
    model.graph.node.insert(at + 1, onnx.helper.make_node("Mul", ["before", "factor"], [stage]))
    onnx.save(model, target)
    return target


STAGES = {
    "plain": ["normalised", "features", "centres", "depth", "depth at the image's size"],
    "folded": ["centres", "depth", "depth at the image's size"],
}
STAGES["fp16"] = STAGES["int8"] = [*STAGES["plain"], "d1"]


@pytest.mark.parametrize("name", STAGES)
def test_a_line_per_stage_of_a_file_that_is_right(name, files, weights, capsys):
    status, lines, error = check(files / f"{name}.onnx", weights, capsys)
    assert (status, error) == (0, "")
    assert [re.split(r"\s{2,}", line)[0] for line in lines] == STAGES[name]
    bounds = [re.search(r"\(allowed (\S+)\)", line) for line in lines]
    if name in ("fp16", "int8"):
        assert not any(bounds[:-1])
        assert float(bounds[-1][1]) == {"fp16": 0.001, "int8": 0.01}[name]
    else:
        assert {float(bound[1]) for bound in bounds} == {1e-4}


@pytest.mark.parametrize(
    ("stage", "factor"),
    [("normalised", 1.01), ("features", 1.01), ("centres", 1.01), ("depth", float("nan"))],
)
def test_the_stage_at_fault_is_named(stage, factor, files, weights, tmp_path, capsys):
    path = scale(files / "plain.onnx", f"stage_{stage}", factor, tmp_path / "broken.onnx")
    status, lines, error = check(path, weights, capsys)
    assert status == 2
    assert len(lines) == 5
    assert f"broken.onnx differs from PyTorch: {stage} is " in error
    assert error.count("\n") == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "stage", "factor"),
    [("fp16", "features", 30), ("fp16", "centres", 0.5), ("int8", "depth", 0.5)],
)
def test_reduced_precision_is_judged_by_d1(name, stage, factor, files, weights, tmp_path, capsys):
    path = scale(files / f"{name}.onnx", f"stage_{stage}", factor, tmp_path / "broken.onnx")
    status, _, error = check(path, weights, capsys)
    assert status == 2
    assert re.search(rf": d1 changes by \S+ \(allowed .*10% of its spread: {stage};", error)


def test_a_nan_in_reduced_precision(files, weights, tmp_path, capsys):
    path = scale(files / "fp16.onnx", "stage_features", float("nan"), tmp_path / "broken.onnx")
    status, _, error = check(path, weights, capsys)
    assert status == 2
    assert "features is NaN or infinite at " in error


def test_other_weights_are_found(files, tmp_path, capsys):
    torch.manual_seed(1)
    save_weights(tmp_path / "other.safetensors", create_model("tiny"), WeightsCard("tiny"))
    status, _, error = check(files / "plain.onnx", tmp_path / "other.safetensors", capsys)
    assert status == 2
    assert "differs from PyTorch: features is off by" in error


def test_random_weights_are_those_of_the_variant(exported, capsys):
    assert main(["--verify", str(exported[0])]) == 0
    assert "allowed 0.0001" in capsys.readouterr().out


def test_a_batch_that_was_baked_in_is_found(files, weights, tmp_path, capsys):
    model = onnx.load(files / "plain.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "one.onnx")
    status, _, error = check(tmp_path / "one.onnx", weights, capsys)
    assert status == 2
    assert "cannot run at 128x96 with 3 image(s); export it again" in error
    assert error.count("\n") == 1


def test_what_cannot_be_compared_is_one_line(files, tiny_file, tmp_path, capsys):
    assert main(["--verify", str(tmp_path / "no.onnx")]) == 2
    assert "no.onnx does not exist" in capsys.readouterr().err
    assert main(["--verify", str(files / "plain.onnx")]) == 2
    error = capsys.readouterr().err
    assert "weights mine.safetensors of" in error
    assert error.endswith("are not at hand; give them with --weights FILE\n")
    (tmp_path / "text.onnx").write_text("text")
    assert main(["--verify", str(tmp_path / "text.onnx")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
