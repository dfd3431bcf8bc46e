from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up_results import METRICS, failed_row, new_row, old_row, report

from fastdepth.published import SYSTEMS
from fastdepth_bench.cli import main
from fastdepth_bench.report.published_rows import LIGHT, RESIDUAL
from fastdepth_bench.report.published_tables import seed_tables, seeds_to_markdown
from fastdepth_bench.results.reading import committed_results, read_results

ROOT = Path(__file__).parents[3]
UNTRAINED = {"untrained": True, "weights": "untrained", "weights_hash": None, "metrics": None}


def cells(reports, title, name):
    """Cells by heading of a network's line in the table whose title begins so."""
    (table,) = [each for each in seed_tables(reports)[0] if each.title.startswith(title)]
    (line,) = [row for row in table.rows if row[0] == name]
    return dict(zip(table.headings, line, strict=True))


def remarks(reports):
    return " ".join(seed_tables(reports)[1])


def test_every_reported_figure_is_there_without_results():
    text = seeds_to_markdown([])
    for name in (*LIGHT, *RESIDUAL):
        system = SYSTEMS[name]
        assert f"| {name} |" in text
        assert f"{system.d1:.3f}" in text
    for name in LIGHT:
        cost = cells([], "Speed", name)
        assert float(cost["reported frames/s"]) == SYSTEMS[name].fps
        assert float(cost['reported "Mb"']) == SYSTEMS[name].megabytes
        assert float(cost["checkpoint MB"]) == pytest.approx(SYSTEMS[name].megabytes, abs=1)
    assert cells([], "Scores", "fcrn-res50")["reported AbsRel"] == "2.35e+04"
    assert "here: not measured; that takes one results file" in text
    assert "Training images/s: not measured." in text


def test_the_reported_conclusion_follows_from_the_reported_figures():
    gain = cells([], "Against effb5-256: how", "unet128-dws")
    assert gain["reported faster"] == "3.0x"
    assert gain["reported smaller"] == gain["checkpoint smaller"] == "12.1x"
    assert (gain["here faster"], gain["deployable smaller"]) == ("", "")
    assert cells([], "Against effb5-256: d1", "unet128-dws")["reported"] == "21.4 / 6.5 / 1.6"


def test_ratios_are_of_one_file_runtime_and_size():
    heavy = old_row("effb5-256", 400.0, bytes=300_000_000, **UNTRAINED)
    light = old_row(p50=100.0, bytes=10_000_000)
    together = [report(heavy, light)]
    gain = cells(together, "Against effb5-256: how", "unet128-dws")
    assert (gain["here faster"], gain["deployable smaller"]) == ("4.0x", "30.0x")
    assert "effb5-256 (untrained), unet128-dws (unet128-dws.nyu), on a" in remarks(together)
    for apart in (
        [report(heavy), report(light)],
        [report(heavy, light | {"runtime": "openvino"})],
        [report(heavy, light | {"threads": 1})],
        [report(heavy, light | {"size": [240, 320]})],
        [report(heavy, new_row(fold=False))],
        [report(heavy, failed_row())],
    ):
        assert cells(apart, "Against effb5-256: how", "unet128-dws")["here faster"] == ""


def test_each_at_its_own_size_makes_a_ratio():
    heavy = old_row("effb5-256", 400.0, **UNTRAINED)
    light = old_row("unet128-dws-75", 50.0, size=[360, 480], **UNTRAINED)
    gain = cells([report(heavy, light)], "Against effb5-256: how", "unet128-dws-75")
    assert gain["here faster"] == "8.0x"


def test_passes_in_turns_count_before_speeds_that_were_taken_apart():
    turns = {"name": "effb5-256", "ratio": 7.0, "low": 6.5, "high": 7.25}
    both = report(new_row("effb5-256", p50=400.0), new_row("unet128-dws", p50=50.0, against=turns))
    gain = cells([both], "Against effb5-256: how", "unet128-dws")
    assert gain["here faster"] == "7.0x [6.5, 7.2]"
    other = report(
        new_row("effb5-256", p50=400.0),
        new_row("unet128-dws", p50=50.0, against=turns | {"name": "unet128"}),
    )
    assert cells([other], "Against effb5-256: how", "unet128-dws")["here faster"] == "8.0x"


def test_scores_are_of_trained_networks_on_the_same_real_images():
    heavy = old_row("effb5-256", metrics={"d1": 0.8})
    title = "Against effb5-256: d1"
    assert cells([report(heavy, old_row())], title, "unet128-dws")["here"] == "20.0 / 0.0 / 0.0"
    for other in (
        {"data": "nyu train"},
        {"data": "rooms"},
        {"sample_hash": "0" * 12},
        UNTRAINED,
    ):
        light = old_row(**other)
        assert cells([report(heavy, light)], title, "unet128-dws")["here"] == ""


def test_speed_of_training_where_it_was_measured():
    heavy, light = old_row("effb5-256"), old_row()
    heavy["training_images_per_second"], light["training_images_per_second"] = 2.0, 9.0
    gain = cells([report(heavy, light)], "Against effb5-256: how", "unet128-dws")
    assert gain["training images/s"] == "4.5x"
    assert "Training images/s: not" not in remarks([report(heavy, light)])


def test_the_best_row_stands_for_a_network():
    learnt = old_row(p50=10.0, data="nyu train", weights="eight", metrics={"d1": 0.99})
    trained = old_row(p50=20.0, metrics={"d1": 0.61})
    rows = [learnt, trained, trained | {"runtime": "torch", "fps": 3.0}]
    assert cells([report(*rows)], "d1", "unet128-dws")["here"] == "0.610 / 0.900 / 0.980"
    assert cells([report(*rows)], "Speed", "unet128-dws")["here frames/s"] == "50.00"
    only = [report(learnt)]
    assert cells(only, "d1", "unet128-dws")["here"] == ""
    assert cells(only, "Measured", "unet128-dws")["weights"] == "eight (over-fits)"


def test_the_second_table():
    row = old_row("fcrn-res50", size=[228, 304], metrics=METRICS)
    line = cells([report(row)], "Scores", "fcrn-res50")
    assert [line[f"here {key}"] for key in ("d1", "AbsRel", "RMSE\xa0m")] == [
        "0.600",
        "0.200",
        "0.80",
    ]
    assert [line[f"reported {key}"] for key in ("d1", "RMSE\xa0m")] == ["0.634", "1.74"]


def test_foreign_models_and_failures_do_not_stand_for_a_network():
    rows = [new_row(model={"file": "unet128-dws.onnx"}), failed_row()]
    assert seeds_to_markdown([report(*rows)]) == seeds_to_markdown([])


def test_the_command_prints_and_writes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["table", "--markdown", str(tmp_path / "table.md")]) == 0
    expected = seeds_to_markdown([read_results(path) for path in committed_results(ROOT)])
    assert (tmp_path / "table.md").read_text() == expected
    assert main(["table", "--markdown", "-"]) == 0
    assert capsys.readouterr().out == expected
    file = tmp_path / "results.json"
    file.write_text(json.dumps(report(old_row())))
    assert main(["table", str(file)]) == 0
    out = capsys.readouterr().out
    (line,) = [
        line for line in out.splitlines() if line.startswith("unet128-dws ") and "34.85" in line
    ]
    assert line.split() == ["unet128-dws", "34.85", "10.00", "78", "77.7", "11.6"]


def test_outside_a_checkout_it_asks_for_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["table"]) == 2
    assert "name results files" in capsys.readouterr().err
