"""Tables and plots of known distances."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest
from made_up_studies import study

from fastdepth_bench.report.anchors import anchors_section, cells, spread, study_markdown
from fastdepth_bench.report.anchors_plot import plot_studies, plot_study
from fastdepth_bench.results.anchors import read_study
from fastdepth_bench.results.file import FOLDER

pytest.importorskip("matplotlib")


@pytest.fixture
def found(tmp_path):
    path = tmp_path / FOLDER / "machine.anchors.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(study()))
    return {path: read_study(path)}


def test_a_line_for_each_kind_and_a_column_for_each_estimator(found):
    ((_, one),) = found.items()
    headings, rows = cells(one)
    assert headings == ["points", "anchored", "none", "median"]
    assert rows[1] == ["16 random", "0.830", "0.750", "0.790"]
    page = study_markdown(one, "What is meant.")
    assert "| 8x8 ToF | 0.850 | 0.750 | 0.800 |" in page
    assert page.index("d1, more is better") < page.index("RMSE [m], less is better")
    assert "nyu (in-painted), 498 samples" in page and "Model of the CPU" in page
    assert page.endswith("What is meant.")


def test_how_certain_they_are(found):
    ((_, one),) = found.items()
    assert "differs by 0.004 at most" in spread(one) and "reach 0.010 to either side" in spread(one)


def test_the_section_shows_the_plot_that_is_drawn(found, tmp_path):
    (written,) = plot_studies(found, tmp_path)
    (image,) = re.findall(r"!\[.*\]\((.*)\)", anchors_section(found))
    assert written == tmp_path / "docs" / Path(image)
    assert "`--json" not in anchors_section(found)
    assert "/MACHINE.anchors.json" in anchors_section({})


def test_the_plot(found, tmp_path):
    ((_, one),) = found.items()
    image, drawing = plot_study(one, tmp_path / "a.b.png")
    assert (image.name, drawing.name) == ("a.b.png", "a.b.svg")
    said = " ".join(re.findall(r"<!-- (.*?) -->", drawing.read_text()))
    assert all(name in said for name in one.estimators)
    assert "Model of the CPU" in said and "protocol eigen" in said
    pixels = cv2.imread(str(image)).astype(int)
    for blue, green, red in ((0xB2, 0x72, 0x00), (0x00, 0x5E, 0xD5)):
        assert (abs(pixels - (blue, green, red)).max(axis=2) < 8).sum() > 300
    again = plot_study(one, tmp_path / "c.png")
    assert again[0].read_bytes() == image.read_bytes()
    assert again[1].read_bytes() == drawing.read_bytes()


def test_one_number_of_points_makes_no_plot(found, tmp_path):
    ((path, _),) = found.items()
    rows = [row for row in study()["rows"] if row["number"] != 1]
    path.write_text(json.dumps(study(rows=rows)))
    assert plot_study(read_study(path), tmp_path / "a.png") == []
