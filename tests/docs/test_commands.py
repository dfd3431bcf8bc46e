"""The documents' shell blocks: cheap commands run, costly ones are parsed as they would be."""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path

import pytest
import tyro
from markdown_pages import PAGES, ROOT, command_lines, name

from fastdepth import predict
from fastdepth.calibrate import cli as calibrate
from fastdepth.train import cli as train
from fastdepth.train.recipes import RECIPES
from fastdepth.variants import VARIANTS
from fastdepth_bench import cli as bench
from fastdepth_export import cli as export
from fastdepth_export.targets import ALL, FORMATS, TARGETS

MAIN = {
    "fastdepth-bench": bench.main,
    "fastdepth-calibrate": calibrate.main,
    "fastdepth-export": export.main,
    "fastdepth-predict": predict.main,
    "fastdepth-train": train.main,
}
"""Our commands and their functions."""

QUICK = "--runtime onnxruntime --limit 1 --seconds 0.05 --restarts 1 --threads 1"

PREDICT = "fastdepth-predict mnv2-64-dws photo.jpg --output depth"

RUN = {
    "fastdepth-bench --variant mnv2-64-dws": QUICK,
    "fastdepth-bench compare old.json new.json": "",
    "fastdepth-bench report results.json --plot plots": "",
    "fastdepth-bench report results.json --markdown results.md --csv results.csv": "",
    "fastdepth-bench table results.json": "",
    "fastdepth-export --list": "",
    "fastdepth-export --variant mnv2-64-dws --output mnv2-64-dws.onnx": "",
    PREDICT: "",
    f"{PREDICT} --npy --ply --focal 1180": "",
    f"{PREDICT} --compare mnv2-64-dws:int8": "",
    "fastdepth-predict mnv2-64-dws photos --output depth": "",
    "fastdepth-predict mnv2-64-dws video.mp4 --output out.mp4 --side-by-side": "",
    "fastdepth-predict mnv2-64-dws video.mp4 --output out.webm --side-by-side --smooth": "",
    "fastdepth-train --list": "",
}
"""Commands that run here, and what makes them tiny; all others are parsed and their names known."""

NOT_HERE = (
    "python -m pip",  # from a package index
    "apt install",
    "apt-get install",
    "python -m pytest",  # this is it
    "bash .ci/run",
    "benchmarks/gpu.sh",  # a GPU
    "export FASTDEPTH_CACHE=",
    "mkdocs",
    "for ",
    "do",
    "done",
    "cp ",
    "cd ",
    "(cd ",
    "npm ci",
    "python -m http.server",  # until it is stopped
    "python web/build.py",  # Node.js
)
"""What is no command of ours, or cannot run here."""

TO_BE_ADDED = {"$name", "plain", "mnv2-64-dws-p40"}
"""Variants that a reader makes."""

NAMES = {
    "--variant": VARIANTS,
    "--against": VARIANTS,
    "--recipe": RECIPES,
    "--runtime": TARGETS,
    "--format": (*FORMATS, ALL),
}
"""Options whose values are names of a table, some of them several with commas."""


class Parsed(BaseException):
    """The command line was understood; nothing was done."""


def own(line: str) -> str:
    """A command of ours without what starts it in several processes."""
    return line.partition("--no-python ")[2] if line.startswith("torchrun ") else line


LINES = list(dict.fromkeys(own(line) for page in PAGES for line in command_lines(page)))
OURS = [line for line in LINES if line.split()[0] in MAIN]


def test_every_line_is_known():
    others = [line for line in LINES if line not in OURS]
    assert [line for line in others if not line.startswith(NOT_HERE)] == []
    assert RUN.keys() <= set(OURS)
    assert {line.split()[0] for line in OURS} == set(MAIN)


def test_scripts_are_there():
    lines = [line.split() for line in LINES]
    scripts = {words[i] for words in lines for i in (0, 1) if words[i : i + 1]} & {
        ".ci/run",
        "benchmarks/gpu.sh",
    }
    assert all((ROOT / script).exists() for script in scripts)


@pytest.mark.parametrize(
    "line",
    [pytest.param(line, marks=pytest.mark.thorough if "--variant" in line else ()) for line in RUN],
)
def test_command_runs(line, here, capsys, request):
    command, *words = shlex.split(line)
    if "--variant" in words:
        request.getfixturevalue("exports")
    assert MAIN[command]([*words, *RUN[line].split()]) == 0, capsys.readouterr().err
    for option, value in itertools.pairwise(words):
        if option in ("--output", "--plot", "--markdown", "--csv"):
            assert Path(value).exists()


@pytest.mark.parametrize("line", [line for line in OURS if line not in RUN])
def test_command_is_understood(line, here, capsys, monkeypatch):
    command, *words = shlex.split(line)
    parse = tyro.cli

    def stop(*arguments, **options):
        raise Parsed(parse(*arguments, **options))

    monkeypatch.setattr(tyro, "cli", stop)
    with pytest.raises(Parsed):
        pytest.fail(f"status {MAIN[command](words)}: {capsys.readouterr().err}")
    for option, value in itertools.pairwise(words):
        names = {name.partition(":")[0] for name in value.split(",")}
        known = names <= {*NAMES.get(option, ())} or value.endswith(".onnx")
        assert option not in NAMES or known or value in TO_BE_ADDED, (option, value)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_are_no_longer_than_can_be_read(page):
    assert max(map(len, command_lines(page)), default=0) < 400
