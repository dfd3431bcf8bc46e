"""ncnn's files: whole, of one export, as exact as they say, and compared with PyTorch."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from fastdepth.errors import ImageError, ModelFileError, ParityError, UsageError
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export
from fastdepth_export.compress.accuracy_loss import BOUNDS, AccuracyLoss
from fastdepth_export.compress.early import EARLY
from fastdepth_export.formats import ncnn_net
from fastdepth_export.formats.beside import describe
from fastdepth_export.formats.ncnn_layers import PRODUCTS, first_layers, read_layers
from fastdepth_export.formats.ncnn_net import NcnnModel
from fastdepth_export.network import build_network
from fastdepth_export.verify import run_network

pytest.importorskip("ncnn")
RECIPE = ExportRecipe("tiny", format="ncnn")
EXACT = "31=7"


@pytest.fixture(scope="module")
def built(tiny, tmp_path_factory):
    """The .param of the tiny network, and its metadata."""
    path = tmp_path_factory.mktemp("ncnn") / "tiny.ncnn.param"
    return path, export(RECIPE, path)


@pytest.fixture
def copied(built, tmp_path):
    """A copy of the files that a test may spoil."""
    for path in built[0].parent.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path / built[0].name


def test_the_files_answer_as_pytorch_does(built, images):
    model = NcnnModel(built[0], threads=1)
    answer = model.infer(images)
    assert answer.dtype == np.float32
    expected = run_network(build_network(RECIPE), images)["depth"]
    np.testing.assert_allclose(answer, expected, atol=1e-4)
    assert model.metadata == built[1]
    assert (built[1].batch, built[1].opset, built[1].precision) == (1, None, "fp32")


@pytest.mark.parametrize("shape", [(0, 96, 128, 3), (1, 64, 64, 3), (1, 128, 96, 3), (1, 96, 128)])
def test_images_of_another_size_are_refused(built, shape):
    """ncnn would read behind small ones, and answer to those on their side."""
    with pytest.raises(ImageError, match=r"batch is uint8 .*; this model takes uint8 \(B, 96, 128"):
        NcnnModel(built[0], threads=1).infer(np.zeros(shape, np.uint8))


def test_there_are_three_files_and_no_layer_may_compute_in_half_precision(built):
    names = sorted(path.name for path in built[0].parent.iterdir())
    assert names == ["tiny.ncnn.bin", "tiny.ncnn.json", "tiny.ncnn.param"]
    _, _, *layers = built[0].read_text().splitlines()
    assert all(layer.split()[-1] == EXACT for layer in layers)
    assert layers[0].split()[4] == "image"
    assert "depth" in layers[-1].split()


def test_in_half_precision_metres_stay_single(built):
    text = built[0].read_text().replace(f" {EXACT}", "").replace(" image", " in0")
    layers = ncnn_net._finish(text.replace(" depth ", " out0 "), "fp16")
    first = first_layers(layers)
    assert sum(layer.kind in PRODUCTS for layer in first) == EARLY
    assert all(EXACT in layer.options for layer in first)
    layers = layers[len(first) :]
    exact = {layer.kind for layer in layers if EXACT in layer.options}
    half = {layer.kind for layer in layers if EXACT not in layer.options}
    assert {"Softmax", "MatMul", "Interp"} <= exact
    assert {"Convolution", "ConvolutionDepthWise"} <= half - exact


@pytest.fixture(scope="module")
def in_integers(weights, tmp_path_factory):
    """The .param of a network whose depth follows the image, in 8 bits, and its metadata."""
    path = tmp_path_factory.mktemp("int8") / "tiny.ncnn.param"
    recipe = replace(RECIPE, weights=str(weights), precision="int8", calibration="rooms:2")
    return path, export(recipe, path, data="rooms:2")


def test_in_8_bits_logits_and_what_computes_no_features_stay_float(in_integers, built):
    layers, before = (read_layers(path.read_text()) for path in (in_integers[0], built[0]))
    quantised = [layer for layer in layers if layer.in_8_bits]
    assert {layer.kind for layer in quantised} == {*PRODUCTS}
    read = {blob for layer in ncnn_net._in_metres(layers) for blob in layer.reads}
    assert not [layer for layer in quantised if read.intersection(layer.makes)]
    assert all(EXACT in layer.options for layer in layers)
    activations = [[layer.number(9) for layer in each] for each in (layers, before)]
    assert activations[0] == activations[1]


def test_in_8_bits_the_files_are_smaller_and_say_how(in_integers, built, network, images):
    path, metadata = in_integers
    size, usual = (each.with_suffix(".bin").stat().st_size for each in (path, built[0]))
    assert size < usual
    assert (metadata.precision, metadata.quantisation) == ("int8", "s8s8")
    assert metadata.calibration
    assert abs(metadata.d1_change) <= 0.01
    expected = run_network(network, images)["depth"]
    difference = np.abs(NcnnModel(path, threads=1).infer(images) - expected)
    assert 1e-4 < difference.mean() < 0.05


def test_int8_that_loses_too_much_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(AccuracyLoss, "problem", lambda self, precision: "changes d1 by -0.0200")
    recipe = replace(RECIPE, precision="int8", calibration="rooms:1")
    with pytest.raises(ParityError, match=r"the int8 file changes d1 by -0.0200; nothing was"):
        export(recipe, tmp_path / "m.ncnn.param", data="rooms:1")
    assert not list(tmp_path.iterdir())


def test_in_half_precision_weights_take_half_the_bytes(built, weights, network, images, tmp_path):
    path = tmp_path / "tiny.ncnn.param"
    metadata = export(replace(RECIPE, weights=str(weights), precision="fp16"), path, data="rooms:2")
    size, usual = (each.with_suffix(".bin").stat().st_size for each in (path, built[0]))
    assert 0.4 < size / usual < 0.6
    expected = run_network(network, images)["depth"]
    np.testing.assert_allclose(NcnnModel(path, threads=1).infer(images), expected, atol=2e-2)
    assert (metadata.precision, metadata.quantisation) == ("fp16", None)


def test_what_pnnx_cannot_convert_is_one_line(tiny, tmp_path, monkeypatch):
    import pnnx

    monkeypatch.setattr(pnnx, "EXEC_PATH", "false")
    with pytest.raises(ParityError, match="PNNX cannot convert tiny .*nothing was written"):
        export(RECIPE, tmp_path / "m.ncnn.param")
    assert not list(tmp_path.iterdir())


def test_what_ncnn_cannot_read_of_pnnx_is_one_line(tiny, tmp_path, monkeypatch):
    finish = ncnn_net._finish

    def with_an_unknown_layer(text, precision):
        return [
            replace(layer, kind=layer.kind.replace("Softmax", "nn.Softmax"))
            for layer in finish(text, precision)
        ]

    monkeypatch.setattr(ncnn_net, "_finish", with_an_unknown_layer)
    message = "^ncnn cannot read what PNNX made of tiny; nothing was written; use another format$"
    for precision in ("fp32", "int8"):
        recipe = replace(RECIPE, precision=precision, calibration="rooms:1")
        with pytest.raises(ParityError, match=message):
            export(recipe, tmp_path / "m.ncnn.param")
    assert not list(tmp_path.iterdir())


def test_files_of_another_export_are_noticed(copied):
    weights = copied.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"tiny.ncnn.bin is not the file that .*json"):
        NcnnModel(copied)
    weights.unlink()
    with pytest.raises(ModelFileError, match="does not exist.*run fastdepth-export again"):
        NcnnModel(copied)


@pytest.mark.parametrize("size", [Size(192, 256), Size(128, 96)], ids=["larger", "on its side"])
def test_a_size_that_is_not_the_nets_is_one_line(copied, built, size):
    other = replace(built[1], sizes=(size,))
    describe(copied.with_suffix(".json"), (copied, copied.with_suffix(".bin")), other)
    with pytest.raises(ModelFileError, match=r"tiny.ncnn.param answered float32 .*as its metadata"):
        NcnnModel(copied, threads=1).infer(np.zeros((1, *size, 3), np.uint8))


def test_a_layer_that_ncnn_lacks_is_one_line(copied, built):
    copied.write_text(copied.read_text().replace("\nSoftmax ", "\nTensor.slice ", 1))
    describe(copied.with_suffix(".json"), (copied, copied.with_suffix(".bin")), built[1])
    with pytest.raises(ModelFileError, match="cannot be read by ncnn"):
        NcnnModel(copied)


def test_there_is_one_size_and_one_name(tmp_path):
    sizes = Size(96, 128), Size(128, 96)
    with pytest.raises(UsageError, match="format ncnn has one size"):
        export(ExportRecipe("tiny", format="ncnn", sizes=sizes), tmp_path / "m.ncnn.param")
    with pytest.raises(UsageError, match=r"name the output FILE.ncnn.param"):
        export(RECIPE, tmp_path / "m.param")


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant", ["mnv2-64-dws", "mnv2-64-dws-50", "mnv2-64-dws-70", "unet128-dws"]
)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_networks_that_ship_pass_in_all_precisions(variant, precision, tmp_path):
    recipe = ExportRecipe(variant, format="ncnn", precision=precision)
    metadata = export(recipe, tmp_path / "m.ncnn.param", data="rooms:8")
    assert abs(metadata.d1_change or 0) <= BOUNDS.get(precision, 0)
    size = (tmp_path / "m.ncnn.bin").stat().st_size
    print(f"{variant} {precision}: parity {metadata.parity:.2g} m, {size / 1e6:.2f} MB")
