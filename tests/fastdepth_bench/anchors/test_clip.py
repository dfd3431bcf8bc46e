"""Flicker of a clip whose frames know some distances, by a network of a function."""

from __future__ import annotations

import itertools
import json

import cv2
import numpy as np
import pytest

from fastdepth.errors import ImageError
from fastdepth_bench.anchors import study
from fastdepth_bench.anchors.clip import KNOWN, measure_clip
from fastdepth_bench.cli import main
from fastdepth_bench.options import Options

FRAMES = 8


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A still of many corners, in a little noise."""
    path = tmp_path_factory.mktemp("video") / "still.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 30, (160, 120))
    generator = np.random.default_rng(0)
    still = cv2.resize(generator.integers(30, 220, (15, 20, 3), np.uint8), (160, 120))
    for _ in range(FRAMES):
        noise = generator.normal(0, 1, still.shape)
        writer.write(np.clip(still + noise, 0, 255).astype(np.uint8))
    writer.release()
    return path


@pytest.fixture
def flickering(fake_runner):
    """A network that answers with 2 m and 2.4 m in turns."""
    scales = itertools.cycle((1, 1.2))

    def answer(batch):
        return np.full((1, 1, *batch.shape[1:3]), 2 * next(scales), np.float32)

    return fake_runner(answer)


@pytest.fixture
def case():
    return study.the_case(Options(variant=("mnv2-64-dws",), runtime=("onnxruntime",), threads=1))


def test_distances_steady_a_flickering_network(flickering, case, video):
    steps = []
    found = measure_clip(flickering, case, video, None, 0.0, lambda *args: steps.append(args))
    flicker = {row.known: row.flicker for row in found.rows}
    assert list(flicker) == list(KNOWN)
    assert flicker["no frame"] == pytest.approx(100 * np.log(1.2), rel=0.02)
    assert flicker["every frame"] < flicker["no frame"] / 2
    assert flicker["the first frame"] < flicker["no frame"] / 2
    assert (found.frames, found.video, len(steps)) == (FRAMES, "still.avi", FRAMES)


def test_a_study_has_it_beside_the_rest(flickering, case, video, monkeypatch, capsys, samples):
    class Source(list):
        name, names = "rooms", [sample.name for sample in samples]

    monkeypatch.setattr(study, "open_runner", lambda case: flickering)
    monkeypatch.setattr(study, "open_with_std", lambda case: None)
    monkeypatch.setattr(Options, "open_data", lambda options: Source(samples))
    words = "anchors --variant mnv2-64-dws --points 4 --draws 1 --threads 1"
    assert main([*words.split(), "--clip", str(video), "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["clip"]["frames"] == FRAMES
    assert "flicker; still.avi: 8 frames" in captured.err


@pytest.mark.parametrize("name", ["missing.mp4", "."])
def test_no_video_is_one_line_before_any_work(name, monkeypatch, capsys):
    monkeypatch.setattr(study, "open_runner", None)
    assert main(["anchors", "--variant", "mnv2-64-dws", "--clip", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_video_says_so(flickering, case, tmp_path):
    with pytest.raises(ImageError):
        measure_clip(flickering, case, tmp_path / "none.mp4", None, 0.0, print)
