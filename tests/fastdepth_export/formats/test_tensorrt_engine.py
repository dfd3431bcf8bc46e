"""Engines: what is ordered of TensorRT, when a built one fits, and that the names are real ones.

No engine is built here: there is no GPU. The control flow runs on a stand-in, and the stand-in is
compared with what the real bindings of TensorRT 10 and 11 offer.
"""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
from dataclasses import replace

import fake_tensorrt
import numpy as np
import onnx
import pytest
import tensorrt_names

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.errors import DeviceError, ImageError, MissingExtraError, ModelFileError, ParityError
from fastdepth_export import ExportRecipe, export, verify
from fastdepth_export.formats import tensorrt_engine
from fastdepth_export.formats.tensorrt_engine import EngineModel, cast_first, fits

RECIPE = ExportRecipe("tiny", format="engine")

REAL = json.loads(tensorrt_names.NAMES.read_text())
"""What each release of the bindings has of the stand-in's names; see tensorrt_names.py."""

SURFACE = tensorrt_names.surface(fake_tensorrt)


@pytest.fixture
def trt(monkeypatch, tmp_path):
    """TensorRT and a GPU that are not there."""
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    fake_tensorrt.install(monkeypatch)
    return fake_tensorrt


@pytest.fixture
def engine(trt, exported, tmp_path):
    """A built engine of the tiny network, and its metadata."""
    path = tmp_path / "tiny.engine"
    return path, export(RECIPE, path, onnx_file=exported[0])


@pytest.mark.parametrize("version", tensorrt_names.WHEELS)
@pytest.mark.parametrize("name", SURFACE)
def test_the_real_bindings_have_every_name(version, name):
    assert name in REAL[version]


@pytest.mark.parametrize("version", tensorrt_names.WHEELS)
@pytest.mark.parametrize("name", [name for name in SURFACE if SURFACE[name]])
def test_the_real_bindings_take_the_same_parameters(version, name):
    ours = SURFACE[name]
    assert any(ours == real[: len(ours)] for real in REAL[version][name]), REAL[version][name]


def test_the_code_takes_nothing_of_tensorrt_but_what_the_stand_in_has():
    """Methods show by running; names that are only mentioned, by their mention."""
    tree = ast.parse(inspect.getsource(tensorrt_engine))
    mentioned = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    of_trt = {name.removeprefix("trt.") for name in mentioned if name.startswith("trt.")}
    assert {"OnnxParser", "BuilderFlag.TF32", "Logger.WARNING"} <= of_trt
    assert of_trt - {"__version__"} <= set(SURFACE)


@pytest.mark.slow
@pytest.mark.parametrize("version", tensorrt_names.WHEELS)
def test_the_list_is_that_of_the_wheels(version):
    try:
        found = tensorrt_names.read(version, list(SURFACE))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no compiler or no wheel: {error}")
    assert found == REAL[version]


def test_the_engine_answers_as_the_onnx_file_does(engine, exported, tiny):
    path, metadata = engine
    expected, model = fastdepth.load(exported[0], threads=1), EngineModel(path)
    for number in (3, 4):
        image = render_room(number, tiny.size).image[None]
        np.testing.assert_allclose(model.infer(image), expected.infer(image), atol=1e-5)
    assert model.metadata == metadata
    assert 0 < metadata.parity < 1e-4


def test_an_inference_is_one_replay_and_copies_run_nothing(engine, trt, tiny):
    model = EngineModel(engine[0])
    image = render_room(3, tiny.size).image[None]
    first = model.infer(image)
    trt.LOG.clear()
    model.copy_in(image)
    model.copy_out()
    assert trt.LOG == []
    model.infer(np.zeros_like(image))
    assert trt.LOG == ["ran"]
    np.testing.assert_array_equal(model.infer(image), first)


@pytest.mark.thorough
def test_every_size_has_a_profile_and_a_graph_of_its_own(several, trt, tmp_path):
    path, (onnx_file, metadata) = tmp_path / "m.engine", several
    export(replace(RECIPE, sizes=metadata.sizes), path, onnx_file=onnx_file)
    expected, model = fastdepth.load(onnx_file, threads=1), EngineModel(path)
    images = [render_room(3, size).image[None] for size in metadata.sizes]
    for image in [*images, *images]:
        np.testing.assert_allclose(model.infer(image), expected.infer(image), atol=1e-5)
    with pytest.raises(ImageError, match=r"takes \(1, 96, 128, 3\), \(1, 128, 96, 3\), "):
        model.infer(np.zeros((1, 64, 64, 3), np.uint8))
    assert fits(path, onnx_file)


def test_two_files_and_nothing_else(engine):
    assert {path.name for path in engine[0].parent.iterdir()} == {
        "cache",
        "tiny.engine",
        "tiny.engine.json",
    }


def test_timings_are_kept_for_the_next_build(engine, trt, exported, tmp_path):
    export(RECIPE, tmp_path / "again.engine", onnx_file=exported[0])
    built = [entry for entry in trt.LOG if entry.startswith("built")]
    assert built == ["built from timings b''", "built from timings b'timings'"]


@pytest.fixture
def timings(engine, tmp_path):
    """The file in which they were kept."""
    (file,) = (tmp_path / "cache" / "tensorrt").iterdir()
    return file


def test_damaged_timings_are_measured_anew_and_kept(
    engine, trt, timings, exported, tmp_path, capfd
):
    whole = timings.read_bytes()
    for damaged in (whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], b"timings", b""):
        timings.write_bytes(damaged)
        trt.LOG.clear()
        export(RECIPE, tmp_path / "again.engine", onnx_file=exported[0])
        assert "built from timings b''" in trt.LOG
        assert "are damaged; kernels are timed anew" in capfd.readouterr().err
        assert timings.read_bytes() == whole


def test_timings_that_tensorrt_refuses_are_measured_anew(
    engine, trt, timings, exported, tmp_path, capfd
):
    trt.BROKEN.add("timings")
    trt.LOG.clear()
    export(RECIPE, tmp_path / "again.engine", onnx_file=exported[0])
    assert "built from timings b''" in trt.LOG
    assert f"refuses the timings in {timings}" in capfd.readouterr().err


def test_an_engine_lies_on_the_device_that_was_asked_for(engine, trt):
    """The stand-in refuses contexts elsewhere, and a recording where no device was chosen."""
    trt.LOG.clear()
    EngineModel(engine[0], "cpu:0")
    assert "loaded on cpu:0" in trt.LOG


def test_what_differs_is_not_written(trt, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "TOLERANCE", 0)
    with pytest.raises(ParityError, match="nothing was written"):
        export(RECIPE, tmp_path / "tiny.engine", onnx_file=exported[0])
    assert not list(tmp_path.glob("*.engine*"))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("parse", "TensorRT 10.16.1.11 cannot read .*no plugin"),
        ("build", "cannot build an engine of .* on NVIDIA Fake"),
        ("execute", "could not run"),
        ("context", "no memory for the engine"),
        ("profile", "refuses the engine's profile"),
        ("shape", "refuses the engine's shape"),
        ("address", "refuses the engine's address"),
        ("inputs", r"refuses inputs \(1, 96, 128, 3\) of"),
    ],
)
def test_what_tensorrt_refuses_is_one_error(trt, exported, tmp_path, broken, message):
    trt.BROKEN.add(broken)
    with pytest.raises(DeviceError, match=message):
        export(RECIPE, tmp_path / "tiny.engine", onnx_file=exported[0])
    assert not list(tmp_path.glob("*.engine*"))


CHANGES = {
    "gpu": ("torch.cuda.get_device_name", lambda: "NVIDIA Other"),
    "capability": ("torch.cuda.get_device_capability", lambda: (8, 9)),
    "version": ("fake_tensorrt.__version__", "11.4.0.106"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_engine_of_another_machine_is_not_loaded(engine, trt, exported, monkeypatch, change):
    path, _ = engine
    assert fits(path, exported[0])
    monkeypatch.setattr(*CHANGES[change])
    trt.LOG.clear()
    assert not fits(path, exported[0])
    with pytest.raises(ModelFileError, match="was built for NVIDIA Fake .* run fastdepth-export"):
        EngineModel(path)
    assert trt.LOG == []


def test_an_engine_of_another_model_does_not_fit(engine, exported, tmp_path):
    other = onnx.load(exported[0])
    other.graph.name = "other"
    onnx.save(other, tmp_path / "other.onnx")
    assert not fits(engine[0], tmp_path / "other.onnx")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tiny.engine", b"engine of someone else", "is not the engine of"),
        ("tiny.engine", None, "does not exist"),
        ("tiny.engine.json", b"{", "is not JSON"),
        ("tiny.engine.json", b"{}", "missing required field"),
        ("tiny.engine.json", None, "does not exist"),
    ],
)
def test_spoiled_files_are_not_loaded(engine, trt, exported, name, content, message):
    path, _ = engine
    spoiled = path.with_name(name)
    spoiled.unlink() if content is None else spoiled.write_bytes(content)
    trt.LOG.clear()
    assert not fits(path, exported[0])
    with pytest.raises(ModelFileError, match=message):
        EngineModel(path)
    assert trt.LOG == []


def test_an_engine_that_tensorrt_will_not_load(engine, trt):
    trt.BROKEN.add("deserialize")
    with pytest.raises(ModelFileError, match="cannot load"):
        EngineModel(engine[0])


def test_the_image_is_cast_first_and_nothing_else_changes(exported, tiny, tmp_path):
    """TensorRT takes uint8 into a cast alone."""
    changed = cast_first(onnx.load(exported[0]))
    onnx.checker.check_model(changed, full_check=True)
    assert changed.graph.node[0].op_type == "Cast"
    assert [node.op_type for node in changed.graph.node if "image" in node.input] == ["Cast"]
    onnx.save(changed, tmp_path / "m.onnx")
    image = render_room(3, tiny.size).image[None]
    expected = fastdepth.load(exported[0], threads=1).infer(image)
    got = fastdepth.load(tmp_path / "m.onnx", threads=1).infer(image)
    np.testing.assert_array_equal(got, expected)
    again = onnx.ModelProto.FromString(changed.SerializeToString())
    assert cast_first(again) == changed


def test_without_a_gpu_or_tensorrt_it_says_what_to_do(exported, tmp_path, monkeypatch, trt):
    recipe = replace(RECIPE, variant="tiny")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="built on the GPU that runs them; use --format onnx"):
        export(recipe, tmp_path / "m.engine", onnx_file=exported[0])
    monkeypatch.delitem(__import__("sys").modules, "tensorrt")
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[tensorrt\]'"):
        export(recipe, tmp_path / "m.engine", onnx_file=exported[0])
