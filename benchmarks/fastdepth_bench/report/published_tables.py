"""The command ``fastdepth-bench table``: two published tables beside what was measured here."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from fastdepth.console import print_table, run_command
from fastdepth.files import write_text
from fastdepth.published import SYSTEMS, System
from fastdepth.size import Size
from fastdepth.variants import VARIANTS
from fastdepth_bench.report.markdown import millions, number, table
from fastdepth_bench.report.published_rows import (
    LIGHT,
    REFERENCE,
    RESIDUAL,
    Measurement,
    Pair,
    chosen,
    pairs_of,
)
from fastdepth_bench.results.reading import (
    CHECKPOINT_BYTES,
    YARDSTICK,
    checkpoint_bytes,
    committed_results,
    read_results,
)

DESCRIPTION = """Two published tables, with what was measured here beside what they report.

Speeds compare only between rows measured on one machine; ratios are taken of such rows alone.

Examples:

  fastdepth-bench table results.json

  fastdepth-bench table --markdown systems.md

To measure every row of the first table, with random weights where there are none:

  fastdepth-bench --variant effb5-256 --variant effb0-256 --variant unet256 --variant unet128
      --variant unet128-dws --variant unet128-dws-75 --runtime onnxruntime --json results.json
"""

PROG = "fastdepth-bench table"

TRAINING = "training_images_per_second"
"""Key of a row for the training's speed, where somebody measured it."""

NOTHING = "-"
"""Stands in a terminal where there is nothing."""

NOT_MEASURED = "not measured"

_THRESHOLDS = ("d1", "d2", "d3")


@dataclass(frozen=True)
class Command:
    """Options of ``fastdepth-bench table``."""

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...")] = ()
    """Results files; benchmarks/results/*.json in this folder if absent."""

    markdown: str | None = None
    """Write the tables as Markdown to this file instead; - for stdout."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 2 for what the user can mend."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    reports = [read_results(path) for path in command.files or committed_results(Path())]
    if command.markdown and command.markdown != "-":
        write_text(command.markdown, seeds_to_markdown(reports))
    elif command.markdown:
        sys.stdout.write(seeds_to_markdown(reports))
    else:
        _print(reports)
    return 0


@dataclass(frozen=True)
class Table:
    """Headings and rows of cells; the first ``texts`` columns are words, the others numbers."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    texts: int = 1


def _three(values: Iterable[float], digits: int = 3) -> str:
    """``0.903 / 0.984 / 0.997``."""
    return " / ".join(f"{value:.{digits}f}" for value in values)


def _published(system: System) -> list[float]:
    """d1, d2 and d3 as reported."""
    return [getattr(system, name) for name in _THRESHOLDS]


def _own_scores(found: Measurement | None) -> list[float]:
    """d1, d2 and d3 as measured here; nothing where they say nothing of accuracy."""
    return [found.row["metrics"][name] for name in _THRESHOLDS] if found and found.scored else []


def _source_table(best: Mapping[str, Measurement], letters: dict[str, str]) -> Table:
    """What stands for each network in the columns of what was measured here."""
    rows = []
    for name in (name for name in (*LIGHT, *RESIDUAL) if name in best):
        found = best[name]
        letter = letters.setdefault(found.describe(), chr(ord("a") + len(letters)))
        rows.append((name, found.weights, str(Size(*found.row["size"])), letter))
    return Table("Measured here", ("network", "weights", "input", "on"), rows, texts=4)


def _score_table(best: Mapping[str, Measurement]) -> Table:
    rows = [
        (name, _three(_published(SYSTEMS[name])), _three(_own_scores(best.get(name))))
        for name in LIGHT
    ]
    title = f"d1 / d2 / d3, reported by {SYSTEMS[REFERENCE].authors}"
    return Table(title, ("network", "reported", "here"), rows)


def _cost_table(best: Mapping[str, Measurement]) -> Table:
    rows = []
    for name in LIGHT:
        system, row = SYSTEMS[name], best[name].row if name in best else {}
        checkpoint = row and checkpoint_bytes(row)
        rows.append(
            (
                name,
                f"{system.fps:g}",
                number(row.get("fps"), 2),
                f"{system.megabytes:g}",
                millions(checkpoint or VARIANTS[name].params * CHECKPOINT_BYTES, 1),
                millions(row.get("bytes"), 1),
            )
        )
    system = SYSTEMS[REFERENCE]
    return Table(
        f"Speed and size, reported by {system.authors}; theirs on an {system.fps_on}",
        (
            "network",
            "reported frames/s",
            "here frames/s",
            'reported "Mb"',
            "checkpoint MB",
            "deployable MB",
        ),
        rows,
    )


def _residual_table(best: Mapping[str, Measurement]) -> Table:
    """The residual network and its siblings."""
    rows = []
    for name in RESIDUAL:
        system, found = SYSTEMS[name], best.get(name)
        metrics = found.row["metrics"] if found and found.scored else {}
        rows.append(
            (
                name,
                number(system.d1, 3),
                number(metrics.get("d1"), 3),
                f"{system.abs_rel:.3g}",
                number(metrics.get("abs_rel"), 3),
                number(system.rmse, 2),
                number(metrics.get("rmse"), 2),
            )
        )
    scores = ("d1", "AbsRel", "RMSE\xa0m")
    headings = [f"{who} {score}" for score in scores for who in ("reported", "here")]
    title = f"Scores, reported by {SYSTEMS[RESIDUAL[0]].authors}"
    return Table(title, ("network", *headings), rows)


def _gain_table(pairs: Mapping[str, Pair]) -> Table:
    """What the lighter networks win against the reference."""
    heavy = SYSTEMS[REFERENCE]
    rows = []
    for name in LIGHT[1:]:
        system, pair = SYSTEMS[name], pairs.get(name)
        rows.append(
            (
                name,
                _times(system.fps, heavy.fps),
                _measured_faster(pair),
                _times(heavy.megabytes, system.megabytes),
                _times(VARIANTS[REFERENCE].params, VARIANTS[name].params),
                _measured_times("bytes", pair),
                _measured_times(TRAINING, pair, reverse=True),
            )
        )
    headings = (
        "network",
        "reported faster",
        "here faster",
        "reported smaller",
        "checkpoint smaller",
        "deployable smaller",
        "training images/s",
    )
    title = f"Against {REFERENCE}: how many times faster and smaller"
    kept = len(headings) if any(row[-1] for row in rows) else len(headings) - 1
    return Table(title, headings[:kept], [row[:kept] for row in rows])


def _loss_table(pairs: Mapping[str, Pair]) -> Table:
    """What the lighter networks lose against the reference."""
    heavy = _published(SYSTEMS[REFERENCE])
    rows = [
        (name, _lower(heavy, _published(SYSTEMS[name])), _measured_lower(pairs.get(name)))
        for name in LIGHT[1:]
    ]
    title = f"Against {REFERENCE}: d1 / d2 / d3 lower, in hundredths"
    return Table(title, ("network", "reported", "here"), rows)


def _times(more: float | None, less: float | None) -> str:
    return f"{more / less:.1f}x" if more and less else ""


def _measured_faster(pair: Pair | None) -> str:
    """Times as fast: of passes in turns where there were such, else of speeds in one file."""
    turns = pair and pair[1].row.get("against")
    if turns and turns["name"] == REFERENCE:
        return f"{turns['ratio']:.1f}x [{turns['low']:.1f}, {turns['high']:.1f}]"
    return _measured_times("fps", pair, reverse=True)


def _measured_times(key: str, pair: Pair | None, *, reverse: bool = False) -> str:
    """How many times the reference's figure is the lighter network's; the other way in reverse."""
    if pair is None:
        return ""
    heavy, light = (found.row.get(key) for found in pair)
    return _times(light, heavy) if reverse else _times(heavy, light)


def _lower(heavy: Sequence[float], light: Sequence[float]) -> str:
    return _three((100 * (a - b) for a, b in zip(heavy, light, strict=True)), 1)


def _measured_lower(pair: Pair | None) -> str:
    """What the scores lose, where both networks were trained and judged on the same images."""
    if pair is None or not all(found.scored for found in pair):
        return ""
    heavy, light = (found.row for found in pair)
    if any(heavy[key] != light[key] for key in YARDSTICK):
        return ""
    return _lower(*map(_own_scores, pair))


def _conclusion(pairs: Mapping[str, Pair], letters: dict[str, str]) -> Iterator[str]:
    """What the publication concluded, and what must be known of the ratios measured here."""
    heavy, light = SYSTEMS[REFERENCE], SYSTEMS["unet128-dws"]
    yield (
        f"Concluded there, of unet128-dws: 3 times faster, 12 times smaller, scores lower by 1.5 "
        f"to 21 %, a shorter training ({light.epochs} epochs instead of {heavy.epochs}; no time "
        "is given)."
    )
    if not pairs:
        yield (
            f"Speed and size against {REFERENCE} here: {NOT_MEASURED}; that takes one results "
            "file with both networks in the same runtime."
        )
    else:
        said = ", ".join(f"{name} ({found.weights})" for name, found in _in(pairs).items())
        (*_, (first, _)) = pairs.values()
        letter = letters.setdefault(first.describe(), chr(ord("a") + len(letters)))
        yield (
            f"Ratios here are of {said}, on {letter}. Those of speed and size hold whatever the "
            "weights are; those of scores are of networks trained and judged on the same images."
        )
    if not any(found.row.get(TRAINING) for pair in pairs.values() for found in pair):
        yield f"Training images/s: {NOT_MEASURED}."


def _in(pairs: Mapping[str, Pair]) -> dict[str, Measurement]:
    """The rows that ratios are made of, by network."""
    return {found.row["variant"]: found for pair in pairs.values() for found in pair}


def seed_tables(reports: Sequence[Mapping[str, Any]]) -> tuple[list[Table], list[str]]:
    """The tables, and the lines that stand below them.

    Args:
        reports: parsed results files, as ``result.schema.json`` describes them.
    """
    best = {**chosen(reports, LIGHT), **chosen(reports, RESIDUAL)}
    pairs, letters = pairs_of(reports), dict[str, str]()
    tables = [_score_table(best), _cost_table(best), _gain_table(pairs), _loss_table(pairs)]
    tables.append(_residual_table(best))
    if best:
        tables.append(_source_table(best, letters))
    remarks = [
        f'Empty or {NOTHING}: {NOT_MEASURED}. Reported "Mb" are of a training checkpoint, '
        f"{CHECKPOINT_BYTES} bytes a parameter with AdamW's state, and so is checkpoint MB, by "
        "count; deployable MB are those of the file that was timed. MB of 10^6 bytes.",
        *_conclusion(pairs, letters),
        *(f"On {letter}: {text}." for text, letter in letters.items()),
    ]
    return tables, remarks


def seeds_to_markdown(reports: Sequence[Mapping[str, Any]]) -> str:
    """The tables as Markdown, with what each measurement was made on.

    Args:
        reports: as for :func:`seed_tables`.
    """
    tables, lines = seed_tables(reports)
    parts = [
        f"{each.title}:\n\n{table(each.headings, each.rows, texts=each.texts)}" for each in tables
    ]
    return "\n\n".join([*parts, *lines]) + "\n"


def _print(reports: Sequence[Mapping[str, Any]]) -> None:
    tables, lines = seed_tables(reports)
    for each in tables:
        sys.stdout.write(f"{each.title}\n")
        print_table(each.headings, [[cell or NOTHING for cell in row] for row in each.rows])
        sys.stdout.write("\n")
    sys.stdout.write("\n".join(lines) + "\n")
