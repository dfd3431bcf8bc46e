"""The contact sheet: on a file of a few nodes, and its command."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from tiny_onnx import write_model

from fastdepth.data import open_source
from fastdepth.metrics import evaluate_image, get_protocol
from fastdepth.runtime.model import load
from fastdepth_bench.cli import main
from fastdepth_bench.visual import sheet
from fastdepth_bench.visual.sheet import Command, contact_sheet, steps


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Networks that answer with a multiple of red: the first case 0.02 m, the others double it."""
    opened = []

    class Opened:
        def __init__(self, case):
            path = tmp_path / f"{len(opened)}.onnx"
            self.model = load(write_model(path, case.size, metres=0.02 * 2 ** len(opened)))
            opened.append(case)

        def __enter__(self):
            return self.model

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(sheet, "open_runner", Opened)
    return opened


@pytest.fixture
def drawn(monkeypatch):
    """Rows of the sheets that were drawn."""
    rows = []
    make = sheet.make_sheet
    monkeypatch.setattr(
        sheet, "make_sheet", lambda given, width: rows.extend(given) or make(given, width)
    )
    return rows


def test_twelve_images_always_the_same(folder, tiny, drawn):
    options = Command(data=f"nyu:{folder}", split="all-train").options()
    first, again = contact_sheet(options), contact_sheet(options)
    assert len(drawn) == 2 * 12
    assert [row.caption for row in drawn[:12]] == [row.caption for row in drawn[12:]]
    source = open_source(f"nyu:{folder}", "all-train")
    assert (drawn[0].caption, drawn[11].caption) == (source.names[0], source.names[-1])
    assert first.shape == again.shape
    assert [case.variant for case in tiny] == ["unet128-dws"] * 2
    assert tiny[0].form == "folded" and tiny[0].runtime == "onnxruntime"


def test_scores_are_taken_at_the_size_of_the_truth(folder, tiny, drawn):
    contact_sheet(Command(data=f"nyu:{folder}").options(), 64)
    sample, row = open_source(f"nyu:{folder}", "test")[0], drawn[0]
    (depth,), (caption,) = row.depths.values(), row.captions.values()
    assert depth.shape == (480, 640) != sample.depth.shape
    scores = evaluate_image(depth, sample.depth)
    assert caption == f"AbsRel {scores.abs_rel:.3f}, d1 {scores.d1:.3f}"


def test_what_is_aligned_is_drawn_as_it_is_scored(folder, tiny, drawn):
    options = Command(data=f"nyu:{folder}", align=("median",)).options()
    contact_sheet(options, 64)
    sample, row = open_source(f"nyu:{folder}", "test")[0], drawn[0]
    (depth,), (caption,) = row.depths.values(), row.captions.values()
    assert depth.shape == sample.depth.shape
    valid = get_protocol("eigen").valid(sample.depth)
    assert np.median(depth[valid]) == pytest.approx(np.median(sample.depth[valid]), rel=0.05)
    scores = evaluate_image(depth, sample.depth)
    assert caption == f"AbsRel {scores.abs_rel:.3f}, d1 {scores.d1:.3f}"


def test_networks_stand_side_by_side(folder, tiny, drawn, weights_file):
    asked = Command(
        variant=("unet-dws", "unet128-dws-75"), weights=(str(weights_file),), data=f"nyu:{folder}"
    )
    contact_sheet(asked.options(), 64)
    assert list(drawn[0].depths) == ["unet-dws", "unet128-dws-75"]
    one, other = drawn[0].depths.values()
    assert np.median(other) == pytest.approx(2 * np.median(one), rel=0.1)
    assert one.shape != other.shape


def test_weights_of_one_network_are_told_apart(folder, tiny, drawn):
    tags = ("mnv2-64-dws-70.nyu-furnished", str(sheet.__file__))
    options = Command(weights=tags[:1], data=f"nyu:{folder}").options()
    (case,) = options.cases()
    other = sheet.Case("mnv2-64-dws-70", tags[1], "onnxruntime", "fp32", case.size)
    names = [sheet._title(each, [case, other]) for each in (case, other)]
    assert names[0] == "mnv2-64-dws-70 mnv2-64-dws-70.nyu-furnished" != names[1]


def test_the_command_writes_it_and_says_what_it_shows(folder, tiny, tmp_path, capsys):
    output = tmp_path / "out" / "sheet.png"
    words = ["sheet", "--data", f"nyu:{folder}", "--limit", "2", "--output", str(output)]
    assert main([*words, "--width", "64"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2 samples, hash" in captured.err and "protocol eigen" in captured.err
    small = cv2.imread(str(output))
    assert main(words) == 0
    assert cv2.imread(str(output)).shape[1] > 2 * small.shape[1]


def test_every_step_is_counted(folder, tiny):
    options = Command(data=f"nyu:{folder}", limit=3).options()
    moved = []
    contact_sheet(options, 64, lambda steps=1, note="": moved.append(steps))
    assert sum(moved) == steps(options) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--variant nope", "unknown variant"),
        ("--limit 0", "limit 0 must be 1 to"),
        ("--protocol nope", "unknown protocol"),
        ("--align nope", "unknown alignment"),
        ("--align none,median", "a sheet shows one alignment, not none and median"),
        ("--data nyu:/nowhere", "/nowhere"),
        ("--data rooms:1 --output /", "cannot write /: it is a folder"),
    ],
)
def test_misuse_is_one_line_before_any_work(words, message, monkeypatch, capsys):
    monkeypatch.setattr(sheet, "contact_sheet", None)
    assert main(["sheet", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fastdepth-bench sheet: ")
    assert error.count("\n") == 1
