"""The environment is read, not guessed, and a busy machine is noticed."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastdepth
from fastdepth_bench import environment
from fastdepth_bench.environment import EnvironmentRecorder, git_commit

linux = pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux")


def test_environment_is_plain_data() -> None:
    found = EnvironmentRecorder().finish()
    content = json.loads(json.dumps(found.as_dict()))
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
