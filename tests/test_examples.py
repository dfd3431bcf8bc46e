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
    write_model(tmp_path / "mnv2-64-dws", Size(240, 320), metres=0.02)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)

    def call(script, *more, words=None):
        given = said_to_run(script) if words is None else words
        monkeypatch.setattr(sys, "argv", [script.name, *given, *more])
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


FRAME = EXAMPLES / "data" / "arkit.json"
WRONG = {
    "tape_measure": ["120,160", "a,b,c", "120,160,-1", "9999,0,1", "1,2,3,4,5,6", "nan,1,2", ""],
    "tof_grid": ["", "0,1,2", "a,b,c,d", "0,0,500,5", "\x89PNG", "0,0,1e9,5\n" * 64],
    "arkit_points": [
        "",
        "[]",
        "{}",
        "[1",
        FRAME.read_text().replace("[1920, 1440]", "[0, 1440]"),
        FRAME.read_text().replace('"transform": [', '"transform": ["x", '),
        json.dumps({**json.loads(FRAME.read_text()), "rawFeaturePoints": [[0, 0]]}),
        json.dumps({**json.loads(FRAME.read_text()), "rawFeaturePoints": [[0, 0, 99]]}),
        json.dumps({**json.loads(FRAME.read_text()), "intrinsics": 1e308}),
    ],
}


def refused(run, capsys, script, words):
    with pytest.raises(SystemExit) as left:
        run(script, words=words)
    error = capsys.readouterr().err
    assert left.value.code == 2
    assert error.startswith(f"{script.stem}: ") and error.count("\n") == 1, error


@pytest.mark.filterwarnings("ignore:.*input contained no data:UserWarning")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_is_wrong_is_one_line(script, run, capsys, tmp_path):
    model, image, last = said_to_run(script)
    for place in range(2 if script.stem == "tape_measure" else 3):
        words = [model, image, last]
        words[place] = "missing"
        refused(run, capsys, script, words)
    for number, content in enumerate(WRONG[script.stem]):
        given = content
        if script.stem != "tape_measure":
            (tmp_path / f"{number}").write_text(content)
            given = f"{number}"
        refused(run, capsys, script, [model, image, given])
    refused(run, capsys, script, [model, image, last, "--output", "examples"])


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
