"""The GPU that is asked is the one that CUDA calls by this number."""

from __future__ import annotations

import sys

import pytest
from fake_nvml import FakeNvml

from fastdepth_bench.machine.nvml import Gpu


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_figures_are_bytes_and_joules(nvml: FakeNvml) -> None:
    gpu = Gpu.open("cuda")
    assert gpu is not None
    nvml.millijoules, nvml.used, nvml.by_process = 1500, 70, {12: 30, 13: None}
    assert (gpu.joules(), gpu.used_bytes(), gpu.processes()) == (1.5, 70, {12: 30, 13: None})


def test_what_the_driver_does_not_support_is_none(nvml: FakeNvml) -> None:
    gpu = Gpu.open("cuda")
    assert gpu is not None
    nvml.millijoules = nvml.used = nvml.by_process = None
    assert (gpu.joules(), gpu.used_bytes(), gpu.processes()) == (None, None, {})


@pytest.mark.parametrize(
    ("visible", "device", "opened"),
    [
        (None, "cuda", 0),
        (None, "cuda:2", 2),
        ("", "cuda:1", 1),
        ("3,1", "cuda", 3),
        ("3, 1", "cuda:1", 1),
        ("GPU-5ab,0", "cuda:0", "GPU-5ab"),
    ],
)
def test_numbers_are_those_of_cuda(
    nvml: FakeNvml,
    monkeypatch: pytest.MonkeyPatch,
    visible: str | None,
    device: str,
    opened: int | str,
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert Gpu.open(device) is not None
    assert nvml.opened == [opened]


def test_no_gpu(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Gpu.open("cpu") is None
    assert Gpu.open("cuda:9") is None  # the driver knows no such GPU
    nvml.works = False
    assert Gpu.open("cuda") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it fails
    assert Gpu.open("cuda") is None
