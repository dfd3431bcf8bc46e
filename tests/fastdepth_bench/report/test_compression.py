"""docs/compression.md is made of what was measured, lever by lever."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import tyro
from made_up_results import failed_row, new_row, results

from fastdepth.errors import UsageError
from fastdepth.variants import VARIANTS
from fastdepth_bench.command import Command
from fastdepth_bench.options import Options
from fastdepth_bench.report.compression import (
    LEVERS,
    QUICK,
    comparisons,
    lever_section,
    scored,
    summary,
)
from fastdepth_bench.report.compression_plot import plot_study

BINS = Path("machine.bins.compression.json")
BASE, FEWER, FEWEST = LEVERS["bins"].networks[0][:3]


def section(name, path, *rows):
    return lever_section(LEVERS[name], {Path(path): results(*rows)})


def bins(*rows):
    return section("bins", BINS, *rows)


def lines(text):
    """Cells of the lines of tables, without headings."""
    cells = [line[2:-1].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in cells]
    return [line for line in cells if line[0] not in ("network", "lever", "---")]


def test_rows_stand_from_the_base_on_with_what_they_gain():
    against = {"name": BASE, "size": [480, 640], "ratio": 2.0, "low": 1.9, "high": 2.1}
    rows = (
        new_row(FEWEST, 40.0, bytes=5_000_000, metrics={"d1": 0.55, "abs_rel": 0.25}),
        new_row(FEWER, 50.0, against=against, bytes=9_000_000, metrics={"d1": 0.61}),
        new_row(BASE, 100.0, bytes=10_000_000),
    )
    page = bins(*rows)
    first, second, third = lines(page)
    assert bins(*rows, new_row(FEWER, 50.0, alignment="affine", metrics={"d1": 0.9})) == page
    assert "Median-aligned d1 and edge F1: not measured of these files; by `--align none,m" in page
    assert [line[0] for line in (first, second, third)] == [f"{BASE} (base)", FEWER, FEWEST]
    assert first[3:] == ["", "10.0", "", "0.600", ""]
    assert second[3:] == ["2.00 [1.90, 2.10]", "9.00", "0.90", "0.610", "+0.0100"]
    assert third[3:] == ["2.50", "5.00", "0.50", "0.550", "-0.0500"]
    assert "compression/bins.machine.png" in page
    assert "Measured by" in page
    said = summary({BINS: results(*rows)})
    assert ["bins", BASE, FEWEST, "2.50", "0.50", "-0.0500", "+0.0500"] in lines(said)


def test_scores_without_scale_and_of_edges_stand_in_a_table_below():
    rows = (
        new_row(BASE, metrics={"edge_f1": 0.02}),
        new_row(FEWER, metrics={"d1": 0.61, "edge_f1": 0.015}),
        new_row(BASE, alignment="median", metrics={"d1": 0.7}),
        new_row(FEWER, alignment="median", metrics={"d1": 0.69}),
        new_row(FEWEST),
    )
    page = bins(*rows)
    *_, base, fewer = lines(page)
    assert base == [f"{BASE} (base)", "0.600", "", "0.700", "", "0.0200", ""]
    assert fewer == [FEWER, "0.610", "+0.0100", "0.690", "-0.0100", "0.0150", "-0.0050"]
    assert "Not measured of 1 further lines of the table above." in page
    said = summary({BINS: results(*rows)})
    assert lines(said)[-1] == ["bins", BASE, FEWER, "+0.0100", "-0.0100", "-0.0050"]
    assert "| d1 - base | d1, median - base | edge F1 - base |" in said


@pytest.mark.parametrize(
    "rows",
    [
        [new_row(FEWER), new_row(FEWEST)],
        [new_row(BASE)],
        [new_row(BASE), failed_row(FEWER)],
        [new_row(BASE), new_row(FEWER, scenario="server")],
        [new_row(BASE), new_row(FEWER, runtime="openvino")],
        [new_row(BASE), new_row(FEWER, precision="int8")],
        [new_row(BASE, data="nyu train"), new_row(FEWER, data="nyu train")],
    ],
    ids=["no base", "base alone", "failed", "scenario", "runtime", "precision", "learnt"],
)
def test_what_cannot_be_compared_is_not_measured(rows):
    page = bins(*rows)
    assert lines(page) == []
    assert "Not measured yet; it will be by\n\n```sh\nfastdepth-bench --weights" in page
    said = summary({BINS: results(*rows)})
    assert lines(said) == [] and "Not measured yet: separable, bins," in said


def test_untrained_networks_have_speed_and_bytes_and_no_image():
    page = bins(new_row(BASE, 100.0, metrics=None), new_row(FEWER, 50.0))
    assert lines(page)[1][-2:] == ["0.600", ""]
    assert "![" not in page
    assert "Measured by" not in page
    assert f"To be measured yet, of `{QUICK}`:" in page


def test_runtimes_have_a_base_each():
    rows = [
        new_row(runtime=runtime, precision=precision)
        for precision in ("int8", "fp16", "fp32")
        for runtime in ("onnxruntime", "openvino")
    ]
    found = lines(section("int8", "machine.precisions.json", *rows))
    assert [line[0].partition(" ")[2] for line in found] == [
        "onnxruntime (base)",
        "onnxruntime int8",
        "openvino (base)",
        "openvino int8",
    ]
    assert len(lines(section("fp16", "machine.precisions.json", *rows))) == 4


def test_distillation_compares_weights_in_the_order_of_the_run():
    rows = [new_row(QUICK, weights=f"{name}.safetensors") for name in ("whole", "taught")]
    found = lines(section("distillation", "machine.distillation.compression.json", *rows))
    assert [line[0] for line in found] == [
        f"{QUICK} whole.safetensors (base)",
        f"{QUICK} taught.safetensors",
    ]


def test_forms_of_a_network_are_those_of_any_file_about_folding():
    against = {"name": "unet128:plain", "size": [480, 640], "ratio": 3.0, "low": 2.9, "high": 3.1}
    rows = [
        new_row("unet128", 300.0, form="plain", metrics=None),
        new_row("unet128", 200.0, form="last-axis", metrics=None),
        new_row("unet128", 100.0, against=against, metrics=None),
    ]
    page = section("folding", "machine.folding.json", *rows)
    plain, folded = lines(page)
    assert (plain[0], folded[0]) == ("unet128:plain (base)", "unet128")
    assert folded[3] == "3.00 [2.90, 3.10]"
    assert "![" not in page


def test_a_file_of_no_lever_is_refused():
    with pytest.raises(UsageError, match=r"m\.bin\.compression\.json is of no lever; end its name"):
        summary({Path("m.bin.compression.json"): results(new_row())})


@pytest.mark.parametrize("lever", LEVERS.values(), ids=LEVERS)
def test_the_networks_of_a_lever_exist(lever):
    names = {name.removesuffix(":plain") for names in lever.networks for name in names}
    assert names <= set(VARIANTS)
    assert lever.subject in names


@pytest.mark.parametrize("lever", LEVERS.values(), ids=LEVERS)
def test_the_command_of_a_lever_measures_it(lever, tmp_path, monkeypatch):
    """It parses, and the rows that it asks for are those that the lever compares."""
    monkeypatch.setattr("fastdepth_bench.options.find_weights", Path)
    monkeypatch.setattr("fastdepth_bench.options.read_card", card_of)
    words = shlex.split(lever.command)[1:]
    asked = tyro.cli(Command, args=words, config=(tyro.conf.UseAppendAction,))
    assert Path(asked.json).name == f"MACHINE{lever.ends[0]}"
    cases = Options.cases(asked)
    rows = [
        new_row(
            case.variant,
            form=case.name.partition(":")[2] or "folded",
            precision=case.precision,
            runtime=case.runtime,
            weights=case.weights,
        )
        for case in cases
    ]
    series = [[step.row for step in steps] for steps in lever.series(results(*rows))]
    assert lever.subject in {row.variant for row in series[0]}
    assert lever.precisions[-1] in {row.precision for row in series[0]}
    alone = {case.name for case in cases if asked.against_of(case) is None}
    assert not asked.against or alone == {asked.against} == {series[0][0].name}


def card_of(path):
    """A card as the file of the study's has that is named after its variant."""
    name = path.stem if path.stem in VARIANTS else QUICK
    return type("Card", (), {"variant": name})


def test_every_series_with_scores_is_drawn(tmp_path):
    rows = [new_row(BASE, 100.0), new_row(FEWER, 50.0), new_row(FEWEST, 40.0, metrics=None)]
    taught = [new_row(QUICK, weights=name) for name in ("whole", "taught")]
    reports = {
        BINS: results(*rows),
        Path("x.y.distillation.compression.json"): results(*taught),
        Path("x.precisions.json"): results(new_row(), new_row(precision="fp16", metrics=None)),
    }
    ((_, series),) = comparisons(LEVERS["bins"], reports)
    assert [[step.row.variant for step in steps] for steps in scored(series)] == [[BASE, FEWER]]
    written = plot_study(reports, tmp_path)
    assert [path.name for path in written] == ["bins.machine.png", "distillation.x.y.png"]
    page = "".join(lever_section(lever, reports) for lever in LEVERS.values())
    assert all(f"(compression/{path.name})" in page for path in written)
    before = [path.read_bytes() for path in written]
    assert all(each.startswith(b"\x89PNG") and len(each) < 80_000 for each in before)
    assert [path.read_bytes() for path in plot_study(reports, tmp_path)] == before
