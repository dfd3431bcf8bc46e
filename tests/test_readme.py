"""The README's commands and code run, on tiny settings."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import made_up_results
import numpy as np
import pytest
from made_up_results import new_row
from onnx import TensorProto
from tiny_onnx import write_model

from fastdepth import predict
from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth.train import cli as train
from fastdepth_bench import cli as bench
from fastdepth_export import cli as export

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

COMMANDS = {
    "fastdepth-bench": (
        bench.main,
        "--runtime onnxruntime --size 416x320 --limit 2 --seconds 0.1 --restarts 1 --threads 1",
    ),
    "fastdepth-export": (
        export.main,
        "--size 416x320 --data rooms:2 --calibration rooms:2 --force",
    ),
    "fastdepth-predict": (predict.main, ""),
    "fastdepth-train": (train.main, "--crop 416x320 --batch 2 --workers 0 --max-minutes 1e-9"),
}
"""Each command's function, and what makes it tiny."""

LOOK = {
    "sheet": "--size 416x320 --limit 2 --threads 1",
    "flicker": "--size 416x320 --frames 2 --threads 1",
}
"""The same for what shows predictions."""


def commands():
    """Command lines of the README in their order: in shell blocks, and in its table."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    lines = [part.strip() for line in blocks.splitlines() for part in line.split("&&")]
    lines += re.findall(r"^\| `(.*?)` \|", README, re.MULTILINE)
    found = [line for line in lines if line.startswith("fastdepth-")]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the commands read, in which they run one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    cv2.imwrite(str(folder / "photo.jpg"), render_room(1, Size(120, 160)).image[..., ::-1])
    video = cv2.VideoWriter(
        str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (160, 120)
    )
    for number in (1, 2):
        video.write(render_room(number, Size(120, 160)).image[..., ::-1].copy())
    video.release()
    write_model(folder / "rival.onnx", metadata=None, input_type=TensorProto.FLOAT)
    for name in ("results", "old", "new"):
        (folder / f"{name}.json").write_text(json.dumps(made_up_results.report(new_row())))
    return folder


@pytest.fixture
def here(place, monkeypatch, shared_graphs):
    monkeypatch.chdir(place)
    monkeypatch.setenv("FASTDEPTH_CACHE", str(place / "cache"))
    return place


def test_every_command_is_shown():
    assert {line.split()[0] for line in commands()} == set(COMMANDS)


@pytest.mark.parametrize("line", commands())
def test_command(line, here, folder, capsys):
    name, *words = shlex.split(line.replace("PATH", str(folder)))
    main, tiny = COMMANDS[name]
    if {"--list", "--doctor"} & set(words):
        tiny = ""
    elif words[0] in {verb.name for verb in bench.VERBS}:
        tiny = LOOK.get(words[0], "")
    shutil.rmtree(here / "runs", ignore_errors=True)
    assert main([*words, *tiny.split()]) == 0, capsys.readouterr().err
    for option, value in itertools.pairwise(words):
        if option in ("--output", "--json", "--plot") and value != "metres":
            assert Path(value).exists()


def test_code(here):
    """Runs after the commands, which exported the model that it loads."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert code.rstrip().endswith("depth  # metres")
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    depth = names["depth"]
    assert depth.shape == (120, 160)
    assert depth.dtype == np.float32
    assert depth.min() > 0
    assert depth.max() < 10
    assert (here / "depth.png").exists()


def test_images_exist():
    for name in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / name).exists()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
