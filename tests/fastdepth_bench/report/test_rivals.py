"""Rivals stand beside the networks that they were timed in turns with."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_results import new_row, report

from fastdepth.size import Size
from fastdepth.weights import WeightsCard
from fastdepth_bench.case import Case
from fastdepth_bench.report.markdown import marks
from fastdepth_bench.report.pages import SECTIONS, with_results
from fastdepth_bench.report.rivals import CELLS, rivals_to_markdown


def cells(text, name):
    """Cells by heading of the line of a network."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return dict(zip(CELLS, line.strip("| ").split(" | "), strict=True))


AGAINST = {
    "name": "fastdepth-mnv1",
    "size": [224, 224],
    "ratio": 1.98,
    "low": 1.914,
    "high": 2.03,
    "end_to_end_ratio": 1.84,
    "end_to_end_low": 1.76,
    "end_to_end_high": 1.89,
    "p50_ms": 20.0,
    "rounds": 9,
}


def test_a_row_says_what_it_began_from_and_how_many_times_as_fast_it_is():
    begun = "encoder of ImageNet, the rest random"
    text = rivals_to_markdown(report(new_row(initialisation=begun, against=AGAINST)))
    row = cells(text, "unet128-dws")
    assert row["trained from"] == begun
    assert row["times"] == "1.98 [1.91, 2.03]"
    assert row["end to end times"] == "1.84 [1.76, 1.89]"
    assert float(row["d1"]) > 0
    assert "as fast as `fastdepth-mnv1`, timed in turns" in text


def test_what_was_timed_alone_has_no_ratio():
    text = rivals_to_markdown(report(new_row(against=None)))
    assert cells(text, "unet128-dws")["times"] == ""
    assert "timed in turns" not in text


def test_every_results_file_has_a_table_of_its_own():
    empty = "\n".join(mark for section in SECTIONS for mark in marks(section))
    files = {Path(f"{name}.rivals.json"): report(new_row()) for name in ("one", "other")}
    begin, end = marks("rivals")
    text = with_results(empty, files).partition(begin)[2].partition(end)[0]
    assert text.count("| network |") == text.count("Measured on") == 2


@pytest.mark.parametrize("trained", [True, False])
def test_a_case_knows_what_its_weights_began_from(trained, monkeypatch):
    card = WeightsCard("unet128-dws", initialisation="a drawn lot")
    monkeypatch.setattr("fastdepth_bench.case.read_card", lambda path: card)
    weights = "unet128-dws.nyu" if trained else "untrained"
    case = Case("unet128-dws", weights, "onnxruntime", "fp32", Size(480, 640))
    assert case.initialisation == ("a drawn lot" if trained else None)
