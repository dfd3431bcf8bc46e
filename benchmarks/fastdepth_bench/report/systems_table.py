"""Every system that fastdepth reproduces, as Markdown: what was reported and what was measured."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from fastdepth.metadata import UNTRAINED
from fastdepth.published import SYSTEMS, System
from fastdepth.variants import VARIANTS
from fastdepth_bench.case import REFERENCE
from fastdepth_bench.report.markdown import millions, number, table
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.reading import Row, is_learnt

HEADINGS = (
    "system",
    "reported by",
    "trained on",
    "reported d1 / d2 / d3",
    "AbsRel",
    "RMSE m",
    "frames/s",
    '"Mb"',
    "measured here d1 / d2 / d3",
    "AbsRel",
    "RMSE m",
    "frames/s",
    "MB",
    "input",
    "weights",
    "on",
)

NOT_MEASURED = "not measured"

_DEPLOYED = ("onnxruntime", "fp32")  # what stands for a system that was measured in several


def systems_to_markdown(reports: Sequence[Mapping[str, Any]]) -> str:
    """The table of systems, what each measurement was made on, and what a comparison must say.

    Args:
        reports: parsed results files, as ``result.schema.json`` describes them. Of the rows of a
            variant at one size with the same weights, the exported file's stands in the table;
            accuracy on drawn rooms is left out.
    """
    notes: dict[str, str] = {}
    rows = list(_measured(reports, notes))
    lines = []
    for system in SYSTEMS.values():
        own = [(row, note) for row, note in rows if row["variant"] == system.variant]
        lines += [_reported(system) + _cells(row, note) for row, note in own]
        if not own:
            lines.append((*_reported(system), NOT_MEASURED, *[""] * 7))
    parts = [table(HEADINGS, lines, texts=3)]
    parts += [f"On {letter}: {text}" for text, letter in notes.items()]
    parts.append(
        "Reported figures are as published, each under its own protocol and on its own machine; "
        "none compares with a measured one without these differences:"
    )
    return "\n\n".join(parts) + "\n\n" + _remarks() + "\n"


def measured(reports: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """d1 by variant and what it was measured on, for :func:`fastdepth.published.measured_d1`.

    Args:
        reports: as for :func:`systems_to_markdown`; the first row of a variant counts.
    """
    found: dict[str, dict[str, Any]] = {}
    for row, _ in _measured(reports, {}, VARIANTS):
        if row["metrics"] and not is_learnt(row):
            on = f"{row['data']}, {row['samples']} images, protocol {row['protocol']}"
            found.setdefault(row["variant"], {"d1": round(row["metrics"]["d1"], 4), "on": on})
    return found


def _measured(
    reports: Iterable[Mapping[str, Any]],
    notes: dict[str, str],
    variants: Collection[str] = SYSTEMS,
) -> Iterable[tuple[Row, str]]:
    """Rows that stand in the table, each with the letter of its note, which is added."""
    for report in reports:
        chosen: dict[tuple[Any, ...], Row] = {}
        for row in report["rows"]:
            key = (row["variant"], row["weights"], *row["size"])
            known = row["variant"] in variants and not row["error"]
            real = row["data"] != "rooms" or not row["metrics"]
            if known and real and _rank(row) < _rank(chosen.get(key)):
                chosen[key] = row
        machine = Environment.from_dict(report["environment"]).describe()
        for row in chosen.values():
            yield row, notes.setdefault(_note(row, machine), chr(ord("a") + len(notes)))


def _rank(row: Row | None) -> int:
    """Least for the row that is to stand for a system."""
    if row is None:
        return 3
    target = (row["runtime"], row["precision"])
    return 0 if target == _DEPLOYED else 1 if target == REFERENCE else 2


def _note(row: Row, machine: str) -> str:
    kind = f" ({row['depth_kind']})" if row["depth_kind"] else ""
    accuracy = (
        f"{row['data']}{kind}, {row['samples']} samples, hash {row['sample_hash']}; "
        f"{row['protocol_description']}. "
        if row["metrics"]
        else "Speed alone. "
    )
    return (
        f"{accuracy}{row['runtime']} {row['precision']}, {row['device']}, {row['threads']} "
        f"thread(s), batch {row['batch']}; {machine}."
    )


def _reported(system: System) -> tuple[str, ...]:
    """The cells of a system's published figures."""
    frames = f"{system.frames:,} frames" if system.frames else ""
    epochs = f"{system.epochs} epochs" if system.epochs else ""
    fps = f"{system.fps:g} ({system.fps_on})" if system.fps else ""
    return (
        system.variant,
        system.authors,
        ", ".join(filter(None, (system.data, frames, epochs))),
        _thresholds((system.d1, system.d2, system.d3)),
        f"{system.abs_rel:.3g}" if system.abs_rel else "",
        number(system.rmse, 3),
        fps,
        f"{system.megabytes:g}" if system.megabytes else "",
    )


def _cells(row: Row, note: str) -> tuple[str, ...]:
    """The cells of a measured row."""
    metrics = row["metrics"] or {}
    height, width = row["size"]
    thresholds = _thresholds(tuple(metrics.get(name) for name in ("d1", "d2", "d3")))
    learnt = "over-fits: " if is_learnt(row) else ""
    return (
        f"{learnt}{thresholds}" if thresholds else NOT_MEASURED,
        number(metrics.get("abs_rel"), 3),
        number(metrics.get("rmse"), 3),
        number(row["fps"], 1),
        millions(row["bytes"], 1),
        f"{width}x{height}",
        UNTRAINED if row["untrained"] else f"`{row['weights']}`",
        note,
    )


def _thresholds(values: tuple[float | None, ...]) -> str:
    """The threshold accuracies that there are: ``0.903 / 0.984 / 0.997``."""
    return " / ".join(f"{value:.3f}" for value in values if value is not None)


def _remarks() -> str:
    """A list of remarks, each with the systems that it is about."""
    about: dict[str, list[str]] = {}
    for system in SYSTEMS.values():
        for remark in (f"Source: {system.source}.", *system.remarks):
            about.setdefault(remark, []).append(f"`{system.variant}`")
    return "\n".join(f"- {', '.join(names)}: {remark}" for remark, names in about.items())
