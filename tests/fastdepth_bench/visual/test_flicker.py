"""Flicker: zero for what stands still, as much as there is for what does not."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest

from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth.weights import find_weights, weights_hash
from fastdepth_bench.cli import main
from fastdepth_bench.visual import flicker
from fastdepth_bench.visual.flicker import STILL_EVERY, Command, measure

WIDE = render_room(3, Size(144, 240)).image


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Eight frames of a camera that turns in front of a room, losslessly coded."""
    path = tmp_path_factory.mktemp("video") / "turn.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 30, (160, 120))
    for left in range(0, 24, 3):
        writer.write(np.ascontiguousarray(WIDE[8:128, left : left + 160, ::-1]))
    writer.release()
    return path


@pytest.fixture
def network(monkeypatch, fake_runner):
    """Puts networks that compute these functions of a batch in the cases' places."""

    def use(*functions):
        left = list(functions)
        monkeypatch.setattr(flicker, "open_runner", lambda case: fake_runner(left.pop(0)))

    return use


def flat(batch):
    return np.full((1, 1, *batch.shape[1:3]), 2, np.float32)


def fixed(batch):
    """A ramp that does not follow the image."""
    return flat(batch) + np.linspace(0, 2, batch.shape[2], dtype=np.float32)


def bright(batch):
    return 1 + cv2.blur(batch[0], (9, 9)).mean(axis=2, dtype=np.float32)[None, None] / 64


def pulsing(factor):
    """Follows the image, but each answer is nearer or farther than the last by a factor."""
    count = iter(range(10_000))
    return lambda batch: bright(batch) * factor ** (next(count) % 2)


def rows(video, frames=None, **options):
    return measure(Command(video, **options).options(), video, frames).rows


def test_flat_depth_does_not_flicker(network, video):
    network(flat)
    (row,) = rows(video)
    assert (row.video, row.noise, row.shift) == (0, 0, 0)


def test_depth_that_follows_the_image_hardly_flickers(network, video):
    network(bright)
    (row,) = rows(video)
    assert row.video < 2
    assert 0 < row.noise < 0.5
    assert row.shift < 1


def test_depth_that_stays_while_the_image_moves_flickers(network, video):
    network(fixed)
    (row,) = rows(video)
    # three of 160 columns a frame, and a column of the still: ln from 2 to 4 m over the image
    assert row.video == pytest.approx(100 * 3 / 160 * math.log(2), rel=0.1)
    assert row.shift == pytest.approx(100 / 160 * math.log(2), rel=0.1)
    assert row.noise == 0


def test_a_pulse_is_seen_whatever_the_camera_does(network, video):
    network(bright, pulsing(1.1))
    quiet, loud = rows(video, variant=("mnv2-64-dws", "unet128-dws"))
    # a still takes two more answers, so the second frame is the fourth and nearer than the first
    assert loud.video == pytest.approx(100 * math.log(1.1), abs=quiet.video)
    assert loud.noise == pytest.approx(100 * math.log(1.1), abs=quiet.noise)


def test_a_pulse_is_filtered_on_request_and_stills_are_not(network, video):
    flickers = []
    for smooth in (False, True):
        network(pulsing(1.1))
        report = measure(Command(video).options(), video, smooth=smooth)
        assert report.smooth == smooth
        flickers.append(report.rows[0])
    assert flickers[1].video < 0.6 * flickers[0].video
    assert flickers[1].noise == flickers[0].noise


def test_stills_are_looked_at_now_and_then(network, video, monkeypatch):
    seen = []
    network(lambda batch: seen.append(0) or flat(batch))
    rows(video)
    assert len(seen) == 8 + 2 and STILL_EVERY > 8
    monkeypatch.setattr(flicker, "STILL_EVERY", 4)
    seen.clear()
    network(lambda batch: seen.append(0) or flat(batch))
    rows(video)
    assert len(seen) == 8 + 4


def test_the_command_prints_a_row_for_each(network, video, capsys, tmp_path):
    network(flat, bright)
    file = tmp_path / "flicker.json"
    words = ["flicker", str(video), "--variant", "mnv2-64-dws", "--variant", "unet128-dws"]
    assert main([*words, "--frames", "3", "--json", str(file)]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[1].split()[:2] == ["mnv2-64-dws", "mnv2-64-dws.nyu-furnished"]
    assert lines[1].split()[3:] == ["0.00"] * 3
    assert "turn.avi: 3 frames" in captured.err
    content = json.loads(file.read_text())
    assert [row["variant"] for row in content["rows"]] == ["mnv2-64-dws", "unet128-dws"]
    assert content["rows"][0]["weights_hash"] == weights_hash(
        find_weights("mnv2-64-dws.nyu-furnished")
    )
    assert content["frames"] == 3 and 0.8 < content["visible"] <= 1


def test_json_has_stdout_for_itself(network, video, capsys):
    network(bright)
    assert main(["flicker", str(video), "--frames", "2", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["video"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nowhere.mp4", "does not exist"),
        ("VIDEO --frames 1", "frames 1 must be 2 to"),
        ("VIDEO --variant nope", "unknown variant"),
    ],
)
def test_misuse_is_one_line(words, message, video, capsys):
    assert main(["flicker", *words.replace("VIDEO", str(video)).split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fastdepth-bench flicker: ")
    assert error.count("\n") == 1
