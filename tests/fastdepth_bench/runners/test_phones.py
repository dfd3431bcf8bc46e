"""Runners of files for phones: what is timed is the exported file, on the CPU alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fastdepth.errors import DeviceError, MissingExtraError, UsageError
from fastdepth_bench.case import Case
from fastdepth_bench.runners.opening import check_target, open_runner, refusal
from fastdepth_export import targets
from fastdepth_export.targets import check_runtime, get_target

MODELS = {
    "ncnn": "ncnn_net.NcnnModel",
    "litert": "litert_model.LiteRtModel",
    "coreml": "coreml_package.CoreMlModel",
    "executorch": "executorch_program.ExecuTorchModel",
}


@pytest.mark.parametrize("name", MODELS)
def test_it_opens_what_was_exported(name: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[Path, int | None]] = []

    def fake(path: Path, threads: int | None = None) -> SimpleNamespace:
        opened.append((path, threads))
        return SimpleNamespace(infer=lambda batch: batch[..., :1].transpose(0, 3, 1, 2))

    monkeypatch.setattr(
        "fastdepth_bench.runners.cache.exported", lambda recipe: Path(recipe.format)
    )
    monkeypatch.setattr(f"fastdepth_export.formats.{MODELS[name]}", fake)
    with open_runner(replace(case, runtime=name, threads=2)) as runner:
        assert runner.infer(np.zeros((1, 4, 6, 3), np.uint8)).shape == (1, 1, 4, 6)
        assert runner.on_device() is None
    assert opened == [(Path(name), 2)]


@pytest.mark.parametrize("name", MODELS)
def test_there_is_no_gpu(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} runs on cpu alone"):
        check_runtime(name, "cuda")


def test_what_runs_files_but_cannot_write_them_is_not_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "find_spec", lambda name: name != "litert_torch" or None)
    assert not get_target("litert").installed
    assert get_target("executorch").installed
    with pytest.raises(MissingExtraError, match="^litert_torch is not installed; .* litert-torch"):
        check_target(get_target("litert"), "cpu")


def test_core_ml_needs_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "sys", SimpleNamespace(platform="linux"))
    target = get_target("coreml")
    assert not target.installed  # so that it is left out of what runs by default
    with pytest.raises(DeviceError, match="coreml runs on a Mac alone, and this is linux"):
        check_target(target, "cpu")
    monkeypatch.setattr(targets, "sys", SimpleNamespace(platform="darwin"))
    assert "a Mac alone" not in refusal(target, "cpu")
