"""ExecuTorch's file: metadata inside, compared with PyTorch, or not written.

ExecuTorch is large; the tests that are not slow have a stand-in for its converter and its runtime.
"""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch

from fastdepth.errors import ImageError, MissingExtraError, ModelFileError, ParityError
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export
from fastdepth_export.formats.behind import write_with
from fastdepth_export.formats.executorch_program import ExecuTorchModel, _part
from fastdepth_export.network import build_network
from fastdepth_export.verify import run_network

RECIPE = ExportRecipe("tiny", format="executorch")
PROGRAM = b"\x38\0\0\0ET12" + bytes(64)


class FakeMethod:
    """Runs what the fake converter was given last."""

    module = None
    broken = False
    threads: ClassVar[list[int]] = []

    def execute(self, inputs):
        (image,) = inputs
        assert image.dtype == torch.uint8
        if image.shape[1:3] != (96, 128):
            raise RuntimeError("Failed to execute method forward, error: 0x12")
        with torch.no_grad():
            depth = self.module(image)
        return [torch.full_like(depth, 2) if self.broken else depth]


@pytest.fixture
def executorch(network, monkeypatch):
    """The package, as far as it is called."""

    def lower(exported, partitioner):
        assert partitioner == ["XNNPACK"]
        monkeypatch.setattr(FakeMethod, "module", exported)
        return SimpleNamespace(to_executorch=lambda: SimpleNamespace(buffer=PROGRAM))

    def load(program):
        if program != PROGRAM:
            raise RuntimeError("Failed to load program, error: 0x23")
        return SimpleNamespace(load_method=lambda name: FakeMethod())

    monkeypatch.setattr(torch.export, "export", lambda module, images: module)
    monkeypatch.setattr("fastdepth_export.network.build_network", lambda recipe: network)
    contents = {
        "executorch": {},
        "executorch.exir": {"to_edge_transform_and_lower": lower},
        "executorch.backends.xnnpack.partition.xnnpack_partitioner": {
            "XnnpackPartitioner": lambda: "XNNPACK"
        },
        "executorch.extension.pybindings.portable_lib": {
            "_threadpool_get_thread_count": lambda: 2,
            "_unsafe_reset_threadpool": FakeMethod.threads.append,
        },
        "executorch.runtime": {
            "Runtime": SimpleNamespace(get=lambda: SimpleNamespace(load_program=load))
        },
    }
    for name, members in contents.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    return sys.modules["executorch.exir"]


@pytest.fixture
def built(executorch, tmp_path):
    """A .pte and its metadata."""
    path = tmp_path / "tiny.pte"
    return path, export(RECIPE, path)


def test_the_metadata_lie_behind_the_program(built, network, images):
    path, metadata = built
    assert path.read_bytes().startswith(PROGRAM)
    assert zipfile.ZipFile(path).namelist() == ["fastdepth.json"]
    model = ExecuTorchModel(path, threads=1)
    assert FakeMethod.threads[-1:] == [1]
    assert model.metadata == metadata
    assert (metadata.batch, metadata.opset) == (1, None)
    expected = run_network(network, images[:2])["depth"]
    np.testing.assert_allclose(model.infer(images[:2]), expected, atol=1e-4)
    with pytest.raises(ImageError, match="this model takes uint8"):
        model.infer(images[:, 1:])


def test_a_program_that_executorch_cannot_read_is_one_line(built):
    path, metadata = built
    write_with(path, b"no program", metadata)
    with pytest.raises(ModelFileError, match="cannot be read by ExecuTorch.*error: 0x23"):
        ExecuTorchModel(path)


def test_a_size_that_is_not_the_programs_is_one_line(built):
    path, metadata = built
    write_with(path, PROGRAM, replace(metadata, sizes=(Size(64, 128),)))
    with pytest.raises(ModelFileError, match="tiny.pte cannot run in ExecuTorch; .*error: 0x12"):
        ExecuTorchModel(path).infer(np.zeros((1, 64, 128, 3), np.uint8))


def test_a_runtime_that_answers_one_depth_writes_nothing(executorch, monkeypatch, tmp_path):
    monkeypatch.setattr(FakeMethod, "broken", True)
    with pytest.raises(ParityError, match="is constant: 2 m.*nothing was written"):
        export(RECIPE, tmp_path / "tiny.pte")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_converted_is_one_line(executorch, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise RuntimeError("Missing out variants:\n {'aten::exotic'}")

    monkeypatch.setattr(executorch, "to_edge_transform_and_lower", fail)
    with pytest.raises(
        ParityError, match=r"cannot convert tiny \(Missing out variants: {'aten::ex"
    ):
        export(RECIPE, tmp_path / "tiny.pte")


def test_what_is_missing_is_named_with_its_pip_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "executorch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[executorch\]'"):
        export(RECIPE, tmp_path / "tiny.pte")


@pytest.mark.slow
def test_executorch_itself(images, tmp_path):
    """Where the extra executorch is installed."""
    pytest.importorskip("executorch", reason="it is an extra that the tests do not need")
    path = tmp_path / "tiny.pte"
    export(RECIPE, path)
    expected = run_network(build_network(RECIPE), images[:1])["depth"]
    model = ExecuTorchModel(path, threads=1)
    np.testing.assert_allclose(model.infer(images[:1]), expected, atol=1e-4)
    program = _part("runtime").Runtime.get().load_program(path)  # as an app opens it
    (depth,) = program.load_method("forward").execute([torch.from_numpy(images[:1])])
    np.testing.assert_allclose(depth.numpy(), expected, atol=1e-4)
