"""The machine that figures were measured on, and whether it had other work to do."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import fastdepth

PACKAGES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "onnx",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
)

BUSY = 0.5
"""Cores used by other processes from which figures are marked as taken on a busy machine."""


@dataclass(frozen=True)
class Environment:
    """Where and when a run was made.

    Attributes:
        cpu: model of the processor.
        cores: logical cores of the machine.
        usable_cores: those that this process may use.
        gpus: models of the NVIDIA GPUs, with their drivers.
        os: system and release.
        python: version.
        packages: versions by name; None where it is not installed.
        fastdepth: version.
        commit: git commit of the checkout, with ``+changes`` where files differ; None elsewhere.
        governor: CPU frequency governor, where it can be read.
        date: start of the run, UTC.
        load_before: average number of runnable processes in the minute before, where known.
        load_after: the same after the run, own work included.
        other_load: cores that other processes used on average during the run, where known.
        busy: whether that is more than ``BUSY``.
    """

    cpu: str
    cores: int
    usable_cores: int
    gpus: tuple[str, ...]
    os: str
    python: str
    packages: dict[str, str | None]
    fastdepth: str
    commit: str | None
    governor: str | None
    date: str
    load_before: float | None
    load_after: float | None
    other_load: float | None
    busy: bool

    def as_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Environment:
        """What :meth:`as_dict` gave; keys that a later fastdepth added are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in entries.items() if key in known})

    def describe(self) -> str:
        """One line to print below a table."""
        versions = ", ".join(f"{name} {found}" for name, found in self.packages.items() if found)
        where = [self.cpu, f"{self.usable_cores} of {self.cores} cores", *self.gpus, self.os]
        commit = f" ({self.commit[:12]}{'+' if '+' in self.commit else ''})" if self.commit else ""
        return (
            f"{'; '.join(where)}; Python {self.python}, {versions}; "
            f"fastdepth {self.fastdepth}{commit}; {self.date}"
        )


class EnvironmentRecorder:
    """Watches the machine from its making until :meth:`finish`."""

    def __init__(self) -> None:
        self._date = datetime.now(UTC).isoformat(timespec="seconds")
        self._load = _load_average()
        self._start = _Clock.now()

    def finish(self) -> Environment:
        """The environment of the run that ends here."""
        other = self._start.other_cores(_Clock.now())
        load = other if other is not None else self._load
        return Environment(
            cpu=cpu_model(),
            cores=os.cpu_count() or 1,
            usable_cores=usable_cores(),
            gpus=gpus(),
            os=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            packages={name: package_version(name) for name in PACKAGES},
            fastdepth=fastdepth.__version__,
            commit=git_commit(Path(__file__)),
            governor=_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            date=self._date,
            load_before=self._load,
            load_after=_load_average(),
            other_load=other,
            busy=load is not None and load > BUSY,
        )


@dataclass(frozen=True)
class _Clock:
    """Time on the wall, of this process, and of all work on the cores that it may use [s]."""

    wall: float
    own: float
    all: float | None

    @classmethod
    def now(cls) -> Self:
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return cls(time.monotonic(), own, _busy_seconds())

    def other_cores(self, end: _Clock) -> float | None:
        """Cores that other processes used on average until ``end``."""
        wall = end.wall - self.wall
        if self.all is None or end.all is None or wall <= 0:
            return None
        return max(0.0, (end.all - self.all) - (end.own - self.own)) / wall


def _busy_seconds() -> float | None:
    """Time that the usable cores have worked since boot [s], where Linux tells."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
        tick, mine = os.sysconf("SC_CLK_TCK"), {f"cpu{index}" for index in os.sched_getaffinity(0)}
    except (OSError, AttributeError, ValueError):
        return None
    cores = [line.split() for line in lines if line.partition(" ")[0] in mine]
    # user nice system idle iowait irq softirq steal; guest time is counted in user already
    worked = sum(int(value) for core in cores for value in (*core[1:4], *core[6:9]))
    return worked / tick if cores else None


def usable_cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """Model of the processor as the system names it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model", "Hardware")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def gpus() -> tuple[str, ...]:
    """NVIDIA GPUs by the driver's own account, without torch."""
    return tuple(
        _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
        .replace(", ", ", driver ")
        .splitlines()
    )


def package_version(name: str) -> str | None:
    """Installed version of a package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git_commit(path: Path) -> str | None:
    """Commit of the checkout that tracks this file; None where it is installed elsewhere."""
    folder = str(path.parent)
    if not _output("git", "-C", folder, "ls-files", path.name):
        return None
    commit = _output("git", "-C", folder, "rev-parse", "HEAD")
    changes = _output("git", "-C", folder, "status", "--porcelain", "--untracked-files=no")
    return commit + "+changes" if commit and changes else commit or None


def _output(*command: str) -> str:
    """What a program prints; nothing where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _first_line(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
