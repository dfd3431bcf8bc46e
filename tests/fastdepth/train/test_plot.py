from __future__ import annotations

import json

import cv2
import numpy as np

from fastdepth.data import open_source
from fastdepth.models import create_model
from fastdepth.size import Size
from fastdepth.train.plot import plot_losses, read_log, write_sheets


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_what_a_resumed_run_did_again_counts_once(tmp_path):
    log = write(
        tmp_path / "log.jsonl",
        [
            {"step": 20, "epoch": 1, "loss": 3.0},
            {"step": 40, "epoch": 2, "loss": 2.0},
            {"step": 30, "epoch": 1.5, "resumed": True},
            {"step": 40, "epoch": 2, "loss": 1.0},
        ],
    )
    assert [line["loss"] for line in read_log(log) if "loss" in line] == [3.0, 1.0]


def test_the_image_shows_curves(tmp_path):
    scores = {"loss": 2.5, "d1": 0.4}
    lines = [{"step": s, "epoch": s / 10, "loss": 5 - s / 10} for s in range(1, 20)]
    log = write(tmp_path / "log.jsonl", [*lines, {"step": 20, "epoch": 2, "validation": scores}])
    plot_losses(log, tmp_path / "loss.png", "tiny")
    image = cv2.imread(str(tmp_path / "loss.png"))
    assert image.shape[0] > 300
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    assert ((blue > red + 60) & (blue > green + 20)).sum() > 100  # the training curve


def test_an_empty_log_is_a_image_too(tmp_path):
    plot_losses(write(tmp_path / "log.jsonl", []), tmp_path / "loss.png", "tiny")
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_every_validation_shows_the_same_samples(tiny, folder, tmp_path):
    network, source = create_model("tiny").train(), open_source(f"nyu:{folder}", "train")
    asked = []

    class Watched:
        name, names = source.name, source.names

        def __len__(self):
            return len(source)

        def __getitem__(self, index):
            asked.append(index)
            return source[index]

    sheets = [write_sheets(network, Watched(), Size(96, 128), tmp_path, e) for e in (1, 2)]
    assert asked[:4] == asked[4:]
    assert asked[0] == 0 and asked[3] == len(source) - 1
    np.testing.assert_array_equal(*sheets)
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["0001.png", "0002.png"]
    assert (tmp_path / "sheet.png").read_bytes() == (tmp_path / "sheets/0002.png").read_bytes()
