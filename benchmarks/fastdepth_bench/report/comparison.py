"""What is worse or better between two results files, beyond noise.

- **Speed**, where both rows have an interval over restarts of the process: the two do not overlap.
  Elsewhere: the medians of the latency differ by more than 5 % and by more than the sum of the
  rows' notches, 1.57 IQR / sqrt(n), outside of which two medians differ at about the 95 % level
  (McGill, Tukey, Larsen, "Variations of box plots", The American Statistician 32, 1978).
- **Accuracy**, which has no noise on one list of samples: a threshold accuracy lower by more than
  ``tolerance``, an error larger by more than ``error_tolerance`` of itself, more pixels that are
  not finite.
- **Bytes** of the file: more than 1 % more.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastdepth_bench.results.reading import OFFLINE, YARDSTICK, Row, scenario

LEAST_CHANGE = 0.05
"""Share of the latency below which medians of single runs are taken to be equal."""

LEAST_GROWTH = 0.01
"""Share of the bytes below which files are taken to be of one size."""

HIGHER_IS_BETTER = ("d1", "d2", "d3")
LOWER_IS_BETTER = ("abs_rel", "sq_rel", "rmse", "rmse_log", "log10", "silog", "mae", "mse")

IDENTITY = (
    "variant",
    "weights",
    "runtime",
    "precision",
    "device",
    "untrained",
    *YARDSTICK,
)
"""Keys that two rows share when they measure the same thing."""


@dataclass(frozen=True)
class Limits:
    """From where on a change counts.

    Attributes:
        tolerance: of d1, d2 and d3, absolute.
        error_tolerance: of the errors, as a share of the old one.
        speed: whether speeds are compared at all.
    """

    tolerance: float = 0.005
    error_tolerance: float = 0.02
    speed: bool = True


@dataclass(frozen=True)
class Comparison:
    """One row of the old file, the new file, or both.

    Attributes:
        old: the row before; None where it is new.
        new: the row now; None where it is missing.
        worse: what got worse beyond noise, each a word and its figures.
        better: what got better beyond noise.
    """

    old: Row | None
    new: Row | None
    worse: tuple[tuple[str, str], ...] = ()
    better: tuple[tuple[str, str], ...] = ()

    @property
    def row(self) -> Row:
        """The row that names it."""
        row = self.new or self.old
        assert row is not None  # one of the two is always there
        return row


Finding = tuple[bool, str, str]
"""Whether it is for the worse, a word for it, and its figures."""


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], limits: Limits = Limits()
) -> list[Comparison]:
    """Compare every row of two parsed results files.

    Args:
        old: as ``result.schema.json`` describes it.
        new: the same.
        limits: from where on a change counts.

    Returns:
        Rows in the order of the old file, then those that are new.
    """
    before, now = (_by_identity(report["rows"], limits.speed) for report in (old, new))
    return [
        _compared(before.get(key), now.get(key), limits) for key in dict.fromkeys([*before, *now])
    ]


def _by_identity(rows: Sequence[Row], speed: bool) -> dict[tuple[Any, ...], Row]:
    """Rows by what they measure; where several measure the same, by their order as well.

    Threads change speeds alone, so without these rows with any number of them are the same.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    found = {}
    for row in rows:
        queries = row.get("queries") or {}
        key = (
            *(row[name] for name in IDENTITY),
            *row["size"],
            row["threads"] if speed else None,
            row.get("fold", True),
            scenario(row),
            None if scenario(row) == OFFLINE else row["batch"],  # the run found that one itself
            queries.get("rate"),
            queries.get("samples"),
        )
        seen[key] += 1
        found[(*key, seen[key])] = row
    return found


def _compared(old: Row | None, new: Row | None, limits: Limits) -> Comparison:
    findings: list[Finding] = []
    if new is None:
        findings.append((True, "missing", "not in the new file"))
    elif old is None:
        findings += [(True, "fails", new["error"])] if new["error"] else []
    elif new["error"]:
        findings += [] if old["error"] else [(True, "fails", new["error"])]
    elif old["error"]:
        findings.append((False, "works", f"failed before: {old['error']}"))
    else:
        findings += [*_accuracy(old, new, limits), *_bytes(old, new)]
        if limits.speed:
            findings += [*_speed(old, new), *_overload(old, new)]
    worse, better = (
        tuple((word, figures) for bad, word, figures in findings if bad is side)
        for side in (True, False)
    )
    return Comparison(old, new, worse, better)


def _speed(old: Row, new: Row) -> Iterator[Finding]:
    """Faster or slower, where that is beyond noise."""
    before, now = old["fps"], new["fps"]
    span, new_span = old.get("fps_interval"), new.get("fps_interval")
    if span and new_span:
        (low, high), (new_low, new_high) = span, new_span
        beyond = new_low > high or new_high < low
        how = f"intervals {low:.2f} to {high:.2f} and {new_low:.2f} to {new_high:.2f}"
    else:
        noise = max(LEAST_CHANGE, _notch(old) + _notch(new) * before / now)
        beyond = abs(before / now - 1) > noise
        how = f"noise {100 * noise:.1f} %"
    if beyond:
        worse = now < before
        figures = f"{before:.2f} -> {now:.2f} frames/s, {_percent(now / before)}; {how}"
        yield worse, "slower" if worse else "faster", figures


def _notch(row: Row) -> float:
    """Half the notch of McGill et al. about the median latency, as a share of it."""
    latency = row["latency_ms"]
    return float(1.57 * latency["iqr"] / math.sqrt(row["n"]) / latency["p50"])


def _overload(old: Row, new: Row) -> Iterator[Finding]:
    """Whether a server began or ceased to keep up with its queries."""
    before, now = ((row.get("queries") or {}).get("overloaded", False) for row in (old, new))
    if bool(before) != bool(now):
        yield bool(now), "overloaded" if now else "keeps up", "at the same rate of queries"


def _accuracy(old: Row, new: Row, limits: Limits) -> Iterator[Finding]:
    """Metrics that left their tolerance."""
    before, now = old["metrics"], new["metrics"]
    if not before or not now:
        if before:
            yield True, "unscored", "accuracy is no longer measured"
        return
    if now["nonfinite"] > before["nonfinite"]:
        yield True, "not finite", f"{before['nonfinite']} -> {now['nonfinite']} pixels"
    changed = [
        (now[name] < before[name], name)
        for name in HIGHER_IS_BETTER
        if abs(now[name] - before[name]) > limits.tolerance
    ]
    changed += [
        (now[name] > before[name], name)
        for name in LOWER_IS_BETTER
        if abs(now[name] - before[name]) > limits.error_tolerance * before[name]
    ]
    for worse, word in ((True, "less accurate"), (False, "more accurate")):
        names = [name for bad, name in changed if bad is worse]
        if names:
            yield worse, word, ", ".join(f"{n} {before[n]:.4f} -> {now[n]:.4f}" for n in names)


def _bytes(old: Row, new: Row) -> Iterator[Finding]:
    before, now = old["bytes"], new["bytes"]
    if abs(now - before) > LEAST_GROWTH * before:
        worse = now > before
        figures = f"{before / 1e6:.2f} -> {now / 1e6:.2f} MB, {_percent(now / before)}"
        yield worse, "larger" if worse else "smaller", figures


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.1f} %"
