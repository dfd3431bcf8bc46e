"""CUDA's provider has its libraries and computes in fp32; a stand-in is in its place."""

from __future__ import annotations

from pathlib import Path

import fake_onnxruntime
import numpy as np
import pytest

from fastdepth.runtime.model import load


@pytest.mark.parametrize("torch", [True, False])
def test_fp32_on_a_gpu_is_fp32(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch, torch: bool
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 48, 64, 3), np.uint8)
    expected = load(tiny_file, threads=1).infer(image)
    fake_onnxruntime.install(monkeypatch, torch=torch)
    model = load(tiny_file, provider="cuda", threads=1)
    assert model.provider == "cuda"
    assert np.abs(model.infer(image) - expected).max() < 1e-4


def test_libraries_are_loaded_once_nobody_else_has_and_quietly(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cuda = fake_onnxruntime.install(monkeypatch, torch=False)
    load(tiny_file, threads=1)
    assert not cuda.loaded
    load(tiny_file, provider="cuda", threads=1)
    assert cuda.loaded
    assert capsys.readouterr() == ("", "")


def test_pytorch_brings_its_libraries_along(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = fake_onnxruntime.install(monkeypatch, torch=True)
    monkeypatch.setattr(cuda, "preload_dlls", lambda: pytest.fail("loaded twice"))
    assert load(tiny_file, provider="cuda", threads=1).provider == "cuda"


def test_a_release_that_cannot_load_them(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = fake_onnxruntime.install(monkeypatch, torch=False)
    monkeypatch.delattr("onnxruntime.preload_dlls")
    cuda.loaded = True  # by the system
    assert load(tiny_file, provider="cuda", threads=1).provider == "cuda"
