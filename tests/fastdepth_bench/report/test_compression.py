"""docs/compression.md is made of what was measured, lever by lever."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import tyro
from made_up_results import failed_row, new_row, report

from fastdepth.errors import UsageError
from fastdepth.train.compress.prune import Pruning
from fastdepth.train.options import TrainingRun
from fastdepth.variants import VARIANTS
from fastdepth_bench.command import Command
from fastdepth_bench.options import Options
from fastdepth_bench.report.compression import (
    LEVERS,
    PAGE,
    QUICK,
    SUMMARY,
    comparisons,
    scored,
    with_study,
)
from fastdepth_bench.report.compression_plot import plot_study
from fastdepth_bench.report.markdown import marks
from fastdepth_bench.results.reading import committed_results, network, read_results

ROOT = Path(__file__).parents[3]
EMPTY = "".join("# {}\n{}\n{}\n".format(n, *marks(n)) for n in (SUMMARY, *LEVERS))
BINS = Path("machine.bins.compression.json")
BASE, FEWER, FEWEST = LEVERS["bins"].networks[0][:3]


def bins(*rows):
    return {BINS: report(*rows)}


def lines(page, section):
    """Cells of the lines of a section's tables, without headings."""
    begin, end = marks(section)
    text = page.partition(begin)[2].partition(end)[0]
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [line for line in cells if line[0] not in ("network", "lever", "---")]


def test_the_committed_page_is_what_is_generated():
    page = (ROOT / PAGE).read_text()
    reports = {path: read_results(path) for path in committed_results(ROOT)}
    assert with_study(page, reports) == page


def test_the_committed_page_shows_images_that_exist_and_no_others():
    shown = set(re.findall(r"!\[.*?\]\((.*?)\)", (ROOT / PAGE).read_text()))
    folder = (ROOT / PAGE).parent
    assert shown == {path.relative_to(folder).as_posix() for path in folder.glob("*/*.png")}
    assert all((folder / name).stat().st_size < 100_000 for name in shown)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / PAGE).read_text()):
        assert ((ROOT / PAGE).parent / target).exists(), target


def test_rows_stand_from_the_base_on_with_what_they_gain():
    versus = {"name": BASE, "size": [480, 640], "ratio": 2.0, "low": 1.9, "high": 2.1}
    found = bins(
        new_row(FEWEST, 40.0, bytes=5_000_000, metrics={"d1": 0.55, "abs_rel": 0.25}),
        new_row(FEWER, 50.0, against=versus, bytes=9_000_000, metrics={"d1": 0.61}),
        new_row(BASE, 100.0, bytes=10_000_000),
    )
    page = with_study(EMPTY, found)
    table = lines(page, "bins")
    assert [line[0] for line in table] == [f"{BASE} (base)", FEWER, FEWEST]
    assert table[0][7:10] == ["", "10.0", ""]
    assert table[1][7:10] == ["2.00 [1.90, 2.10]", "9.0", "0.90"]
    assert table[1][10:12] == ["0.610", "+0.0100"]
    assert table[2][7:] == ["2.50", "5.0", "0.50", "0.550", "-0.0500", "0.250", "+0.0500"]
    assert ["bins", BASE, FEWEST, "2.50", "0.50", "-0.0500", "+0.0500"] in lines(page, SUMMARY)
    assert "compression/bins.machine.png" in page
    assert "Measured by" in page


def test_a_ratio_to_something_else_or_at_another_size_is_not_the_base():
    other = {"name": FEWEST, "size": [480, 640], "ratio": 9.0, "low": 8.0, "high": 9.9}
    small = other | {"name": BASE, "size": [48, 64]}
    rows = [new_row(FEWER, 50.0, against=other), new_row(FEWEST, 50.0, against=small)]
    table = lines(with_study(EMPTY, bins(new_row(BASE, 100.0), *rows)), "bins")
    assert [line[7] for line in table] == ["", "2.00", "2.00"]


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
    page = with_study(EMPTY, bins(*rows))
    assert lines(page, "bins") == []
    assert "Not measured yet; it will be by\n\n```sh\nfastdepth-bench --weights" in page
    assert lines(page, SUMMARY)[1][:2] == ["bins", "not measured yet"]


def test_untrained_networks_have_speed_and_bytes_and_no_image():
    page = with_study(EMPTY, bins(new_row(BASE, 100.0, metrics=None), new_row(FEWER, 50.0)))
    assert lines(page, "bins")[1][10:12] == ["0.600", ""]
    assert "![" not in page
    assert "Measured by" not in page
    assert f"To be measured yet, of `{QUICK}`:" in page


def test_runtimes_have_a_base_each():
    path = Path("machine.precisions.json")
    rows = [
        new_row(runtime=runtime, precision=precision)
        for precision in ("int8", "fp16", "fp32")
        for runtime in ("onnxruntime", "openvino")
    ]
    reports = {path: report(*rows)}
    page = with_study(EMPTY, reports)
    assert [line[2] for line in lines(page, "int8")] == [
        "onnxruntime",
        "onnxruntime int8",
        "openvino",
        "openvino int8",
    ]
    assert len(lines(page, "fp16")) == 4


def test_distillation_compares_weights_in_the_order_of_the_run():
    rows = [new_row(QUICK, weights=f"{name}.safetensors") for name in ("whole", "taught")]
    reports = {Path("machine.distillation.compression.json"): report(*rows)}
    table = lines(with_study(EMPTY, reports), "distillation")
    assert [line[:2] for line in table] == [
        [f"{QUICK} (base)", "whole.safetensors"],
        [QUICK, "taught.safetensors"],
    ]


def test_the_folding_benchmark_is_read_too():
    name = "amd-epyc-4-cores.folding.json"
    path = ROOT / "benchmarks" / "results" / name
    page = with_study(EMPTY, {path: read_results(path)})
    table = lines(page, "folding")
    assert table[1][0] == "unet128-dws"
    assert re.fullmatch(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]", table[1][7])
    assert "differ by 4.8e-06 m at most. cpu, 1 thread(s)" in page
    assert "![" not in page


def test_a_file_of_no_lever_is_refused():
    with pytest.raises(UsageError, match=r"m\.bin\.compression\.json is of no lever; end its name"):
        with_study(EMPTY, {Path("m.bin.compression.json"): report(new_row())})


def test_a_page_without_a_lever_is_refused():
    with pytest.raises(UsageError, match=r"compression\.md lacks the lines <!-- pruning: begin"):
        with_study(EMPTY.replace("pruning: end", ""), {})


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
        new_row(c.variant, fold=c.fold, precision=c.precision, runtime=c.runtime, weights=c.weights)
        for c in cases
    ]
    series = lever.series(report(*rows))
    assert lever.subject in {row["variant"] for row in series[0]}
    assert lever.precisions[-1] in {row["precision"] for row in series[0]}
    alone = {case.name for case in cases if asked.against_of(case) is None}
    assert not asked.against or alone == {asked.against} == {network(series[0][0])}


def card_of(path):
    """A card as the file of the study's has that is named after its variant."""
    name = path.stem if path.stem in VARIANTS else QUICK
    return type("Card", (), {"variant": name})


def test_the_commands_that_train_have_these_options():
    text = (ROOT / PAGE).read_text().replace("\\\n", " ")
    names = re.search(r"for name in (.*)", text)[1].split()
    levers = [LEVERS[name].networks[0] for name in ("separable", "bins", "scale")]
    assert set(names) == {name for networks in levers for name in networks}
    commands = re.findall(r"fastdepth-train (--.*)", text)
    assert len(commands) == 3
    (prune,) = re.findall(r"fastdepth-train prune (.*)", text)
    for line, kind in (*((line, TrainingRun) for line in commands), (prune, Pruning)):
        words = shlex.split(line.replace("$name", names[0]))
        tyro.cli(kind, args=words, config=(tyro.conf.UseAppendAction,))


def test_every_series_with_scores_is_drawn(tmp_path):
    rows = [new_row(BASE, 100.0), new_row(FEWER, 50.0), new_row(FEWEST, 40.0, metrics=None)]
    taught = [new_row(QUICK, weights=name) for name in ("whole", "taught")]
    reports = {
        **bins(*rows),
        Path("x.y.distillation.compression.json"): report(*taught),
        Path("x.precisions.json"): report(new_row(), new_row(precision="fp16", metrics=None)),
    }
    ((_, series),) = comparisons(LEVERS["bins"], reports)
    assert [[row["variant"] for row in rows] for rows in scored(series)] == [[BASE, FEWER]]
    written = plot_study(reports, tmp_path)
    assert [path.name for path in written] == ["bins.machine.png", "distillation.x.y.png"]
    page = with_study(EMPTY, reports)
    assert all(f"(compression/{path.name})" in page for path in written)
    before = [path.read_bytes() for path in written]
    assert all(each.startswith(b"\x89PNG") and len(each) < 80_000 for each in before)
    assert [path.read_bytes() for path in plot_study(reports, tmp_path)] == before
