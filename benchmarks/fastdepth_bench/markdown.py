"""Results as Markdown, made from the JSON that a run left, for README files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastdepth_bench.environment import Environment
from fastdepth_bench.table import signed

Row = Mapping[str, Any]

HEADINGS = (
    "variant",
    "runtime",
    "input",
    "frames/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "MB",
    "params M",
    "GMAC",
    "d1",
    "d2",
    "d3",
    "AbsRel",
    "RMSE m",
    "d1 - PyTorch",
)


def to_markdown(report: Mapping[str, Any]) -> str:
    """Tables of a report, one per data set and protocol, each with what is needed to repeat it.

    Args:
        report: a parsed results file, as ``result.schema.json`` describes it.

    Returns:
        Markdown that ends in the machine's description.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in report["rows"]:
        key = (row["data"], row["sample_hash"], row["protocol_description"], row["threads"])
        groups.setdefault(key, []).append(row)
    parts = [_table(rows) + "\n\n" + _caption(rows[0]) for rows in groups.values()]
    machine = Environment.from_dict(report["environment"]).describe()
    return "\n\n".join([*parts, f"Measured on {machine}."]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Iterable[str]], *, texts: int) -> str:
    """A Markdown table; the first ``texts`` columns stand to the left, numbers to the right."""
    rule = ["---"] * texts + ["---:"] * (len(headings) - texts)
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *rows))


def _table(rows: list[Row]) -> str:
    return table(HEADINGS, map(_cells, rows), texts=3)


def _cells(row: Row) -> tuple[str, ...]:
    height, width = row["size"]
    latency, metrics = row["latency_ms"] or {}, row["metrics"] or {}
    scores = (metrics.get(name) for name in ("d1", "d2", "d3", "abs_rel", "rmse"))
    difference = row["d1_minus_torch"]
    return (
        row["variant"],
        row["runtime"]
        + (f" {row['precision']}" if row["precision"] != "fp32" else "")
        + (f" ({row['error']})" if row["error"] else ""),
        f"{width}x{height}",
        number(row["fps"], 1),
        *(number(latency.get(name), 0) for name in ("p50", "p90", "p99")),
        number(row["bytes"] and row["bytes"] / 1e6, 1),
        number(row["deployed_params"] and row["deployed_params"] / 1e6, 2),
        number(row["gmac"], 1),
        *(number(value, 3) for value in scores),
        "" if difference is None else signed(difference),
    )


def number(value: float | None, digits: int) -> str:
    """A cell of a table; empty where there is no value."""
    return "" if value is None else f"{value:.{digits}f}"


def _caption(row: Row) -> str:
    kind = f" ({row['depth_kind']})" if row["depth_kind"] else ""
    return (
        f"{row['data']}{kind}, {row['samples']} samples, hash {row['sample_hash']}; "
        f"{row['protocol_description']}. {row['device']}, {row['threads']} thread(s), batch "
        f"{row['batch']}; frames/s at the median latency, network input in host memory to depth in "
        "host memory; MB of 10^6 bytes."
    )
