"""A heading stands in the table of columns alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_results import failed_row, new_row, old_row, read_rows

import fastdepth_bench
from fastdepth.metrics import METRICS
from fastdepth_bench.report import columns
from fastdepth_bench.report.cells import Column, short, signed
from fastdepth_bench.report.columns import (
    D1,
    FPS,
    MB,
    RMSE,
    SCENARIO,
    SCORES,
    TIMES,
    TO_TORCH,
    WIDEST,
    X_BASE,
)
from fastdepth_bench.report.select import Step

PACKAGE = Path(fastdepth_bench.__file__).parent


def every_column() -> Iterator[Column]:
    """All columns of the table, those in selections too."""
    waiting = [value for name, value in vars(columns).items() if name.isupper()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Column):
            yield value
        elif isinstance(value, tuple):
            waiting += value


def texts(path: Path) -> Iterator[str]:
    """Strings of a module, without its docstrings and messages."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_heading_stands_anywhere_else():
    """Of the headings that are no common word, such as a key of the JSON may be."""
    headings = {each.title for each in every_column()} | {each.heading for each in every_column()}
    said = {heading for heading in headings if not heading.isidentifier() or not heading.islower()}
    said -= {""}
    assert {"frames/s", "file MB", "AbsRel", "RMSE m", "x base", "GMAC"} <= said
    for path in PACKAGE.rglob("*.py"):
        if path != Path(columns.__file__):
            assert not said & set(texts(path)), path.name


def test_every_metric_has_a_column():
    (row,) = read_rows(new_row())
    for name, metric in METRICS.items():
        assert SCORES[name].text(row) == f"{row.metrics[name]:.{metric.digits}f}"
        assert SCORES[name].title == f"{metric.heading} {metric.unit}".strip()


def test_no_selection_for_markdown_is_too_wide():
    for name, value in vars(columns).items():
        if name.isupper() and isinstance(value, tuple) and name not in ("TERMINAL", "RESULTS"):
            assert len(value) <= WIDEST, name


def test_a_cell_is_a_figure_with_its_interval_or_empty():
    other = {"name": "unet128-dws:plain", "ratio": 4.613, "low": 4.5, "high": 4.72}
    new, old, failed = read_rows(new_row(against=other), old_row(), failed_row())
    assert [FPS.text(row) for row in (new, old, failed)] == ["10.0 [9.80, 10.2]", "10.0", ""]
    assert TIMES.text(new) == "4.61 [4.50, 4.72]"
    assert "as unet128-dws:plain, timed in turns" in TIMES.meaning([new, old])
    assert [MB.text(new), D1.text(new), RMSE.title] == ["11.6", "0.600", "RMSE m"]
    assert [column.text(failed) for column in (MB, D1, TIMES, TO_TORCH)] == ["", "", "", ""]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.414, "2.41"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (24.14, "24.1"),
        (241.4, "241"),
        (0, "0.00"),
    ],
)
def test_three_digits_or_more(value, text):
    assert short(value) == text


def test_no_minus_before_nothing():
    assert [signed(value) for value in (-1e-6, 0.00012, -0.01)] == ["+0.0000", "+0.0001", "-0.0100"]


def test_scenarios_are_told_with_what_decides_them():
    queries = {"n": 9, "samples": 1, "rate": 20.0, "p99_ms": 85.4}
    rows = read_rows(
        new_row(),
        new_row(batch=2),
        new_row(scenario="multi-stream", batch=8),
        new_row(scenario="server", queries=queries),
    )
    assert [SCENARIO.text(row) for row in rows] == [
        "",
        "batch 2",
        "multi-stream x8",
        "server 20.0/s, p99 85.4 ms",
    ]


def test_a_ratio_to_something_else_or_at_another_size_is_not_the_base():
    turns = {"name": "unet128", "size": [480, 640], "ratio": 9.0, "low": 8.0, "high": 9.5}
    base, own, other, small = read_rows(
        new_row("unet128", 200.0),
        new_row(against=turns),
        new_row(against=turns | {"name": "unet256"}),
        new_row(against=turns | {"size": [48, 64]}),
    )
    shown = [X_BASE.text(Step(row, base)) for row in (base, own, other, small)]
    assert shown == ["", "9.00 [8.00, 9.50]", "2.00", "2.00"]


def test_a_column_of_something_that_may_lack_its_row():
    here = D1.of(lambda row: row, "here")
    assert (here.title, here.text(None)) == ("here d1", "")
