"""Engines answer for each image once, take few at a time, and outlive dead processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import fakes_of_engines as fakes
import pytest

from fastdepth.console import Stopwatch
from fastdepth.errors import MissingExtraError, OutputError
from fastdepth.images import parallel
from fastdepth.images.collection import ImageFile
from fastdepth.images.parallel import ENGINES, Workers, map_here, map_processes

UNGUARDED = """
from fakes_of_engines import refuse
from fastdepth.images.parallel import Workers, map_processes
from fastdepth.images.collection import ImageFile

list(map_processes(refuse, [ImageFile("a", "a", "a")], Workers()))
"""

GUARDED = """
from pathlib import Path
from fakes_of_engines import wait_long
from fastdepth.images.parallel import Workers, map_processes
from fastdepth.images.collection import ImageFile

if __name__ == "__main__":
    list(map_processes(wait_long, [ImageFile("a", "a", Path(sys.argv[1]))], Workers()))
"""


def images(count: int) -> list[ImageFile]:
    return [
        ImageFile(f"{number}.jpg", str(number), Path(f"{number}.jpg")) for number in range(count)
    ]


def test_here_each_is_taken_when_the_one_before_is_done() -> None:
    taken = []

    def lazily() -> Iterator[ImageFile]:
        for image in images(3):
            taken.append(image.name)
            yield image

    done = map_here(lambda image: f"{image.name} after {len(taken)}", lazily(), Workers())
    assert [answer for _, answer in done] == [f"{i}.jpg after {i + 1}" for i in range(3)]


def test_a_pool_takes_few_at_a_time_and_answers_for_all() -> None:
    taken, done, most = 0, [], 0

    def lazily() -> Iterator[ImageFile]:
        nonlocal taken
        for image in images(50):
            taken += 1
            yield image

    for image, answer in map_processes(str, lazily(), Workers(2)):
        assert answer == image.name
        most = max(most, taken - len(done))
        done.append(image.name)
    assert sorted(done) == sorted(image.name for image in images(50))
    assert most <= 4


def test_an_error_of_ours_ends_the_pool() -> None:
    with pytest.raises(OutputError, match=r"cannot write \d\.jpg"):
        list(map_processes(fakes.refuse, images(9), Workers(1)))


def test_processes_that_cannot_start_end_it_instead_of_failing_each_image(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import sys; sys.path[:0] = {sys.path!r}\n{UNGUARDED}")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.splitlines()[-1].startswith(
        "fastdepth.errors.UsageError: processes end before they begin; in a script call this below"
    )


def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    script, told = tmp_path / "script.py", tmp_path / "pid"
    script.write_text(f"import sys; sys.path[:0] = {sys.path!r}\n{GUARDED}")
    with subprocess.Popen([sys.executable, script, told]) as parent:
        wait_until(told.exists)
        parent.kill()
    worker = int(told.read_text())
    wait_until(lambda: not is_running(worker))


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    watch = Stopwatch()
    while not condition():
        assert watch.seconds < seconds
        time.sleep(0.02)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.parametrize("missing", ["ray", "pyarrow", "pandas"])
def test_without_ray_its_pip_line_is_printed(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for module in "ray", "pyarrow", "pandas":
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=rf"{missing} .* pip install 'fastdepth\[ray\]'"):
        list(ENGINES["ray"](str, images(1), Workers()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray Data warns of its own options
def test_ray_answers_for_all_window_after_window(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setattr(parallel, "RAY_CHUNK", 3)
    monkeypatch.setattr(parallel, "RAY_WINDOW", 2)
    taken, done, most = 0, [], 0

    def lazily() -> Iterator[ImageFile]:
        nonlocal taken
        for image in images(40):
            taken += 1
            yield image

    for image, answer in ENGINES["ray"](str, lazily(), Workers(2)):
        assert answer == image.name
        most = max(most, taken - len(done))
        done.append(image.name)
    assert sorted(done) == sorted(image.name for image in images(40))
    assert most <= 3 * 2 * 2
    with pytest.raises(OutputError, match=r"cannot write \d\.jpg"):
        list(ENGINES["ray"](fakes.refuse, images(9), Workers(2)))
