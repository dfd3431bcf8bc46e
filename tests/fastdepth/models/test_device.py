"""Devices by name, and what they compute quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fastdepth.errors import UsageError
from fastdepth.models.device import computes_bf16, open_device

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_the_cpu_is_always_there() -> None:
    assert open_device("cpu") == CPU


@pytest.mark.parametrize("name", ["", "gpu", "cpu:0", "cuda:x", "mps"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="none of cpu, cuda, cuda:N"):
        open_device(name)


def test_gpus_compute_bfloat16_and_a_cpu_without_onednn_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert computes_bf16(GPU)
    assert not computes_bf16(CPU)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs Linux")
def test_a_cpu_without_instructions_for_bfloat16_is_told_apart() -> None:
    words = set(Path("/proc/cpuinfo").read_text().split())
    if {"avx512f", "avx512bw", "avx512vl"} <= words:
        assert computes_bf16(CPU)
    elif "avx2" in words and "avx_ne_convert" not in words:
        assert not computes_bf16(CPU)
    assert type(computes_bf16(CPU)) is bool


FAULTS = """
import resource, sys, torch
from fastdepth.models.device import keep_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.zeros(4 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = faults()
keep_memory()
faults()
print(before, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_kept_memory_is_not_asked_for_anew() -> None:
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    anew, kept = map(int, done.stdout.split())
    assert kept < anew / 10
