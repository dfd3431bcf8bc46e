"""Core ML's package: whole, metadata inside, and what it holds means what PyTorch computes."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from fastdepth.errors import DeviceError, ImageError, ModelFileError, ParityError, UsageError
from fastdepth_export import ExportRecipe, export, targets
from fastdepth_export.formats import coreml_package, mil_program
from fastdepth_export.formats.coreml_package import MANIFEST, MODEL, WEIGHTS, CoreMlModel
from fastdepth_export.formats.mil_program import MilProgram
from fastdepth_export.network import build_network
from fastdepth_export.verify import run_network

pytestmark = pytest.mark.skipif(not find_spec("coremltools"), reason="no extra coreml")
RECIPE = ExportRecipe("tiny", format="coreml")


@pytest.fixture(scope="module")
def built(tiny, tmp_path_factory):
    """The package of the tiny network, and its metadata."""
    path = tmp_path_factory.mktemp("coreml") / "tiny.mlpackage"
    return path, export(RECIPE, path)


@pytest.fixture
def copied(built, tmp_path):
    """A copy of the package that a test may spoil."""
    return shutil.copytree(built[0], tmp_path / "tiny.mlpackage")


@pytest.fixture
def remade(built, monkeypatch):
    """A converter that gives the package that is there, which a test may spoil by this function."""

    def install(spoil):
        def convert(network, folder, metadata, early):
            shutil.copytree(built[0], folder)
            spoil(folder)

        monkeypatch.setattr(coreml_package, "_convert", convert)

    return install


def program_of(path):
    """The program of a package, as it lies on the disk."""
    return MilProgram(coreml_package._read(path)[0], path / WEIGHTS)


def test_the_program_on_the_disk_answers_as_pytorch_does(built, images):
    answer = program_of(built[0]).compute(images)
    assert answer.dtype == np.float32
    expected = run_network(build_network(RECIPE), images)["depth"]
    np.testing.assert_allclose(answer, expected, atol=1e-4)


def test_the_package_is_three_files_that_say_what_they_are(built, tiny):
    path, metadata = built
    files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    assert files == {MANIFEST, MODEL, WEIGHTS}
    spec, read = coreml_package._read(path)
    assert read == metadata
    assert (metadata.batch, metadata.opset, metadata.precision) == (1, None, "fp32")
    assert spec.specificationVersion == 7  # iOS 16, macOS 13
    (image,), (depth,) = spec.description.input, spec.description.output
    kind = image.type.imageType
    assert (image.name, kind.height, kind.width) == ("image", *tiny.size)
    assert kind.colorSpace == kind.RGB
    array = depth.type.multiArrayType
    assert (depth.name, list(array.shape)) == ("depth", [1, 1, *tiny.size])
    assert array.dataType == array.FLOAT32
    from coremltools.models.utils import load_spec

    assert load_spec(str(path)) == spec  # by what the manifest says


@pytest.mark.thorough
def test_in_half_precision_metres_stay_single(images, tmp_path):
    path = tmp_path / "tiny.mlpackage"
    metadata = export(ExportRecipe("tiny", format="coreml", precision="fp16"), path, data="rooms:2")
    assert metadata.d1_change is not None
    program = program_of(path)
    types = [(op.op_type, op.outputs[0].dtype.__name__) for op in program.operators]
    assert types[0] == ("sub", "fp32")  # the pixels
    assert types[-1] == ("upsample_bilinear", "fp32")
    assert {kind for name, kind in types if name in ("conv", "layer_norm")} == {"fp16"}
    assert {kind for name, kind in types if name in ("softmax", "reduce_sum")} == {"fp32"}
    # The transformer's product and that of the bins' shares, and the sum of the widths.
    assert types.count(("matmul", "fp32")) + types.count(("linear", "fp32")) == 3
    expected = run_network(build_network(RECIPE), images)["depth"]
    np.testing.assert_allclose(program.compute(images), expected, atol=1e-2)


@pytest.mark.thorough
def test_where_that_loses_too_much_the_first_products_stay_single_too(monkeypatch, tmp_path):
    def loses(self, precision):
        tried.append(precision)
        return "" if len(tried) > 1 else "changes d1 by -0.0020 (allowed 0.001)"

    tried = []
    monkeypatch.setattr("fastdepth_export.compress.accuracy_loss.AccuracyLoss.problem", loses)
    path = tmp_path / "tiny.mlpackage"
    export(ExportRecipe("tiny", format="coreml", precision="fp16"), path, data="rooms:1")
    convolutions = [op for op in program_of(path).operators if op.op_type == "conv"]
    types = [op.outputs[0].dtype.__name__ for op in convolutions]
    assert types[:4] == ["fp32", "fp32", "fp32", "fp16"]
    assert len(tried) == 2


def test_a_wrong_weight_is_caught_and_nothing_is_written(remade, tmp_path):
    def spoil(folder):
        content = bytearray((folder / WEIGHTS).read_bytes())
        weights = np.frombuffer(content, np.float32, offset=128, count=16)
        weights *= 3  # the blob's first entry, behind the headers of file and entry
        (folder / WEIGHTS).write_bytes(content)

    remade(spoil)
    with pytest.raises(ParityError, match="differs from PyTorch.*nothing was written"):
        export(RECIPE, tmp_path / "tiny.mlpackage")
    assert not list(tmp_path.iterdir())


def test_operators_that_cannot_be_checked_are_named(remade, tmp_path, monkeypatch):
    remade(lambda folder: None)
    fewer = {name: op for name, op in mil_program.OPERATORS.items() if name != "max_pool"}
    monkeypatch.setattr(mil_program, "OPERATORS", fewer)
    with pytest.raises(ParityError, match="cannot be checked: max_pool; nothing was written"):
        export(RECIPE, tmp_path / "tiny.mlpackage")
    fewer["max_pool"] = lambda x: x
    with pytest.raises(ParityError, match="max_pool .* cannot be checked .*nothing was written"):
        export(RECIPE, tmp_path / "tiny.mlpackage")
    assert not list(tmp_path.iterdir())


def test_a_program_that_cannot_be_read_back_is_one_line(remade, tmp_path):
    remade(lambda folder: (folder / WEIGHTS).write_bytes(b"no blobs"))
    with pytest.raises(ParityError, match="cannot be read back .*nothing was written"):
        export(RECIPE, tmp_path / "tiny.mlpackage")


def test_what_coremltools_cannot_convert_is_one_line(tmp_path, monkeypatch):
    def fail(*_):
        raise NotImplementedError("Unsupported fx node\n exotic")

    monkeypatch.setattr(coreml_package, "_convert", fail)
    message = r"coremltools cannot convert tiny \(Unsupported fx node exotic\); nothing was written"
    with pytest.raises(ParityError, match=message):
        export(RECIPE, tmp_path / "tiny.mlpackage")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        (WEIGHTS, lambda content: content[:-1], "is damaged"),
        (WEIGHTS, lambda content: content[:-1] + bytes([content[-1] ^ 1]), "is damaged"),
        (MODEL, lambda content: content[: len(content) // 2], "its model is damaged"),
        (MODEL, lambda content: content.replace(b"softmax", b"softmin"), "is damaged"),
        (MODEL, lambda content: content.replace(b"fastdepth", b"slowdepth"), "has no fastdepth"),
        (MODEL, lambda content: b"", "has no fastdepth metadata"),
        (MODEL, lambda content: content.replace(b'"tiny"', b'"tony"'), "is damaged"),
        (MANIFEST, lambda content: content + b"\n", "is damaged"),
        (MANIFEST, None, "Manifest.json does not exist.*run fastdepth-export again"),
        (WEIGHTS, None, "weight.bin does not exist"),
    ],
)
def test_damaged_packages_are_one_line(copied, name, spoil, message):
    if spoil is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(spoil((copied / name).read_bytes()))
    with pytest.raises(ModelFileError, match=message):
        coreml_package._read(copied)


def test_a_folder_of_another_name_is_no_package(tmp_path):
    with pytest.raises(UsageError, match=r"name the output FILE.mlpackage"):
        export(RECIPE, tmp_path / "tiny")


def test_it_runs_on_a_mac_alone(built, monkeypatch):
    monkeypatch.setattr(targets, "sys", SimpleNamespace(platform="linux"))
    with pytest.raises(DeviceError, match="coreml runs on a Mac alone, and this is linux"):
        CoreMlModel(built[0])


def test_on_a_mac_an_image_goes_in_and_metres_come_out(built, images, monkeypatch):
    """As far as coremltools can show it with a stand-in for Core ML itself: this is no Mac."""
    program = program_of(built[0])

    class Framework:
        def predict(self, data, state):
            assert list(data) == ["image"]
            return {"depth": program.compute(np.asarray(data["image"])[None])}

    monkeypatch.setattr(targets, "sys", SimpleNamespace(platform="darwin"))
    model = CoreMlModel(built[0])
    assert model.metadata == built[1]
    assert model._model.compute_unit.name == "CPU_ONLY"
    monkeypatch.setattr(model._model, "__proxy__", Framework())
    answer = model.infer(images[:2])
    assert answer.shape == (2, 1, *images.shape[1:3])
    np.testing.assert_array_equal(answer, program.compute(images[:2]))
    with pytest.raises(ImageError, match="this model takes uint8"):
        model.infer(images[:, 1:])
    monkeypatch.setattr(model._model, "__proxy__", None)
    with pytest.raises(ModelFileError, match=r"cannot be run by Core ML \(.*macOS.*\)"):
        model.infer(images[:1])


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["mnv2-64-dws", "mnv2-64-dws-70", "unet128-dws"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_networks_that_ship_pass_in_both_precisions(variant, precision, tmp_path):
    recipe = ExportRecipe(variant, format="coreml", precision=precision)
    metadata = export(recipe, tmp_path / "m.mlpackage", data="rooms:8")
    assert abs(metadata.d1_change or 0) <= 1e-3
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    print(f"{variant} {precision}: parity {metadata.parity:.2g} m, {size / 1e6:.2f} MB")
