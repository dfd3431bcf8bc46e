"""Tables and plots of known distances."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest
from made_up_studies import study, with_intervals

from fastdepth_bench.report.anchors import anchors_section, cells, spread, study_markdown
from fastdepth_bench.report.anchors_plot import plot_studies, plot_study
from fastdepth_bench.report.plots import add_footer
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


def test_what_intervals_hold_and_flicker_have_tables(found, tmp_path):
    ((path, old),) = found.items()
    assert "interval for" not in study_markdown(old)
    path.write_text(json.dumps(with_intervals()))
    one = read_study(path)
    headings, rows = cells(one)
    assert (headings[-1], rows[0][-1]) == ("in its 90 % interval", "0.910")
    page = study_markdown(one)
    held = page[page.index("interval for 90 % holds") :]
    assert held.splitlines()[2] == "| points | anchored | none |"
    assert "| every frame | 2.50 |" in page and "kitchen.mp4: 240 frames" in page


def test_fewer_samples_show_what_stands_beside_accuracy(found, tmp_path):
    ((path, _),) = found.items()
    more = path.with_name("machine.part.anchors.json")
    more.write_text(json.dumps(with_intervals(samples=9)))
    both = {**found, more: read_study(more)}
    page = anchors_section(both)
    assert page.count("d1, more is better") == page.count("](anchors/") == 1
    assert "| every frame | 2.50 |" in page and "9 samples" in page
    assert len(plot_studies(both, tmp_path)) == 1


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


def test_no_line_of_a_caption_ends_before_a_unit():
    from matplotlib.figure import Figure

    for length in range(90, 125):
        figure = Figure()
        add_footer(figure, f"{'n' * length} 2 % of 10 m and 3 mugs")
        said = figure.get_supxlabel()
        assert "2\N{NO-BREAK SPACE}%" in said and "10\N{NO-BREAK SPACE}m" in said
        assert "3\N{NO-BREAK SPACE}mugs" not in said


def test_one_number_of_points_makes_no_plot(found, tmp_path):
    ((path, _),) = found.items()
    rows = [row for row in study()["rows"] if row["number"] != 1]
    path.write_text(json.dumps(study(rows=rows)))
    assert plot_study(read_study(path), tmp_path / "a.png") == []
