"""Engines are built, opened and weighed on the GPU of their row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_tensorrt
import pytest

from fastdepth_bench.case import Case
from fastdepth_bench.runners import tensorrt
from fastdepth_bench.runners.tensorrt import TensorRtRunner


def test_everything_happens_on_the_row_s_device(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tensorrt.install(monkeypatch)
    seen: list[str] = []

    def note(*_: object) -> Path:
        seen.append(fake_tensorrt.CUDA.device_in_use)
        return tmp_path

    monkeypatch.setattr("fastdepth_bench.runners.cache.exported", note)
    monkeypatch.setattr("fastdepth_export.formats.tensorrt_engine.EngineModel", note)
    monkeypatch.setattr(tensorrt.FileRunner, "cost", note)
    runner = TensorRtRunner(replace(case, runtime="tensorrt", device="cuda:1"))
    runner.cost()
    assert seen == ["cuda:1"] * 3
    assert fake_tensorrt.CUDA.device_in_use == "the first"
