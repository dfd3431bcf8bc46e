"""The environment is read, not guessed, and a busy machine is noticed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

import fastdepth
from fastdepth_bench.machine import environment
from fastdepth_bench.machine.environment import EnvironmentRecorder, git_commit

linux = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")


def test_environment_is_plain_data() -> None:
    found = EnvironmentRecorder().finish()
    content = json.loads(json.dumps(asdict(found)))
    assert content["python"] == platform.python_version()
    assert content["fastdepth"] == fastdepth.__version__
    assert content["packages"]["numpy"]
    assert 1 <= content["usable_cores"] <= content["cores"]
    line = found.describe()
    assert "\n" not in line
    assert found.cpu in line
    assert f"numpy {found.packages['numpy']}" in line


SPIN = "import time\nwhile time.process_time() < 0.5: pass\n"


@linux
def test_own_work_is_counted_as_own() -> None:
    start = environment._Clock.now()
    spent = time.process_time()
    while time.process_time() < spent + 0.3:
        pass
    end = environment._Clock.now()
    assert end.own - start.own >= 0.25
    assert end.all is not None
    assert start.all is not None
    assert end.all - start.all >= 0.25


@linux
def test_the_work_of_others_is_seen() -> None:
    """A process that is not waited for yet is none of this one's times."""
    recorder, start = EnvironmentRecorder(), time.monotonic()
    words = [sys.executable, "-S", "-c", SPIN + "print(flush=True)\nimport sys\nsys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        found, seconds = recorder.finish(), time.monotonic() - start
    assert found.other_load is not None
    assert found.other_load * seconds >= 0.4


@pytest.mark.parametrize(("others", "busy"), [(0.05, False), (2.0, True), (None, False)])
def test_busy_follows_the_load_of_others(
    others: float | None, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = environment._Clock(0.0, 0.0, 0.0)
    later = environment._Clock(10.0, 30.0, None if others is None else 30.0 + 10 * others)
    monkeypatch.setattr(environment._Clock, "now", lambda: clock)
    monkeypatch.setattr(environment, "_load_average", lambda: 0.0)
    recorder = EnvironmentRecorder()
    monkeypatch.setattr(environment._Clock, "now", lambda: later)
    found = recorder.finish()
    assert found.other_load == (None if others is None else pytest.approx(others))
    assert found.busy is busy


def test_commit_is_only_that_of_a_checkout(tmp_path: Path) -> None:
    outside = tmp_path / "installed.py"
    outside.write_text("")
    assert git_commit(outside) is None


def test_commit_of_a_tracked_file(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *name, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    file = tmp_path / "module.py"
    file.write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    assert git_commit(file) == git("rev-parse", "HEAD")
    file.write_text("2")
    assert git_commit(file) == git("rev-parse", "HEAD") + "+changes"
    untracked = tmp_path / "other.py"
    untracked.write_text("")
    assert git_commit(untracked) is None


CPU_FOLDER = "sys/devices/system/cpu"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes a file below the root of a machine with nothing else, which may use cores 2 and 5."""
    monkeypatch.setattr(environment, "_ROOT", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {2, 5}, raising=False)

    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


def test_clocks_of_the_usable_cores(machine: Callable[[str, str], None]) -> None:
    for core, now, highest in ((0, 800, 9000), (2, 2000, 3500), (5, 3000, 3600)):
        machine(f"{CPU_FOLDER}/cpu{core}/cpufreq/scaling_cur_freq", f"{now}000\n")
        machine(f"{CPU_FOLDER}/cpu{core}/cpufreq/cpuinfo_max_freq", f"{highest}000\n")
    assert environment.cpu_clocks() == (2500, 3600)


def test_clocks_of_a_virtual_machine(machine: Callable[[str, str], None]) -> None:
    cores = ((0, 1000), (2, 2596.5), (5, 2597.5))
    blocks = (f"processor\t: {core}\ncpu MHz\t\t: {clock}\nflags\t: a" for core, clock in cores)
    machine("proc/cpuinfo", "\n\n".join(blocks) + "\n\n")
    assert environment.cpu_clocks() == (2597, None)


def test_a_machine_that_tells_nothing(machine: Callable[[str, str], None]) -> None:
    assert environment.cpu_clocks() == (None, None)
    assert environment.turbo() is None
    assert environment.memory_bytes() is None
    assert environment.instructions() == ()
    machine(f"{CPU_FOLDER}/cpu2/cpufreq/scaling_cur_freq", "<unsupported>")
    assert environment.cpu_clocks() == (None, None)


@pytest.mark.parametrize(
    ("file", "text", "on"),
    [
        ("intel_pstate/no_turbo", "0", True),
        ("intel_pstate/no_turbo", "1", False),
        ("cpufreq/boost", "1", True),
        ("cpufreq/boost", "0", False),
    ],
)
def test_turbo(machine: Callable[[str, str], None], file: str, text: str, on: bool) -> None:
    machine(f"{CPU_FOLDER}/{file}", f"{text}\n")
    assert environment.turbo() is on


def test_memory(machine: Callable[[str, str], None]) -> None:
    machine("proc/meminfo", "MemTotal:       16384000 kB\nMemFree:  1 kB\n")
    assert environment.memory_bytes() == 16384000 * 1024


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 amx_tile avx512f avx512_vnni\n\n", 3),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n", 2),
        ("flags: avx21\nflags: avx2", 0),
        ("power management: avx2", 0),
    ],
)
def test_instructions(machine: Callable[[str, str], None], text: str, found: int) -> None:
    machine("proc/cpuinfo", text)
    assert len(environment.instructions()) == found
    assert set(environment.instructions()) <= set(text.split())


def test_the_recorder_records_all_of_it(
    machine: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(f"{CPU_FOLDER}/cpu0/cpufreq/scaling_governor", "performance\n")
    machine(f"{CPU_FOLDER}/intel_pstate/no_turbo", "1\n")
    machine("proc/meminfo", "MemTotal: 1 kB\n")
    machine("proc/cpuinfo", "flags: avx2 sse")
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    answers = {
        "--query-gpu=name,driver_version": "NVIDIA T4, 550.1",
        "--query-gpu=clocks.sm,clocks.max.sm,clocks.mem,power.limit": "585, 1590, 5000, [N/A]",
    }
    monkeypatch.setattr(environment, "_output", lambda *words: answers.get(words[1], ""))
    found = EnvironmentRecorder().finish()
    assert (found.governor, found.turbo, found.memory_bytes) == ("performance", False, 1024)
    assert (found.affinity, found.usable_cores) == ((2, 5), 2)
    assert found.instructions == ("avx2",)
    assert found.variables == {"OMP_NUM_THREADS": "3"}
    assert found.gpus == ("NVIDIA T4, driver 550.1",)
    clocks = {"sm_mhz": 585, "max_sm_mhz": 1590, "memory_mhz": 5000, "power_limit_watts": None}
    assert found.gpu_clocks == (clocks,)
    assert json.loads(json.dumps(asdict(found)))["affinity"] == [2, 5]
