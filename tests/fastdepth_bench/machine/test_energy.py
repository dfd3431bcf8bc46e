"""Joules are those of the whole device, each counted once, or there are none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_nvml import FakeNvml

from fastdepth_bench.machine import energy
from fastdepth_bench.machine.energy import EnergyMeter

Write = Callable[..., None]


@pytest.fixture
def meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Sets a meter of RAPL [uJ]."""
    monkeypatch.setattr(energy, "_POWERCAP", tmp_path)

    def write(folder: str, name: str, microjoules: int, highest: int = 1_000_000_000) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "name").write_text(f"{name}\n")
        (tmp_path / folder / "energy_uj").write_text(f"{microjoules}\n")
        (tmp_path / folder / "max_energy_range_uj").write_text(f"{highest}\n")

    return write


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


def test_each_package_counts_once(meter: Write) -> None:
    """Not their parts, the platform that holds them, or what tells the same another way."""

    def write(used: int) -> None:
        meter("intel-rapl:0", "package-0", 100 + used * 2_000_000)
        meter("intel-rapl:1", "package-1", 700 + used * 3_000_000)
        for folder, name in (
            ("intel-rapl:0:0", "core"),
            ("intel-rapl:2", "psys"),
            ("intel-rapl-mmio:0", "package-0"),
            ("intel-rapl", "control"),
        ):
            meter(folder, name, used * 50_000_000)

    write(0)
    with EnergyMeter() as found:
        assert found.joules is None
        write(1)
    assert found.joules == pytest.approx(5)
    assert found.source == "RAPL package-0, RAPL package-1"


def test_a_counter_that_starts_again(meter: Write) -> None:
    meter("intel-rapl:0", "package-0", 262_143_000_000, highest=262_143_328_850)
    with EnergyMeter() as found:
        meter("intel-rapl:0", "package-0", 1_671_150, highest=262_143_328_850)
    assert found.joules == pytest.approx(2.0)


def test_no_meter(meter: Write) -> None:
    with EnergyMeter() as found:
        pass
    assert (found.joules, found.source) == (None, "")


@pytest.mark.parametrize("closed", ["intel-rapl:0", "intel-rapl:1"])
def test_one_closed_meter_leaves_no_figure(
    meter: Write, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter("intel-rapl:0", "package-0", 0)
    meter("intel-rapl:1", "package-1", 0)
    read_text = Path.read_text

    def guarded(path: Path) -> str:
        if path.name == "energy_uj" and path.parent.name == closed:
            raise PermissionError(13, "Permission denied")
        return read_text(path)

    monkeypatch.setattr(Path, "read_text", guarded)
    with EnergyMeter() as found:
        pass
    assert (found.joules, found.source) == (None, "")


def test_a_gpu_and_the_processor_that_feeds_it(meter: Write, nvml: FakeNvml) -> None:
    meter("intel-rapl:0", "package-0", 0)
    nvml.millijoules = 10_000
    with EnergyMeter("cuda:1") as found:
        meter("intel-rapl:0", "package-0", 1_000_000)
        nvml.millijoules = 14_500
    assert found.joules == pytest.approx(5.5)
    assert found.source == "RAPL package-0, NVML cuda:1"


def test_a_gpu_alone(meter: Write, nvml: FakeNvml) -> None:
    with EnergyMeter("cuda") as found:
        nvml.millijoules = 2500
    assert (found.joules, found.source) == (2.5, "NVML cuda")


def test_the_processor_is_no_substitute_for_a_gpu(meter: Write, nvml: FakeNvml) -> None:
    meter("intel-rapl:0", "package-0", 0)
    nvml.millijoules = None
    with EnergyMeter("cuda") as found:
        meter("intel-rapl:0", "package-0", 1_000_000)
    assert (found.joules, found.source) == (None, "")
