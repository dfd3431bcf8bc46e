from __future__ import annotations

import sys
import warnings

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

import fastdepth
from fastdepth.data import open_source, sample_list_hash
from fastdepth.data.rooms.dataset import render_room
from fastdepth.errors import (
    DataError,
    OutputError,
    ParityError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from fastdepth.files import replacing
from fastdepth.metadata import ModelMetadata
from fastdepth.models import create_model
from fastdepth.train.checkpoint import save_weights
from fastdepth.weights import WeightsCard
from fastdepth_export import ExportRecipe, export, verify
from fastdepth_export.compress import accuracy_loss
from fastdepth_export.network import build_network
from fastdepth_export.verify import run_model, run_network


def test_one_file_with_camera_bytes_in_and_metres_out(exported):
    path, _ = exported
    assert [p.name for p in path.parent.iterdir()] == ["tiny.onnx"]
    model = onnx.load(path, load_external_data=False)
    (image,), (depth,) = model.graph.input, model.graph.output
    shape = [d.dim_value for d in image.type.tensor_type.shape.dim]
    assert (image.name, image.type.tensor_type.elem_type) == ("image", onnx.TensorProto.UINT8)
    assert shape[1:] == [96, 128, 3]
    assert image.type.tensor_type.shape.dim[0].dim_param  # any batch
    assert (depth.name, depth.type.tensor_type.elem_type) == ("depth", onnx.TensorProto.FLOAT)
    assert model.opset_import[0].version >= 18


def test_nothing_of_the_exporter_stays_in_the_file(exported):
    path, _ = exported
    model = onnx.load(path)
    assert [entry.key for entry in model.metadata_props] == ["fastdepth"]
    assert not model.graph.value_info
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_the_metadata_is_in_the_file(exported):
    path, metadata = exported
    (entry,) = onnx.load(path).metadata_props
    assert ModelMetadata.from_json(entry.value, str(path)) == metadata
    assert metadata.variant == "tiny"
    assert metadata.weights == "untrained"
    assert metadata.sizes == ((96, 128),)
    assert metadata.params == 928_960
    assert metadata.version == fastdepth.__version__
    assert 0 < metadata.parity < 1e-4


def test_the_runtime_answers_as_pytorch_does(exported):
    path, _ = exported
    image = render_room(3, fastdepth.load(path).size).image
    network = build_network(ExportRecipe("tiny"))
    expected = run_network(network, image[None])["depth"][0, 0]
    np.testing.assert_allclose(fastdepth.load(path, threads=1)(image), expected, atol=1e-4)


@pytest.mark.thorough
def test_trained_weights_go_into_the_file(network, weights, tmp_path):
    recipe = ExportRecipe("tiny", weights=str(weights), form="plain")
    metadata = export(recipe, tmp_path / "mine.onnx")
    assert (metadata.weights, metadata.licence) == ("mine.safetensors", "MIT")
    model = fastdepth.load(tmp_path / "mine.onnx", threads=1)
    image = render_room(3, model.size).image
    expected = run_network(network, image[None])["depth"][0, 0]
    np.testing.assert_allclose(model(image), expected, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, create_model("tiny"), WeightsCard("unet128"))
    with pytest.raises(WeightsError, match="use --variant unet128 or other weights"):
        export(ExportRecipe("tiny", weights=str(path)), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_with_nan_are_refused(tmp_path, value):
    network = create_model("tiny")
    with torch.no_grad():
        network.bins.conv_out.weight[0] = value
    header = WeightsCard("tiny").to_header()
    save_file(network.state_dict(), tmp_path / "w.safetensors", metadata=header)
    with pytest.raises(WeightsError, match="holds NaN or infinity in bins.conv_out.weight"):
        export(ExportRecipe("tiny", weights=str(tmp_path / "w.safetensors")), tmp_path / "m.onnx")


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    monkeypatch.setattr(verify, "TOLERANCE", 0)
    with pytest.raises(ParityError, match="nothing was written"):
        export(ExportRecipe("tiny"), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_empty_folder_is_left_of_what_was_interrupted(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["fastdepth_export.export"], "_verified", interrupted)
    (tmp_path / "there").mkdir()
    for folder in ("there", "new/deep"):
        with pytest.raises(KeyboardInterrupt):
            export(ExportRecipe("tiny"), tmp_path / folder / "m.onnx")
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("precision", "share", "bound"), [("fp16", 0.6, 0.1), ("int8", 0.4, 0.5)], ids=["fp16", "int8"]
)
def test_reduced_precision(reduced, exported, folded, precision, share, bound):
    path, metadata = reduced[precision]
    assert path.stat().st_size < share * exported[0].stat().st_size
    assert metadata.precision == precision
    assert 0 < metadata.parity < bound  # of depths up to 10 m
    assert abs(metadata.d1_change) <= accuracy_loss.BOUNDS[precision]
    model = fastdepth.load(path, threads=1)
    assert model.metadata == metadata
    image = render_room(3, model.size).image
    whole = run_model(folded, image[None], ["depth"])["depth"][0, 0]
    np.testing.assert_allclose(model(image), whole, atol=bound)


@pytest.mark.thorough
def test_an_int8_file_names_its_types_and_its_calibration(reduced):
    metadata = reduced["int8"][1]
    assert metadata.quantisation in ("u8s8", "u8s7")
    assert metadata.calibration == sample_list_hash(open_source("rooms:1", "train"))
    assert reduced["fp16"][1].calibration is reduced["fp16"][1].quantisation is None


def test_reduced_precision_that_loses_too_much_is_refused_unless_forced(
    weights, tmp_path, monkeypatch
):
    monkeypatch.setitem(accuracy_loss.BOUNDS, "fp16", -1)
    recipe = ExportRecipe("tiny", weights=str(weights), precision="fp16")
    with pytest.raises(ParityError, match="fp16 file changes d1 by .* --force"):
        export(recipe, tmp_path / "m.onnx", data="rooms:1")
    assert not list(tmp_path.iterdir())
    export(recipe, tmp_path / "m.onnx", data="rooms:1", force=True)
    assert fastdepth.load(tmp_path / "m.onnx").metadata.precision == "fp16"


def test_where_fp16_loses_too_much_the_first_products_stay_in_fp32(weights, tmp_path, monkeypatch):
    recipe = ExportRecipe("tiny", weights=str(weights), precision="fp16")
    found = iter([0.002, 0.0004])
    monkeypatch.setattr(
        accuracy_loss.LossMeter,
        "measure",
        lambda *_: accuracy_loss.AccuracyLoss(next(found), 0, 0, 0),
    )
    metadata = export(recipe, tmp_path / "m.onnx", data="rooms:1")
    assert metadata.d1_change == 0.0004
    kinds = {tensor.data_type for tensor in onnx.load(tmp_path / "m.onnx").graph.initializer}
    assert {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16} <= kinds


@pytest.mark.parametrize(
    ("precision", "mistake"),
    [
        ("fp16", {"data": "nyu:/no"}),
        ("int8", {"data": "room"}),
        ("int8", {"calibration": "nyu:/no"}),
    ],
)
@pytest.mark.parametrize("form", ["onnx", "engine"])
def test_images_that_are_not_there_are_found_before_the_work(
    tmp_path, monkeypatch, precision, mistake, form
):
    module = sys.modules["fastdepth_export.export"]
    monkeypatch.setattr(module, "require_extras", lambda target: None)
    monkeypatch.setattr(module, "_verified", None)
    words = {"calibration": "rooms:1", "data": "rooms:1"} | mistake
    recipe = ExportRecipe(
        "tiny", precision=precision, format=form, calibration=words["calibration"]
    )
    with pytest.raises((DataError, UnknownNameError)):
        export(recipe, tmp_path / "m.engine", data=words["data"])


def test_an_unwritable_output_is_found_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        export(ExportRecipe("tiny"), tmp_path / "file" / "m.onnx")


@pytest.mark.parametrize("name", ["w.safetensors", "link", "./w.safetensors"])
def test_the_weights_are_not_written_over(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_weights(tmp_path / "w.safetensors", create_model("tiny"), WeightsCard("tiny"))
    (tmp_path / "link").symlink_to(tmp_path / "w.safetensors")
    before = (tmp_path / "w.safetensors").read_bytes()
    with pytest.raises(UsageError, match="would be written over; give another output"):
        export(ExportRecipe("tiny", weights="w.safetensors"), name)
    assert (tmp_path / "w.safetensors").read_bytes() == before


def test_what_a_killed_export_left_of_the_file_is_removed_by_the_next(tmp_path, monkeypatch):
    with replacing(tmp_path / "m.onnx") as temporary:
        left = temporary.name
        temporary.write_bytes(b"half")
    (tmp_path / left).write_bytes(b"half")  # as if it had been killed
    (tmp_path / ".other.onnx").touch()
    monkeypatch.setattr(verify, "TOLERANCE", 0)
    with pytest.raises(ParityError):
        export(ExportRecipe("tiny"), tmp_path / "m.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {"m.onnx", ".other.onnx"}


@pytest.mark.thorough
def test_export_is_silent_about_the_exporters_own_deprecations(tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export(ExportRecipe("tiny", opset=18, form="plain"), tmp_path / "m.onnx")
    captured = capfd.readouterr()
    assert captured.out == ""
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 18
