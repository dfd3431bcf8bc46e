"""Fair rivals beside fastdepth's own networks: trained by the same recipe, timed in one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastdepth_bench.report.markdown import COLUMNS, OPTIONAL, Cell, caption, number, table
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.reading import Row, network


def _times(prefix: str) -> Cell:
    """How many times as fast as what the row was timed in turns with: ``1.98 [1.91, 2.03]``."""

    def cell(row: Row) -> str:
        against = row.get("against")
        if not against or not against.get(f"{prefix}ratio"):
            return ""
        ratio, low, high = (
            number(against[f"{prefix}{key}"], 2) for key in ("ratio", "low", "high")
        )
        return f"{ratio} [{low}, {high}]"

    return cell


CELLS: Mapping[str, Cell] = {
    "network": network,
    "trained from": lambda row: row.get("initialisation") or row["weights"],
    "input": COLUMNS["input"],
    "frames/s": COLUMNS["frames/s"],
    "times": _times(""),
    "end to end frames/s": OPTIONAL["frames/s"]["end-to-end frames/s"],
    "end to end times": _times("end_to_end_"),
    **{name: COLUMNS[name] for name in ("GMAC", "params M", "MB", "d1", "d2", "AbsRel", "RMSE m")},
}
"""Headings, and what stands below them."""


def rivals_to_markdown(report: Mapping[str, Any]) -> str:
    """A table whose rows were timed in turns with one of them.

    Args:
        report: a parsed results file, as ``result.schema.json`` describes it.
    """
    rows = report["rows"]
    lines = ([cell(row) for cell in CELLS.values()] for row in rows)
    other = next((row["against"]["name"] for row in rows if row.get("against")), "")
    times = (
        f" Times: as fast as `{other}`, timed in turns, with the 95 % interval." if other else ""
    )
    machine = Environment.from_dict(report["environment"]).describe()
    parts = (table([*CELLS], lines, texts=3), caption(rows) + times, f"Measured on {machine}.")
    return "\n\n".join(parts) + "\n"
