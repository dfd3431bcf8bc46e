"""The doctor tells what is there, what works and what to install."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest

from fastdepth_bench.machine import doctor
from fastdepth_export.targets import TARGETS


def test_tells_versions_and_providers() -> None:
    text = doctor.report()
    assert f"numpy {version('numpy')}" in text
    assert "CPUExecutionProvider: works" in text
    assert "CPU: " in text
    assert "GPU: " in text


def test_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"onnxsim", "onnxruntime"}
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in missing else object())
    text = doctor.report()
    assert "missing: onnxsim, onnxruntime; run: pip install 'fastdepth[bench,cpu]'" in text
    assert "ONNX Runtime is not installed" in text


def test_works_without_torch_and_onnxruntime(bare_command: Callable[..., Any]) -> None:
    done = bare_command("--doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "missing: torch, onnx, onnxruntime" in done.stdout
    assert "pip install 'fastdepth[bench,cpu]'" in done.stdout


def test_a_line_for_every_runtime() -> None:
    lines = {
        line.partition(":")[0]: line
        for line in doctor.report().splitlines()
        if line.startswith("runtime ")
    }
    assert list(lines) == [f"runtime {name}" for name in TARGETS]
    for name in ("torch", "onnxruntime", "openvino"):
        assert "cpu works" in lines[f"runtime {name}"]
    if not TARGETS["tensorrt"].installed:
        assert "pip install 'fastdepth[tensorrt]'" in lines["runtime tensorrt"]
