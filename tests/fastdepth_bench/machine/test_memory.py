"""Peaks are this process's own, whoever started it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_nvml import FakeNvml

from fastdepth_bench.machine import memory
from fastdepth_bench.machine.memory import GpuMemory, peak_resident_bytes

linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")


@linux
def test_the_peak_sees_what_was_used_and_given_back() -> None:
    """In a process of its own, so that the test does not need more than all tests before it."""
    code = (
        "from fastdepth_bench.machine.memory import peak_resident_bytes;"
        "before = peak_resident_bytes(); large = bytearray(b'x') * 400_000_000; del large;"
        "print(before, peak_resident_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    assert 390_000_000 < after - before < 420_000_000


@linux
def test_a_child_does_not_inherit_the_peak_of_its_parent() -> None:
    """The parent is large when it starts the child, which says its peak."""
    parent = (
        "import subprocess, sys; large = bytearray(b'x') * 400_000_000;"
        "subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    )
    child = "from fastdepth_bench.machine import memory; print(memory.peak_resident_bytes())"
    words = [sys.executable, "-c", parent, child]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert 5_000_000 < int(done.stdout) < 300_000_000


def test_a_system_without_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "none")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert peak_resident_bytes() is None


def test_the_peak_is_linux_high_water_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PROCESS", tmp_path)
    (tmp_path / "status").write_text("VmPeak:\t 9 kB\nVmHWM:\t  1740 kB\nVmRSS:\t 3 kB\n")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert peak_resident_bytes() == 1740 * 1024


def test_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    usage = SimpleNamespace(ru_maxrss=5000)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert peak_resident_bytes() == 5000
    monkeypatch.setattr(platform, "system", lambda: "FreeBSD")
    assert peak_resident_bytes() == 5000 * 1024
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setitem(sys.modules, "psutil", None)  # importing it fails
    assert peak_resident_bytes() is None
    process = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=7000))
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(Process=lambda: process))
    assert peak_resident_bytes() == 7000


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_the_highest_of_many_looks_counts(nvml: FakeNvml) -> None:
    usages, highest_seen = [100, 900, 300], threading.Event()

    def look() -> None:
        nvml.by_process = {os.getpid(): usages.pop(0) if usages else 200, 1: 5000}
        if not usages:
            highest_seen.set()

    nvml.before_each = look
    with GpuMemory("cuda", interval=1e-4) as found:
        assert highest_seen.wait(10)
    assert found.peak_bytes == 900


def test_a_short_block_is_looked_at_when_it_ends(nvml: FakeNvml) -> None:
    nvml.by_process = {os.getpid(): 70}
    with GpuMemory("cuda", interval=60) as found:
        assert found.peak_bytes is None
    assert found.peak_bytes == 70


def test_in_a_container_the_gpu_tells_where_it_is_ours_alone(nvml: FakeNvml) -> None:
    nvml.used = 1000
    with GpuMemory("cuda", interval=60) as found:
        nvml.used, nvml.by_process = 4000, {os.getpid() + 1: None}
    assert found.peak_bytes == 3000


def test_in_a_container_with_others_nobody_can_tell(nvml: FakeNvml) -> None:
    with GpuMemory("cuda", interval=60) as found:
        nvml.used, nvml.by_process = 4000, {os.getpid() + 1: 30, os.getpid() + 2: 40}
    assert found.peak_bytes is None


def test_without_a_gpu_nothing_is_looked_at(nvml: FakeNvml) -> None:
    with GpuMemory("cpu", interval=1e-4) as found:
        pass
    assert (found.peak_bytes, nvml.opened) == (None, [])
    nvml.used = nvml.by_process = None
    with GpuMemory("cuda", interval=60) as found:
        pass
    assert found.peak_bytes is None
