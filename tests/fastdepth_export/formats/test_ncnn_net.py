"""ncnn's files: whole, of one export, as exact as they say, and compared with PyTorch."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from fastdepth.errors import ModelFileError, ParityError, UsageError
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export
from fastdepth_export.formats import ncnn_net
from fastdepth_export.formats.beside import describe
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


def test_there_are_three_files_and_no_layer_may_compute_in_half_precision(built):
    names = sorted(path.name for path in built[0].parent.iterdir())
    assert names == ["tiny.ncnn.bin", "tiny.ncnn.json", "tiny.ncnn.param"]
    _, _, *layers = built[0].read_text().splitlines()
    assert all(layer.split()[-1] == EXACT for layer in layers)
    assert layers[0].split()[4] == "image"
    assert "depth" in layers[-1].split()


def test_in_half_precision_metres_stay_single(built):
    text = built[0].read_text().replace(f" {EXACT}", "").replace(" image", " in0")
    _, _, *layers = ncnn_net._finish(text.replace(" depth ", " out0 "), "fp16").splitlines()
    exact = {layer.split()[0] for layer in layers if layer.endswith(EXACT)}
    half = {layer.split()[0] for layer in layers if not layer.endswith(EXACT)}
    assert {"Softmax", "MatMul", "Interp"} <= exact
    assert {"Convolution", "ConvolutionDepthWise", "Input"} <= half - exact


def test_what_pnnx_cannot_convert_is_one_line(tiny, tmp_path, monkeypatch):
    import pnnx

    monkeypatch.setattr(pnnx, "EXEC_PATH", "false")
    with pytest.raises(ParityError, match="PNNX cannot convert tiny .*nothing was written"):
        export(RECIPE, tmp_path / "m.ncnn.param")
    assert not list(tmp_path.iterdir())


def test_files_of_another_export_are_noticed(copied):
    weights = copied.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=r"tiny.ncnn.bin is not the file that .*json"):
        NcnnModel(copied)
    weights.unlink()
    with pytest.raises(ModelFileError, match="does not exist.*run fastdepth-export again"):
        NcnnModel(copied)


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
@pytest.mark.parametrize("variant", ["mnv2-64-dws", "mnv2-64-dws-70", "unet128-dws"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_networks_that_ship_pass_in_both_precisions(variant, precision, tmp_path):
    recipe = ExportRecipe(variant, format="ncnn", precision=precision)
    metadata = export(recipe, tmp_path / "m.ncnn.param", data="rooms:8")
    assert abs(metadata.d1_change or 0) <= 1e-3
    size = (tmp_path / "m.ncnn.bin").stat().st_size
    print(f"{variant} {precision}: parity {metadata.parity:.2g} m, {size / 1e6:.2f} MB")
