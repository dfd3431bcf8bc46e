"""What the table shows, and what it never puts side by side."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console

from fastdepth.metrics import Scores
from fastdepth_bench.case import Case
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.bootstrap import Interval
from fastdepth_bench.measure.pooling import Arrivals, FromDisk, Pooled, Versus
from fastdepth_bench.report.terminal import print_report, signed
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.result import Report, Result, compare_with_torch
from fastdepth_export.cost import GraphCost


def show(rows: list[Result], environment: Environment, width: int) -> str:
    console = Console(width=width, record=True, quiet=False, file=None, stderr=True)
    print_report(Report(environment, compare_with_torch(rows)), console)
    return console.export_text()


@pytest.fixture(autouse=True)
def no_weights_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Case, "weights_hash", property(lambda self: "abcdef012345"))


@pytest.fixture
def rows(case: Case, yardstick: Yardstick, pooled: Pooled, scores: Scores) -> list[Result]:
    """PyTorch, ONNX Runtime, and a failure, of the variant with the longest name."""
    trained = replace(case, variant="unet128-dws-75", weights="unet128-dws-75.nyu")
    cost = GraphCost(4_637_936, 12_345_678_901, 18_551_744)
    torch = Result(trained, yardstick, cost, pooled, scores)
    timing = replace(pooled.timing, p50=40.0, p99=41.0)
    faster = replace(pooled, timing=timing, fps=Interval(25.0, 24.0, 26.0))
    onnx = replace(torch, case=replace(trained, runtime="onnxruntime"), pooled=faster)
    return [torch, onnx, Result(onnx.case, yardstick, error="no memory")]


@pytest.mark.parametrize("width", [80, 120, 250])
def test_every_figure_is_there(rows: list[Result], environment: Environment, width: int) -> None:
    text = show(rows, environment, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    headings = ["variant", "runtime", "precision", "size", "inference", "end to end", "p50", "p99"]
    headings += ["MB", "memory", "params", "GMAC", "of", "d1", "d2", "d3", "AbsRel", "RMSE"]
    for heading in [*headings, "d1-torch"]:
        assert heading in text
    figures = ["2.50", "[2.40, 2.60]", "25.0", "400", "2.44", "41.0", "450", "18.6", "512", "4.64"]
    for figure in [*figures, "12.3", "0.867", "0.122", "0.449", "+0.0000", "480", "onnxruntime"]:
        assert figure in text
    assert "unet128-dws-75" in text


def test_as_few_tables_as_the_terminal_is_wide(
    rows: list[Result], environment: Environment
) -> None:
    tables = [show(rows, environment, width).count("──\n") for width in (80, 120, 250)]
    assert tables == [3, 2, 1]


def test_how_many_times_as_fast_stands_beside_the_speed(
    rows: list[Result], environment: Environment, pooled: Pooled
) -> None:
    assert "times as fast" not in show(rows, environment, 250)
    versus = Versus(Interval(4.5, 4.2, 4.9), Interval(4.25, 4.0, 4.75), p50=1800.0, rounds=100)
    plain = replace(rows[0].case, fold=False)
    rows[0] = replace(rows[0], against=plain, pooled=replace(pooled, versus=versus))
    text = show(rows, environment, 250)
    for part in ("unet128-dws-75:plain", "4.50 [4.20, 4.90]", "4.25 [4.00, 4.75]"):
        assert part in text
    assert "times as fast: both timed in turns" in " ".join(text.split())
    torch = replace(rows[0], against=rows[0].case)  # which PyTorch runs as written anyway
    (heading,) = [x for x in show([*rows, torch], environment, 250).splitlines() if ":plain" in x]
    assert heading.count("unet128-dws-75") == 1


def test_the_ceiling_is_named_with_the_rates_that_it_comes_from(
    rows: list[Result], environment: Environment
) -> None:
    rows[0] = replace(rows[0], rates=Rates(1e11, 1e10, threads=2))
    text = " ".join(show(rows, environment, 250).split())
    assert "31 %" in text  # 12.3 GMAC need 123 of 400 ms
    assert "100.0 GMAC/s" in text
    assert "#1 ceiling: multiply-adds bind" in text


def test_data_sets_and_protocols_never_share_a_table(
    rows: list[Result], environment: Environment, yardstick: Yardstick
) -> None:
    rooms = replace(yardstick, data="rooms", samples=50)
    others = [rooms, replace(yardstick, protocol="densedepth"), replace(yardstick, flip=True)]
    rows += [replace(rows[0], yardstick=other) for other in others]
    text = show(rows, environment, 250)
    assert text.count("──\n") == 4
    for line in text.splitlines():
        assert not ("rooms" in line and "nyu" in line)
    text = " ".join(text.split())
    assert text.count("protocol densedepth") == 1
    assert text.count("flip mean of image and mirror") == 1


def test_lines_below_say_how_to_repeat_it(rows: list[Result], environment: Environment) -> None:
    text = " ".join(show(rows, environment, 80).split())
    for part in (
        "nyu (in-painted): 654 samples, hash 0123456789ab; protocol eigen",
        "crop rows 45:471, columns 41:601",
        "range 0.001 < g < 10 m",
        "flip no",
        "averaging per image",
        "threads 1",
        "Model of the CPU",
        "torch 2.9.0",
        "#3 failed: no memory",
        "#1 #2 weights unet128-dws-75.nyu, hash abcdef012345",
    ):
        assert part in text
    assert "BUSY" not in text


def test_doubts_are_printed(
    case: Case, yardstick: Yardstick, pooled: Pooled, environment: Environment
) -> None:
    timing = replace(pooled.timing, cv=0.3)
    unsteady = replace(timing, warm_up=replace(timing.warm_up, stable=False))
    busy = replace(environment, busy=True, other_load=2.9)
    text = show([Result(case, yardstick, pooled=replace(pooled, timing=unsteady))], busy, 160)
    assert "#1 untrained" in text
    assert "#1 unsteady" in text
    assert "#1 noisy: times vary by more than 15%" in text
    assert "BUSY MACHINE: other processes used 2.9 cores" in text


def test_markup_in_messages_is_text(
    case: Case, yardstick: Yardstick, environment: Environment
) -> None:
    row = Result(case, yardstick, error="pip install 'fastdepth[cpu]'")
    assert "fastdepth[cpu]" in show([row], environment, 250)


def test_a_row_without_figures_is_dashes(
    case: Case, yardstick: Yardstick, environment: Environment
) -> None:
    text = show([Result(case, yardstick, error="no memory")], environment, 250)
    (line,) = (line for line in text.splitlines() if line.startswith(" 1") or line.startswith("1 "))
    assert len(re.findall(r"(?<=\s)-(?=\s|$)", line)) == 16


def test_no_minus_before_nothing() -> None:
    assert [signed(value) for value in (-1e-6, 0.00012, -0.01)] == ["+0.0000", "+0.0001", "-0.0100"]


def test_scenarios_are_told_apart(
    rows: list[Result], environment: Environment, pooled: Pooled
) -> None:
    assert "scenario" not in show(rows, environment, 250)
    overloaded = replace(pooled, queries=Arrivals(9.0, 2.4, overloaded=True))
    read = replace(pooled, from_disk=FromDisk(400, 2, 31.0))
    case = rows[0].case
    many = [
        replace(rows[0], case=replace(case, scenario="multi-stream", batch=8)),
        replace(rows[0], case=replace(case, scenario="server", rate=9.0), pooled=overloaded),
        replace(rows[0], case=replace(case, scenario="offline", batch=16), pooled=read),
    ]
    text = " ".join(show(many, environment, 250).split())
    for part in (
        "multi-stream x8",
        "server 9.00/s",
        "offline x16",
        "#2 overloaded",
        "#3 from disk, decoded and resized too: 31.0 images/s over 400 images, 2 of them",
    ):
        assert part in text
