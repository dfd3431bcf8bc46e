"""What an application embeds runs where torch is not installed, and never imports it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import fastdepth

WITHOUT_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
import numpy
import fastdepth

model = fastdepth.load(sys.argv[1], threads=1)
depth = model(numpy.full((96, 128, 3), 50, numpy.uint8))
print(depth.shape, round(float(depth.mean()), 3))
"""

NEVER_IMPORTED = """
import importlib, sys

for name in sys.argv[1:]:
    importlib.import_module(name)
    found = {"torch", "torchvision", "timm"} & set(sys.modules)
    assert not found, f"{name} imports {found}"
print("none")
"""

TELEMETRY = """
import os, sys

import fastdepth
import numpy

fastdepth.load(sys.argv[1], threads=1)(numpy.zeros((48, 64, 3), numpy.uint8))
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""

EMBEDDED = [
    "",
    ".variants",
    ".metrics",
    ".weights",
    ".data",
    ".images.collection",
    ".images.parallel",
    ".predict",
    ".video.streaming",
]


def run(program: str, *arguments: str) -> str:
    """What a fresh process prints that can import fastdepth."""
    root = str(Path(fastdepth.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{program}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_depth_without_torch(tiny_file: Path) -> None:
    assert run(WITHOUT_TORCH, str(tiny_file)) == "(96, 128) 2.0"


def test_torch_is_never_imported() -> None:
    assert run(NEVER_IMPORTED, *(f"fastdepth{name}" for name in EMBEDDED)) == "none"


def test_no_telemetry_unless_the_user_says_so(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime's stores a number of the device below the cache folder."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    assert run(TELEMETRY, str(tiny_file)) == "1"
    assert list((tmp_path / "home").rglob("*")) == []
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert run(TELEMETRY, str(tiny_file)) == "0"


@pytest.mark.parametrize("package", ["fastdepth", "fastdepth_export", "fastdepth_bench"])
def test_telemetry_is_off_before_onnxruntime_is_imported(package: str) -> None:
    program = """
import builtins, os, sys

real = builtins.__import__

def watched(name, *arguments, **others):
    if name.partition(".")[0] == "onnxruntime":
        assert os.environ.get("ORT_DISABLE_TELEMETRY") == "1", name
    return real(name, *arguments, **others)

builtins.__import__ = watched
real(sys.argv[1])
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""
    assert run(program, package) == "1"


def test_public_names_exist() -> None:
    assert all(hasattr(fastdepth, name) for name in fastdepth.__all__)
