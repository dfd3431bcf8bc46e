"""What ``python -m fastdepth_bench.measure.folding`` measured, for a terminal and for README files.

Both are made of the rows of the JSON, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastdepth.size import Size
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.measure.bootstrap import CONFIDENCE
from fastdepth_bench.report.markdown import number, table
from fastdepth_bench.report.terminal import busy_lines, print_lines
from fastdepth_bench.results.environment import Environment

if TYPE_CHECKING:
    from rich.console import Console

    from fastdepth_bench.case import Case
    from fastdepth_bench.report.folding_report import FoldingReport, Form

Row = Mapping[str, Any]

Columns = Mapping[str, Callable[[Row], str]]
"""Heading, and what stands below it, empty where nothing was measured."""


def _speedup(row: Row) -> str:
    ratio = row["speedup"]
    return f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]" if ratio else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def _difference(key: str) -> Callable[[Row], str]:
    return lambda row: "" if row[key] is None else f"{row[key]:.1e}" if row[key] else "0"


FILE: Columns = {
    "file": lambda row: row["form"] + (f" = {row['same_as']}" if row["same_as"] else "")
}

SPEED: Columns = {
    **FILE,
    "params M": lambda row: number(row["deployed_params"] / 1e6, 2),
    "GMAC": lambda row: number(row["gmac"], 1),
    "MB": lambda row: number(row["bytes"] / 1e6, 1),
    "p50 ms": lambda row: number(row["latency_ms"] and row["latency_ms"]["p50"], 1),
    "frames/s": lambda row: number(row["fps"], 2),
    "x plain": _speedup,
    "ceiling": lambda row: _percent(row["ceiling_share"]),
}

EXACTNESS: Columns = {
    **FILE,
    "to plain m": _difference("difference_to_plain"),
    "to float64 m": _difference("difference_to_float64"),
}

MARKDOWN: Columns = {
    "variant": lambda row: row["variant"] + (" (untrained)" if row["untrained"] else ""),
    "input": lambda row: str(Size(*row["size"])),
    **SPEED,
    **EXACTNESS,
}


def ceiling_lines(case: Case, forms: Sequence[Form]) -> Iterator[str]:
    """The ceiling of every file, to print before anything is timed."""
    for form in forms:
        if not form.same_as:
            yield f"{case.variant} {case.size} {form.name}: {form.ceiling.describe()}"


def print_report(report: FoldingReport, console: Console) -> None:
    """Print speed, exactness and savings of every variant, and what is needed to repeat them."""
    content = report.as_dict()
    for variant in report.variants:
        rows = variant.to_rows()
        lines = [_heading(rows[0]), "", *_aligned(rows, SPEED), "", _images(content)]
        timed = [row for row in rows if not row["same_as"]]
        lines += ["", *_aligned(timed, EXACTNESS), "", *_remarks(rows), ""]
        print_lines(console, lines)
    print_lines(console, _caption(content))


def folding_to_markdown(report: Mapping[str, Any]) -> str:
    """One table of all variants, with what is needed to repeat it.

    Args:
        report: a parsed results file, as ``folding.schema.json`` describes it.

    Returns:
        Markdown that ends in the machine's description.
    """
    rows = ([cell(row) for cell in MARKDOWN.values()] for row in report["rows"])
    parts = [table(list(MARKDOWN), rows, texts=3), _images(report), *_caption(report)]
    return "\n\n".join(parts) + "\n"


def _heading(row: Row) -> str:
    weights = f"weights {row['weights']}, hash {row['weights_hash']}"
    if row["untrained"]:
        weights = "untrained: the same random weights in every run"
    return f"{row['variant']}, {Size(*row['size'])}, {weights}"


def _aligned(rows: Sequence[Row], columns: Columns) -> Iterator[str]:
    """A table in plain text: the first column to the left, the others to the right."""
    lines = [list(columns), *([cell(row) or "-" for cell in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *others = (
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join([first, *others])


def _images(report: Mapping[str, Any]) -> str:
    return (
        f"Largest |difference| of depth over every pixel, border included, of {report['samples']} "
        f"images of {report['data']}, hash {report['sample_hash']}: to plain, and to the network "
        "in float64 in PyTorch."
    )


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    """What was saved, what did not need timing, and whether the times stood still."""
    by_form = {row["form"]: row for row in rows}
    for row in rows:
        if row["same_as"]:
            yield f"{row['form']} is the graph of {row['same_as']}: nothing changed, nothing timed"
    if not by_form["folded"]["same_as"]:
        yield _saved(by_form["plain"], by_form["folded"])
    unsteady = [row["form"] for row in rows if row["warm_up"] and not row["warm_up"]["stable"]]
    if unsteady:
        yield f"unsteady: the median of {', '.join(unsteady)} still moved when warm-up ended"


def _saved(plain: Row, folded: Row) -> str:
    parts = (
        ("parameters", "deployed_params", 1e6, "M", 2),
        ("multiply-adds", "gmac", 1, "G", 1),
        ("bytes", "bytes", 1e6, "MB", 1),
    )
    return "folded saves " + ", ".join(
        f"{round(100 * (1 - folded[key] / plain[key]))} % of the {what} "
        f"({plain[key] / unit:.{digits}f} -> {folded[key] / unit:.{digits}f} {name})"
        for what, key, unit, name, digits in parts
    )


def _caption(report: Mapping[str, Any]) -> list[str]:
    rates, environment = Rates(**report["rates"]), Environment.from_dict(report["environment"])
    return [
        f"plain: the network as written; last-axis: its softmax over the bins on the last axis; "
        f"folded: as exported. ONNX Runtime, CPU provider, {rates.threads} thread(s), batch 1, "
        f"timed in turns in one run; medians; x plain: plain's median over this one's, with its "
        f"{CONFIDENCE} % bootstrap interval; ceiling: least time over p50; MB of 10^6 bytes.",
        f"Least time: {rates.describe()}.",
        f"Measured on {environment.describe()}.",
        *busy_lines(environment),
    ]
