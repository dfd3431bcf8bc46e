"""The machine that figures were measured on, and whether it had other work to do."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import fastdepth
from fastdepth.images.parallel import usable_cores
from fastdepth_bench.results.environment import Environment

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

VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "NVIDIA_TF32_OVERRIDE",
)
"""Environment variables by which threads and GPUs work otherwise than by default."""

_ROOT = Path("/")
_CORES = "sys/devices/system/cpu"

INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
)
"""Flags of /proc/cpuinfo by which processors of one name differ several times in speed."""

_GPU_FIGURES = {
    "sm_mhz": "clocks.sm",
    "max_sm_mhz": "clocks.max.sm",
    "memory_mhz": "clocks.mem",
    "power_limit_watts": "power.limit",
}
"""Keys of :attr:`Environment.gpu_clocks`, and what nvidia-smi calls them."""

BUSY = 0.5
"""Cores used by other processes from which figures are marked as taken on a busy machine."""


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
        mhz, max_mhz = cpu_clocks()
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
            governor=_read(f"{_CORES}/cpu0/cpufreq/scaling_governor"),
            date=self._date,
            load_before=self._load,
            load_after=_load_average(),
            other_load=other,
            busy=load is not None and load > BUSY,
            cpu_mhz=mhz,
            cpu_max_mhz=max_mhz,
            turbo=turbo(),
            affinity=affinity(),
            gpu_clocks=gpu_clocks(),
            variables={name: os.environ[name] for name in VARIABLES if name in os.environ},
            memory_bytes=memory_bytes(),
            instructions=instructions(),
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


def affinity() -> tuple[int, ...]:
    """Numbers of the logical cores that this process may use; empty where nobody tells."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return ()


def cpu_clocks() -> tuple[float | None, float | None]:
    """Mean clock of the usable cores now, and the highest that any of them can have [MHz].

    From Linux's cpufreq; a virtual machine often has none and tells the first in /proc/cpuinfo.
    """
    folders = [f"{_CORES}/cpu{core}/cpufreq" for core in affinity()]
    now = _megahertz(f"{folder}/scaling_cur_freq" for folder in folders)
    highest = _megahertz(f"{folder}/cpuinfo_max_freq" for folder in folders)
    now = now or _cpuinfo_megahertz()
    return sum(now) / len(now) if now else None, max(highest, default=None)


def _megahertz(files: Iterable[str]) -> list[float]:
    """Clocks [MHz] from those files of cpufreq [kHz] that can be read."""
    return [int(text) / 1000 for text in map(_read, files) if text and text.isdecimal()]


def _cpuinfo_megahertz() -> list[float]:
    """Clocks of the usable cores [MHz] from /proc/cpuinfo, in which a blank line ends a core."""
    clocks = []
    for block in (_read("proc/cpuinfo") or "").split("\n\n"):
        entries = {
            key.strip(): value.strip()
            for key, _, value in (line.partition(":") for line in block.splitlines())
        }
        if {"processor", "cpu MHz"} <= entries.keys() and int(entries["processor"]) in affinity():
            clocks.append(float(entries["cpu MHz"]))
    return clocks


def turbo() -> bool | None:
    """Whether cores may exceed their base clock; None where Linux does not tell."""
    off = _read(f"{_CORES}/intel_pstate/no_turbo")
    if off is not None:
        return off == "0"
    on = _read(f"{_CORES}/cpufreq/boost")
    return None if on is None else on == "1"


def memory_bytes() -> int | None:
    """Main memory of the machine; None where the system does not tell."""
    for line in (_read("proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return 1024 * int(line.split()[1])
    return None


def instructions() -> tuple[str, ...]:
    """Which of ``INSTRUCTIONS`` the processor has; empty where Linux does not tell."""
    for line in (_read("proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            flags = set(value.split())
            return tuple(name for name in INSTRUCTIONS if name in flags)
    return ()


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


def gpu_clocks() -> tuple[dict[str, float | None], ...]:
    """Clocks [MHz] and power limit [W] of each NVIDIA GPU by the driver's own account."""
    query = f"--query-gpu={','.join(_GPU_FIGURES.values())}"
    lines = _output("nvidia-smi", query, "--format=csv,noheader,nounits").splitlines()
    return tuple(
        dict(zip(_GPU_FIGURES, map(_number, line.split(",")), strict=True)) for line in lines
    )


def _number(text: str) -> float | None:
    """A figure of nvidia-smi; None for ``[N/A]`` and the like."""
    try:
        return float(text)
    except ValueError:
        return None


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


def _read(path: str) -> str | None:
    """A small file of the system's, below its root; None where it is missing or closed."""
    try:
        return (_ROOT / path).read_text().strip()
    except OSError:
        return None


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None
