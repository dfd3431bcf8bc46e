"""What is generated of pages stands between their marks, and a check says what differs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_up_results import new_row, old_row, report

from fastdepth.weights import shipped_weights
from fastdepth_bench.cli import main
from fastdepth_bench.report.columns import WIDEST
from fastdepth_bench.report.pages import CARDS, differing, pages, room_image
from fastdepth_bench.report.render import marks
from fastdepth_bench.results.schema import schema

ROOT = Path(__file__).parents[3]
SCHEMA = "benchmarks/fastdepth_bench/results/result.schema.json"
TURNS = {"name": "unet128", "ratio": 2.0, "low": 1.9, "high": 2.1}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Pages with nothing but marks, and made-up results, in the working directory."""
    for name, sections in pages().items():
        text = "".join(
            f"## {section}\n{begin}\n{end}\n"
            for section in sections
            for begin, end in [marks(section)]
        )
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    rows = [new_row(name) for name in ("unet128-dws", "mnv2-64-dws")]
    (folder / "a.json").write_text(json.dumps(report(*rows)))
    (folder / "a.third-party.json").write_text(json.dumps(report(old_row("eigen", against=TURNS))))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inside(checkout, page, section):
    begin, end = marks(section)
    return (checkout / page).read_text().partition(begin)[2].partition(end)[0]


def test_pages_are_renewed_and_checked(checkout, capsys):
    assert main(["report", "--check"]) == 1
    assert (
        "README.md: networks, README.md: runtimes, docs/results.md: results"
        in capsys.readouterr().err
    )
    assert main(["report"]) == 0
    assert "renewed README.md: networks" in capsys.readouterr().err
    assert main(["report", "--check"]) == 0
    assert (checkout / SCHEMA).read_text() == schema()
    page = checkout / "docs" / "results.md"
    good = page.read_text()
    page.write_text(good.replace("10.0", "99.9", 1))
    (checkout / SCHEMA).unlink()
    assert main(["report", "--check"]) == 1
    said = capsys.readouterr().err
    assert f"differs from the results: docs/results.md: results, {SCHEMA}; run" in said
    assert main(["report"]) == 0
    assert (page.read_text(), main(["report"])) == (good, 0)
    assert "nothing has changed" in capsys.readouterr().err


def test_each_section_shows_the_files_that_are_for_it(checkout):
    main(["report"])
    assert "| mnv2-64-dws | 640x480 | 10.0 |" in inside(checkout, "README.md", "networks")
    assert "Model of the CPU" in inside(checkout, "README.md", "networks")
    assert "`onnxruntime`" in inside(checkout, "README.md", "runtimes")
    assert "| eigen |" not in inside(checkout, "docs/results.md", "results")
    assert "| eigen | eigen.nyu |" in inside(checkout, "docs/results.md", "third-party")
    none = inside(checkout, "docs/results.md", "folding")
    assert none.strip() == (
        "No results are committed yet; `--json benchmarks/results/MACHINE.folding.json` adds some."
    )


def test_no_table_is_wider_than_a_screen(checkout):
    main(["report"])
    for name in pages():
        for rule in re.findall(r"^\| --.*$", (checkout / name).read_text(), re.MULTILINE):
            assert rule.count("---") <= (6 if name == "README.md" else WIDEST)


@pytest.mark.parametrize(
    ("page", "section"), [(page, next(iter(sections))) for page, sections in pages().items()]
)
def test_a_page_without_a_section_is_refused(checkout, page, section, capsys):
    (checkout / page).write_text("")
    assert main(["report"]) == 2
    error = capsys.readouterr().err
    assert f"{page} lacks the lines <!-- {section}: begin -->" in error
    assert error.count("\n") == 1


def test_a_card_of_what_does_not_ship_is_refused(checkout, capsys):
    with (checkout / CARDS).open("a") as page:
        page.write("\n".join(marks("gone.nyu")))
    assert main(["report"]) == 2
    assert "a card of gone.nyu, which does not ship; remove it" in capsys.readouterr().err


def test_the_image_shows_a_room_its_depth_and_the_prediction(tiny_model):
    image = room_image(tiny_model, room=1)
    assert image.dtype == np.uint8
    assert image.shape[0] > 480
    assert image.shape[1] > 3 * 640


def test_what_is_committed_is_what_the_committed_results_make():
    assert differing(ROOT) == [], "fastdepth-bench report renews it"


def test_pictures_are_drawn_for_every_file_that_ships(checkout, monkeypatch, tiny_file):
    (checkout / "docs" / "compression").mkdir()
    monkeypatch.setattr("fastdepth_bench.report.pages.exported", lambda recipe: tiny_file)
    sheet = np.zeros((8, 8, 3), np.uint8)
    monkeypatch.setattr("fastdepth_bench.report.pages.contact_sheet", lambda *_: sheet)
    assert main(["report", "--picture"]) == 0
    drawn = {path.name for path in (checkout / "docs").glob("*.png")}
    assert drawn == {"room.png", *(f"{tag}.png" for tag in shipped_weights())}
