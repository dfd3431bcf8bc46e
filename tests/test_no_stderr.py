"""Where there is no stderr (``2>&-``, pythonw, services) every command works, and quietly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fastdepth.predict import main
from fastdepth.variants import VARIANTS

TESTS = Path(__file__).parent


def python(*words: object, closed: str = "2>&-") -> subprocess.CompletedProcess[str]:
    """Python in a process that is started with stderr closed."""
    line = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def command(module: str) -> tuple[str, str]:
    """Words for Python that run the command of which a module has the ``main``."""
    return "-c", f"import sys; from {module} import main; sys.exit(main(sys.argv[1:]))"


def test_predict_writes_the_same_files(tiny_file, photo_file, tmp_path):
    words = [tiny_file, photo_file, "--threads", "1", "--output"]
    done = python(*command("fastdepth.predict"), *words, tmp_path / "quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert main([*map(str, words), str(tmp_path / "heard")]) == 0
    for path in (tmp_path / "heard").iterdir():
        assert (tmp_path / "quiet" / path.name).read_bytes() == path.read_bytes()


def test_predict_of_what_is_no_image_still_has_its_status(tiny_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    (tmp_path / "a.jpg").write_text("no image")
    assert main([str(tiny_file), str(tmp_path / "a.jpg"), "--output", str(tmp_path / "out")]) == 2
    assert sys.stderr is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_a_wrong_option_is_status_2(closed):
    done = python(*command("fastdepth_export.cli"), "--variant", "nothing", closed=closed)
    assert (done.returncode, done.stdout) == (2, "")


def test_export_lists():
    done = python(*command("fastdepth_export.cli"), "--list")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > len(VARIANTS)


@pytest.mark.thorough
def test_a_row_is_measured_in_a_process_of_its_own(tiny_file):
    words = f"--model {tiny_file} --data rooms:1 --seconds 0.02 --restarts 1 --threads 1 --json -"
    done = python(*command("fastdepth_bench.cli"), *words.split())
    assert done.returncode == 0
    (row,) = json.loads(done.stdout)["rows"]
    assert row["fps"] > 0


@pytest.mark.thorough
def test_train_leaves_a_checkpoint(folder, tmp_path):
    words = f"--variant plain --data nyu:{folder} --workers 0 --max-minutes 1e-9 --output"
    done = python(TESTS / "tiny_training.py", *words.split(), tmp_path / "run")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "run" / "last.safetensors").exists()


def test_without_any_output_nothing_is_written_into_the_files(tiny_file, photo_file, tmp_path):
    words = [tiny_file, photo_file, "--threads", "1", "--output", tmp_path / "out"]
    done = python(*command("fastdepth.predict"), *words, closed="<&- >&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "out" / "photo_depth.png").read_bytes()[:4] == b"\x89PNG"


def test_lines_for_the_eyes_go_through_the_console_alone():
    folders = ("fastdepth", "export", "benchmarks")
    paths = (path for name in folders for path in (TESTS.parent / name).rglob("*.py"))
    texts = {path.name: path.read_text() for path in paths}
    assert {name for name, text in texts.items() if "sys.stderr" in text} == {
        "console.py",
        "isolate.py",
    }
    assert {name for name, text in texts.items() if "sys.stdout" in text} == {
        "console.py",
        "streams.py",
    }
