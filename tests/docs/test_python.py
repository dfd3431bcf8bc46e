"""The documents' Python runs, on tiny files; the blocks of a page build on one another."""

from __future__ import annotations

import numpy as np
import pytest
from markdown_pages import PAGES, ROOT, blocks, name

README, PYTHON, OWN_DATA, ANCHORS, VIDEO = (
    ROOT / name
    for name in (
        "README.md",
        "docs/python.md",
        "docs/own-data.md",
        "docs/anchors.md",
        "docs/video.md",
    )
)

ELSEWHERE = {ROOT / "CONTRIBUTING.md"}
"""Pages whose code another test runs: tests/test_contributing.py."""

TINY = {
    'data="rooms:50"': 'data="rooms:1", seconds=0.05, restarts=1, threads=1',
    "max_minutes=30": 'max_minutes=1e-9, encoder_weights="random", batch=2, workers=0, '
    'crop="96x64", validation_size="96x64"',
    "rooms:1000": "rooms:2",
    "run(options)": "run(options, isolated=False)",
}
"""What stands in the documents, and what makes it tiny."""


def execute(page):
    """The names that a page's blocks leave, one after the other."""
    names = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        for usual, tiny in TINY.items():
            block = block.replace(usual, tiny)
        exec(compile(block, name(page), "exec"), names)
    return names


def test_every_page_with_code_is_tested():
    assert {page for page in PAGES if blocks(page, "python")} - ELSEWHERE == {
        README,
        PYTHON,
        OWN_DATA,
        ANCHORS,
        VIDEO,
    }


def test_readme(here):
    (block,) = blocks(README, "python")
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    names = execute(README)
    depth = names["depth"]
    assert depth.shape == (120, 160) and depth.dtype == np.float32
    assert 0 < depth.min() <= depth.max() < 10.3
    assert names["points"].shape == (120, 160, 3)
    assert (here / "depth.png").exists()


@pytest.mark.thorough
def test_python(here, exports, capsys):
    names = execute(PYTHON)
    assert names["depth"].shape == names["std"].shape == names["lower"].shape == (120, 160)
    assert (names["lower"] <= names["upper"]).all()
    assert names["cloud"].shape[1] == 3
    assert len(names["depths"]) == 2
    assert "missing.onnx" in capsys.readouterr().out
    assert names["metadata"].parity < 1e-4
    assert [row.error for row in names["report"].rows] == [None]
    assert names["summary"].steps == 1
    for file in ("colours.png", "depth.png", "depth.npy", "points.ply", "exported.onnx"):
        assert (here / file).exists()


def test_own_data(here):
    sample = execute(OWN_DATA)["sample"]
    assert sample.scene == "hall"
    assert sample.depth == pytest.approx(np.full((480, 640), 2.5))


def test_anchors(here):
    names = execute(ANCHORS)
    alone, depth = names["model"](names["image"]), names["depth"]
    assert depth.shape == (120, 160)
    assert abs(depth / alone - 1).max() > 0.01


def test_video(here):
    names = execute(VIDEO)
    assert names["frame"].depth.shape == (120, 160)
    assert names["first"].number == 0
    assert (names["frames"].skipped, names["frames"].source.count) == (0, 2)
