"""The examples run on what they ship with, and distances change what they answer."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import cv2
import pytest
from hatchling.builders.sdist import SdistBuilder
from tiny_onnx import write_model

from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
MOST_BYTES = 200_000


@pytest.fixture(scope="module")
def drawn():
    """The room of the examples."""
    return render_room(14)


def said_to_run(script):
    """The words of the line that a script's docstring tells users to run."""
    (line,) = re.findall(rf"^ +python examples/{script.name} (.*)$", script.read_text(), re.M)
    return line.split()


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a script as its docstring says, with a model of a few nodes; what it printed."""
    write_model(tmp_path / "mnv2-64-dws.onnx", Size(240, 320), metres=0.02)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)

    def call(script, *more):
        monkeypatch.setattr(sys, "argv", [script.name, *said_to_run(script), *more])
        runpy.run_path(str(script), run_name="__main__")
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_runs_as_it_says(script, run, tmp_path):
    said = run(script)
    network, corrected = map(float, re.findall(r"([\d.]+) m\b", said.splitlines()[-1]))
    assert 0.5 < network < 8 and corrected != network
    assert cv2.imread(str(tmp_path / f"{script.stem}.png")).shape == (480, 640, 3)


def test_the_tape_measure_is_met(run):
    measured, network, corrected = map(
        float, re.findall(r"([\d.]+) m\b", run(EXAMPLES / "tape_measure.py").splitlines()[0])
    )
    assert measured == 3.57
    assert abs(corrected - measured) < abs(network - measured) / 2


def test_the_sensor_is_turned(run):
    script = EXAMPLES / "tof_grid.py"
    upright = run(script)
    assert upright.count("frame ") == 3
    assert re.search(r"frame 0: (\d+) zones of 64", upright)
    assert run(script, "--rotation", "180") != upright


def test_points_of_the_phone_fall_onto_the_image(drawn):
    read = runpy.run_path(str(EXAMPLES / "arkit_points.py"))["read_points"]
    frame = json.loads((EXAMPLES / "data" / "arkit.json").read_text())
    points, focal = read(frame, Size(480, 640))
    assert (len(points), focal) == (80, pytest.approx(519))
    truth = drawn.depth[points.rows.round().astype(int), points.columns.round().astype(int)]
    assert points.depth == pytest.approx(truth, rel=0.12)  # four times its noise


def test_the_data_are_small_and_made_anew_the_same(drawn, tmp_path):
    folder = EXAMPLES / "data"
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    maker = runpy.run_path(str(folder / "make.py"))["main"]
    maker.__globals__.update(HERE=tmp_path, render_room=lambda number: drawn)
    maker()
    for name in ("tof.csv", "arkit.json"):
        assert (tmp_path / name).read_text() == (folder / name).read_text()
    kept, made = (cv2.imread(str(each / "room.jpg")) for each in (folder, tmp_path))
    assert cv2.absdiff(kept, made).mean() < 1


def test_they_are_in_the_sdist():
    """And not in the wheel, as tests/test_packaging.py says."""
    names = {file.distribution_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    assert {f"examples/{path.name}" for path in SCRIPTS} | {"examples/data/tof.csv"} <= names
