"""LiteRT's file: metadata inside, compared with PyTorch, or not written.

The converter has an environment of its own, for it does not go with our others; the tests that are
not slow have a stand-in for it and for the runtime.
"""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fastdepth.errors import (
    DataError,
    ImageError,
    MissingExtraError,
    ModelFileError,
    ParityError,
    UsageError,
)
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export, targets
from fastdepth_export.export import sensitivity
from fastdepth_export.formats.behind import write_with
from fastdepth_export.formats.litert_model import LiteRtModel
from fastdepth_export.network import build_network
from fastdepth_export.verify import run_network

RECIPE = ExportRecipe("tiny", format="litert")
GRAPH = b"\x1c\0\0\0TFL3" + bytes(64)
STUCK, GOOD = GRAPH + b"all", GRAPH + b"most"
INT8 = replace(RECIPE, precision="int8", calibration="rooms:2")


class FakeInterpreter:
    """Runs the network that the fake converter was given last."""

    network = None
    broken = False

    def __init__(self, model_content, num_threads):
        if not model_content.startswith(GRAPH):
            raise ValueError("Model provided has model identifier 'none', should be 'TFL3'")

        self.graph = model_content

    def allocate_tensors(self):
        return None

    def get_input_details(self):
        return [{"index": 0}]

    get_output_details = get_input_details

    def set_tensor(self, index, image):
        assert (index, image.dtype, image.shape[0]) == (0, np.uint8, 1)
        if image.shape[1:3] != (96, 128):
            raise ValueError("Cannot set tensor: Dimension mismatch. Got 64 but expected 96")
        self.image = image

    def invoke(self):
        depth = run_network(self.network, self.image)["depth"]
        broken = self.broken or self.graph == STUCK
        self.depth = np.full_like(depth, 2) if broken else depth

    def get_tensor(self, index):
        return self.depth


@pytest.fixture
def litert(network, monkeypatch):
    """The packages, as far as they are called."""

    def convert(module, sample_kwargs):
        print("litert-torch tells at length what it does")
        depth = module(**sample_kwargs)
        assert depth.shape == (1, 1, *sample_kwargs["image"].shape[1:3])
        return SimpleNamespace(export=lambda path: Path(path).write_bytes(GRAPH))

    monkeypatch.setattr(FakeInterpreter, "network", network)
    monkeypatch.setattr("fastdepth_export.network.build_network", lambda recipe: network)
    monkeypatch.setattr(targets, "find_spec", lambda name: "found")
    modules = {name: ModuleType(name) for name in ("litert_torch", "ai_edge_litert")}
    modules["ai_edge_litert.interpreter"] = ModuleType("ai_edge_litert.interpreter")
    modules["litert_torch"].convert = convert
    modules["ai_edge_litert.interpreter"].Interpreter = FakeInterpreter
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return modules


@pytest.fixture
def built(litert, tmp_path, capsys):
    """A .tflite and its metadata."""
    path = tmp_path / "tiny.tflite"
    metadata = export(RECIPE, path)
    assert capsys.readouterr().out == ""
    return path, metadata


def test_the_metadata_lie_behind_the_graph(built, network, images):
    path, metadata = built
    assert path.read_bytes().startswith(GRAPH)
    assert zipfile.ZipFile(path).namelist() == ["fastdepth.json"]
    model = LiteRtModel(path, threads=1)
    assert model.metadata == metadata
    assert (metadata.batch, metadata.opset) == (1, None)
    expected = run_network(network, images[:2])["depth"]
    np.testing.assert_allclose(model.infer(images[:2]), expected, atol=1e-5)
    with pytest.raises(ImageError, match="this model takes uint8"):
        model.infer(images[:, 1:])


def test_a_graph_that_litert_cannot_read_is_one_line(built):
    path, metadata = built
    write_with(path, b"no graph", metadata)
    with pytest.raises(ModelFileError, match="cannot be read by LiteRT.*should be 'TFL3'"):
        LiteRtModel(path)


def test_a_size_that_is_not_the_graphs_is_one_line(built):
    path, metadata = built
    write_with(path, GRAPH, replace(metadata, sizes=(Size(64, 128),)))
    with pytest.raises(ModelFileError, match="tiny.tflite cannot run in LiteRT; .*Dimension mis"):
        LiteRtModel(path).infer(np.zeros((1, 64, 128, 3), np.uint8))


def test_a_runtime_that_answers_one_depth_writes_nothing(litert, monkeypatch, tmp_path):
    monkeypatch.setattr(FakeInterpreter, "broken", True)
    with pytest.raises(ParityError, match="is constant: 2 m.*nothing was written"):
        export(RECIPE, tmp_path / "tiny.tflite")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_converted_is_one_line(litert, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("Lowering not found:\n aten.exotic")

    monkeypatch.setattr(litert["litert_torch"], "convert", fail)
    with pytest.raises(ParityError, match=r"cannot convert tiny \(Lowering not found: aten.exotic"):
        export(RECIPE, tmp_path / "tiny.tflite")


def test_what_is_missing_is_named_with_its_pip_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "find_spec", lambda name: None)
    message = r"install -c constraints.txt litert-torch, then: .* -e '.\[litert,cpu,bench\]'"
    with pytest.raises(MissingExtraError, match=message):
        export(RECIPE, tmp_path / "tiny.tflite")


def test_in_half_precision_nothing_is_told_on_stdout(litert, monkeypatch, tmp_path, capsys):
    def halve(file):
        print("Quantization Ratio: 0.52 (1.9x smaller)")
        print("Applying Transformations: 100%", file=sys.stderr)
        return file.read_bytes()

    monkeypatch.setattr("fastdepth_export.formats.litert_model._halve", halve)
    metadata = export(replace(RECIPE, precision="fp16"), tmp_path / "t.tflite", data="rooms:1")
    assert (metadata.precision, capsys.readouterr()) == ("fp16", ("", ""))


@pytest.fixture
def quantiser(litert, monkeypatch):
    """Graphs that it yields, and the images that it was given."""
    graphs, given = [STUCK, GOOD], []

    def in_8_bits(graph, images):
        assert graph == GRAPH
        given.extend(images)
        yield from graphs

    monkeypatch.setattr("fastdepth_export.formats.litert_int8.in_8_bits", in_8_bits)
    return graphs, given


def test_of_int8_the_first_graph_that_is_not_refused_is_written(quantiser, tiny, tmp_path):
    path = tmp_path / "tiny.tflite"
    metadata = export(INT8, path, data="rooms:1")
    assert path.read_bytes().startswith(GOOD)
    assert (metadata.quantisation, metadata.precision) == ("s8s8", "int8")
    assert metadata.calibration
    assert abs(metadata.d1_change) < 1e-4
    assert [image.shape for image in quantiser[1]] == [(1, *tiny.size, 3)] * 2


def test_int8_that_loses_too_much_is_not_written(quantiser, tmp_path):
    quantiser[0].remove(GOOD)
    with pytest.raises(ParityError, match="the int8 file does not follow the image"):
        export(INT8, tmp_path / "tiny.tflite", data="rooms:1")
    assert not list(tmp_path.iterdir())


def test_images_that_cannot_be_read_are_not_the_converters_fault(litert, monkeypatch, tmp_path):
    def read(source, size):
        yield np.zeros((1, *size, 3), np.uint8)
        raise DataError("room.png is damaged; copy it again")

    monkeypatch.setattr("fastdepth_export.compress.int8.at_size", read)
    with pytest.raises(DataError, match=r"^room.png is damaged; copy it again$"):
        export(INT8, tmp_path / "tiny.tflite", data="rooms:1")
    assert not list(tmp_path.iterdir())


def test_int8_that_is_forced_is_the_graph_that_needs_no_force(quantiser, monkeypatch, tmp_path):
    def loses(self, precision):
        tried.append(precision)
        return "" if len(tried) > 1 else "changes d1 by -0.0200 (allowed 0.01)"

    tried = []
    quantiser[0][:] = [GRAPH + b"early", GOOD]
    monkeypatch.setattr("fastdepth_export.compress.accuracy_loss.AccuracyLoss.problem", loses)
    path = tmp_path / "tiny.tflite"
    export(INT8, path, data="rooms:1", force=True)
    assert path.read_bytes().startswith(GOOD)


def test_int8_has_one_quantisation_and_no_blocks():
    with pytest.raises(UsageError, match="litert has 8 bits as s8s8 alone"):
        replace(INT8, quantisation="u8s8").resolved()
    with pytest.raises(UsageError, match="litert has no blocks.*use --format onnx"):
        sensitivity(INT8)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_converter_itself(precision, images, tmp_path):
    """In an environment that has litert-torch: see docs/phones.md."""
    pytest.importorskip("litert_torch", reason="it has an environment of its own")
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "tiny.tflite"
    recipe = ExportRecipe("tiny", format="litert", precision=precision, calibration="rooms:4")
    export(recipe, path, data="rooms:4")
    expected = run_network(build_network(RECIPE), images[:1])["depth"]
    allowed = {"fp32": 1e-4, "fp16": 1e-2, "int8": 0.3}[precision]
    np.testing.assert_allclose(LiteRtModel(path).infer(images[:1]), expected, atol=allowed)
    Interpreter(str(path)).allocate_tensors()  # as an app opens it, with what lies behind
