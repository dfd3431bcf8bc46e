"""Networks under each alignment: every figure in a column of one alignment."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_results import failed_row, new_row, results

from fastdepth.metrics import ALIGNMENTS
from fastdepth.published import ALIGNED_SCORES
from fastdepth_bench.report import alignment
from fastdepth_bench.report.alignment import alignment_section

END = ".alignment.json"


def row(name, d1, variant="unet128-dws"):
    told = f"protocol eigen; alignment {ALIGNMENTS[name].describe()}; crop of Eigen"
    return new_row(variant, alignment=name, protocol_description=told, metrics={"d1": d1})


def tables(*rows):
    """Each table as lines of cells, headings first, with the line below it."""
    others = results(row("none", 0.99))
    section = alignment_section({Path(f"a{END}"): results(*rows), Path("b.json"): others})
    parts = section.split("\n\n")
    return [
        ([line[2:-2].split(" | ") for line in part.splitlines()], parts[number + 1])
        for number, part in enumerate(parts)
        if part.startswith("|")
    ]


def test_each_column_has_one_alignment():
    rows = [row(name, 0.5 + number / 10) for number, name in enumerate(ALIGNMENTS)]
    (ours, below), *others = tables(*rows)
    assert ours[0][2:] == [f"d1, {name}" for name in ALIGNMENTS]
    assert ours[2] == ["unet128-dws", "6.47", "0.500", "0.600", "0.700", "0.800", "0.900"]
    assert all(each.describe() in below for each in ALIGNMENTS.values())
    assert "0.99" not in below
    printed = {score.alignment for score in ALIGNED_SCORES}
    names = [name for name in ALIGNMENTS if name in printed]
    for (table, said), name in zip(others, names, strict=True):
        assert f"protocol eigen; alignment {name} (" in said
        theirs = [score for score in ALIGNED_SCORES if score.alignment == name]
        assert [line[0] for line in table[3:]] == [score.network for score in theirs]
        assert len(table[0]) <= 8


def test_measured_and_reported_stand_apart():
    _, (table, _) = tables(row("median", 0.6))
    titles, _, ours, theirs, *_ = table
    assert titles[2:6] == ["here d1", "here AbsRel", "reported d1", "reported AbsRel"]
    assert ours[2:5] == ["0.600", "0.200", ""]
    assert theirs[:5] == ["YOLO26n-depth", "6.4", "", "", "0.783"]
    assert "docs.ultralytics.com" in theirs[6] and "2.19 M images" in theirs[7]


def test_what_was_not_measured_is_left_out(monkeypatch):
    (only,) = tables(row("none", 0.6), failed_row("unet128"))
    assert [line[0] for line in only[0]] == ["network", "---", "unet128-dws"]
    nothing = alignment_section({})
    assert nothing.startswith("No results are committed yet; `--align none,median,")
    assert alignment_section({Path(f"a{END}"): results(failed_row())}) == nothing
    monkeypatch.setattr(alignment, "ALIGNED_SCORES", ())
    assert len(tables(row("median", 0.6))) == 1
    assert alignment_section({Path(f"a{END}"): results(new_row(alignment="to come"))}) == nothing


@pytest.mark.parametrize("name", ["median", "affine"])
def test_one_machine_each(name):
    section = alignment_section({Path(f"{n}{END}"): results(row(name, 0.6)) for n in "ab"})
    assert section.count("Measured on Model of the CPU") == 2
