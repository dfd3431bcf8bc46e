"""What was published stands beside what was measured, never mixed with it."""

from __future__ import annotations

import json

import pytest
from made_up_results import failed_row, new_row, old_row, report, results

from fastdepth.published import PUBLISHED
from fastdepth_bench.cli import main
from fastdepth_bench.report.columns import REPRODUCED
from fastdepth_bench.report.table import (
    LIGHT,
    SIBLINGS,
    published_tables,
    published_to_markdown,
    reproductions,
    tables_to_markdown,
)

UNTRAINED = {"untrained": True, "weights": "untrained", "weights_hash": None, "metrics": None}


def cells(reports, title, name):
    """Cells by heading of a network's line in the table whose title begins so."""
    (table,) = [each for each in published_tables(reports)[0] if each.title.startswith(title)]
    (entry,) = [each for each in table.entries if each.system.variant == name]
    return {column.title: column.text(entry) for column in table.columns}


def gain(*rows, name="unet128-dws"):
    return cells([results(*rows)], "Against effb5-256: how", name)


def loss(*rows):
    return cells([results(*rows)], "Thresholds", "unet128-dws")["here loss"]


def beside(reports, name):
    """Cells by heading of a system."""
    return {
        column.title: column.text(reproductions(reports, [name])[0][name]) for column in REPRODUCED
    }


def remarks(*rows):
    return " ".join(published_tables([results(*rows)] if rows else [])[1])


def test_every_reported_figure_is_there_without_results():
    text = tables_to_markdown([])
    for name in (*LIGHT, *SIBLINGS):
        assert f"| {name} |" in text
        assert f"{PUBLISHED[name].d1:g}" in text
    for name in LIGHT:
        cost = cells([], "Speed", name)
        assert float(cost["reported frames/s"]) == PUBLISHED[name].fps
        assert float(cost['reported "Mb"']) == PUBLISHED[name].megabytes
        assert float(cost["checkpoint MB"]) == pytest.approx(PUBLISHED[name].megabytes, abs=1)
    assert "here: not measured; that takes one results file" in text


def test_the_reported_conclusion_follows_from_the_reported_figures():
    found = cells([], "Against effb5-256: how", "unet128-dws")
    assert found["reported times faster"] == "3.02"
    assert found["reported times smaller"] == found["checkpoint times smaller"] == "12.1"
    assert (found["here times faster"], found["file times smaller"]) == ("", "")
    assert cells([], "Thresholds", "unet128-dws")["reported loss"] == "21.4 / 6.5 / 1.6"
    assert cells([], "Thresholds", "effb5-256")["reported loss"] == ""


def test_ratios_are_of_one_file_runtime_and_size():
    heavy = old_row("effb5-256", 400.0, bytes=300_000_000, **UNTRAINED)
    light = old_row(p50=100.0, bytes=10_000_000)
    found = gain(heavy, light)
    assert (found["here times faster"], found["file times smaller"]) == ("4.00", "30.0")
    assert "effb5-256 (untrained), unet128-dws (unet128-dws.nyu)" in remarks(heavy, light)
    for other in (
        light | {"runtime": "openvino"},
        light | {"threads": 1},
        light | {"size": [240, 320]},
        new_row(fold=False),
        failed_row(),
    ):
        assert gain(heavy, other)["here times faster"] == ""
    apart = [results(heavy), results(light)]
    assert cells(apart, "Against effb5-256: how", "unet128-dws")["here times faster"] == ""


def test_each_at_its_own_size_makes_a_ratio():
    heavy = old_row("effb5-256", 400.0, **UNTRAINED)
    light = old_row("unet128-dws-75", 50.0, size=[360, 480], **UNTRAINED)
    assert gain(heavy, light, name="unet128-dws-75")["here times faster"] == "8.00"


def test_passes_in_turns_count_before_speeds_that_were_taken_apart():
    turns = {"name": "effb5-256", "ratio": 7.0, "low": 6.5, "high": 7.25}
    heavy = new_row("effb5-256", p50=400.0)
    assert gain(heavy, new_row(p50=50.0, against=turns))["here times faster"] == "7.00 [6.50, 7.25]"
    other = new_row(p50=50.0, against=turns | {"name": "unet128"})
    assert gain(heavy, other)["here times faster"] == "8.00"


def test_scores_are_of_trained_networks_on_the_same_real_images():
    heavy = old_row("effb5-256", metrics={"d1": 0.8})
    assert loss(heavy, old_row()) == "20.0 / 0.0 / 0.0"
    for other in ({"data": "nyu train"}, {"data": "rooms"}, {"sample_hash": "0" * 12}, UNTRAINED):
        assert loss(heavy, old_row(**other)) == ""


def test_speed_of_training_where_it_was_measured():
    heavy, light = (
        old_row(name, training_images_per_second=speed)
        for name, speed in (("effb5-256", 2.0), ("unet128-dws", 9.0))
    )
    assert gain(heavy, light)["training times faster"] == "4.50"
    assert "training times faster" not in tables_to_markdown([results(old_row())])


def test_a_system_beside_what_was_measured_of_it():
    row = old_row("fcrn-res50", size=[228, 304])
    found = beside([results(row)], "fcrn-res50")
    assert found["reported d1 / AbsRel / RMSE m"] == "0.634 / 23500 / 1.74"
    assert found["here d1 / AbsRel / RMSE m"] == "0.600 / 0.200 / 0.800"
    assert (found["weights"], found["on"]) == ("fcrn-res50.nyu", "a")
    assert beside([], "fastdepth-mnv1")["reported d1 / AbsRel / RMSE m"] == "0.771 / - / 0.604"
    learnt = beside([results(old_row("eigen", data="nyu train"))], "eigen")
    assert learnt["here d1 / AbsRel / RMSE m"] == ""
    assert learnt["weights"] == "eigen.nyu (over-fits)"


def test_what_was_measured_together_shares_a_note():
    one, other = (
        results(old_row("eigen"), old_row("unet256")),
        results(old_row("unet128", threads=1)),
    )
    text = published_to_markdown([one, other])
    assert [line[:5] for line in text.splitlines() if line.startswith("On ")] == ["On a:", "On b:"]
    assert "On a: nyu (in-painted), 498 samples" in text
    assert "onnxruntime, cpu, 1 thread, batch 1. Model of the CPU" in text


def test_every_remark_is_printed_once_with_all_that_it_is_about():
    text = published_to_markdown([])
    for system in PUBLISHED.values():
        for remark in system.remarks:
            (line,) = [line for line in text.splitlines() if line.endswith(f": {remark}")]
            assert f"`{system.variant}`" in line


def test_the_command_prints_and_writes_it(tmp_path, capsys):
    file = tmp_path / "results.json"
    file.write_text(json.dumps(report(old_row())))
    expected = tables_to_markdown([results(old_row())])
    assert main(["table", str(file), "--markdown", str(tmp_path / "table.md")]) == 0
    assert (tmp_path / "table.md").read_text() == expected
    assert main(["table", str(file), "--markdown", "-"]) == 0
    assert capsys.readouterr().out == expected
    assert main(["table", str(file)]) == 0
    out = capsys.readouterr().out
    (line,) = [x for x in out.splitlines() if x.startswith("unet128-dws ") and "34.85" in x]
    assert line.split() == [
        "unet128-dws",
        "34.85",
        "10.0",
        "78",
        "77.7",
        "11.6",
        "unet128-dws.nyu",
        "a",
    ]


def test_outside_a_checkout_it_asks_for_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["table"]) == 2
    assert "name results files" in capsys.readouterr().err
