"""The publications that fastdepth reproduces beside what was measured here.

``fastdepth-bench table`` prints two tables of publications with what was measured beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fastdepth.console import print_table, run_command, say
from fastdepth.files import check_no_input, output
from fastdepth.published import PUBLISHED
from fastdepth.variants import CHECKPOINT_BYTES
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import (
    COSTS,
    GAINS,
    REPRODUCED,
    RESIDUAL,
    THRESHOLDS,
)
from fastdepth_bench.report.render import NOTHING, escaped, markdown_table, telling
from fastdepth_bench.report.select import (
    Reproduction,
    Step,
    representatives,
    steps_from,
    weights_of,
)
from fastdepth_bench.results.file import Report, committed_results, read_report

DESCRIPTION = """Two published tables, with what was measured here beside what they report.

Speeds compare only between rows measured on one machine; ratios are taken of such rows alone.

Examples:

  fastdepth-bench table results.json

  fastdepth-bench table --markdown published.md

To measure every row of the first table, with random weights where there are none:

  fastdepth-bench --variant effb5-256 --variant effb0-256 --variant unet256 --variant unet128
      --variant unet128-dws --variant unet128-dws-75 --runtime onnxruntime --json results.json
"""

PROG = "fastdepth-bench table"

REFERENCE = "effb5-256"
"""The network that the others of the first table are lighter than."""

LIGHT = (REFERENCE, "effb0-256", "unet256", "unet128", "unet128-dws", "unet128-dws-75")
SIBLINGS = ("fcrn-fc", "fcrn-conv", "fcrn-deconv", "fcrn-res50")
"""The rows of the two tables, in their order."""

NOT_MEASURED = "not measured"


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
    check_no_input(command.markdown, command.files)
    reports = [read_report(path) for path in command.files or committed_results(Path())]
    if command.markdown:
        with output(command.markdown) as write:
            write(tables_to_markdown(reports))
    else:
        _print(reports)
    return 0


@dataclass(frozen=True)
class Table:
    """A title, columns, and what they are of."""

    title: str
    columns: Sequence[Column[Reproduction]]
    entries: Sequence[Reproduction]


def reproductions(
    reports: Sequence[Report], names: Collection[str]
) -> tuple[dict[str, Reproduction], list[str]]:
    """Published systems by name, each with the row that stands for it, and notes on these."""
    best, steps = representatives(reports, names), steps_from(reports, REFERENCE, LIGHT)
    letters: dict[str, str] = {}
    found = {}
    for name in names:
        row = best[name].row if name in best else None
        note = letters.setdefault(best[name].describe(), _letter(len(letters))) if row else ""
        step = steps.get(name)
        found[name] = Reproduction(PUBLISHED[name], PUBLISHED[REFERENCE], row, step, note)
    return found, [f"On {letter}: {text}" for text, letter in letters.items()]


def _letter(number: int) -> str:
    return chr(ord("a") + number)


def published_tables(reports: Sequence[Report]) -> tuple[list[Table], list[str]]:
    """The tables of two publications, and the lines that stand below them."""
    found, notes = reproductions(reports, (*LIGHT, *SIBLINGS))
    light, lighter = [found[name] for name in LIGHT], [found[name] for name in LIGHT[1:]]
    siblings = [found[name] for name in SIBLINGS]
    first, second = PUBLISHED[REFERENCE], PUBLISHED[SIBLINGS[0]]
    tables = [
        Table(
            f"Thresholds by {first.authors}; loss against {REFERENCE} in hundredths",
            THRESHOLDS,
            light,
        ),
        Table(f"Speed and size by {first.authors}, theirs on an {first.fps_on}", COSTS, light),
        Table(f"Against {REFERENCE}: how many times faster and smaller", GAINS, lighter),
        Table(f"Scores by {second.authors}", RESIDUAL, siblings),
    ]
    remarks = [
        f'Empty or {NOTHING}: {NOT_MEASURED}. Reported "Mb" are of a training checkpoint, '
        f"{CHECKPOINT_BYTES} bytes a parameter with AdamW's state, and so is the checkpoint here, "
        "by count; the file is the one that was timed. MB of 10^6 bytes.",
        *_conclusion([each.step for each in lighter if each.step]),
        *notes,
    ]
    return [table for table in tables if table.entries], remarks


def _conclusion(steps: Sequence[Step]) -> Iterator[str]:
    """What the publication concluded, and what must be known of the ratios measured here."""
    heavy, light = PUBLISHED[REFERENCE], PUBLISHED["unet128-dws"]
    yield (
        f"Concluded there, of {light.variant}: 3 times faster, 12 times smaller, scores lower by "
        f"1.5 to 21 %, a shorter training ({light.epochs} epochs instead of {heavy.epochs}; no "
        "time is given)."
    )
    if not steps:
        yield (
            f"Speed and size against {REFERENCE} here: {NOT_MEASURED}; that takes one results "
            "file with both networks in the same runtime."
        )
        return
    rows = {row.variant: weights_of(row) for step in steps for row in (step.base, step.row)}
    said = ", ".join(f"{name} ({weights})" for name, weights in rows.items())
    yield (
        f"Ratios here are of {said}, each pair from one file; with brackets the two were timed in "
        "turns. Those of speed and size hold whatever the weights are; those of scores are of "
        "networks trained and judged on the same images."
    )


def tables_to_markdown(reports: Sequence[Report]) -> str:
    """The tables of :func:`published_tables` as Markdown."""
    tables, lines = published_tables(reports)
    parts = [
        f"{each.title}:\n\n{markdown_table(telling(each.columns, each.entries), each.entries)}"
        for each in tables
    ]
    return "\n\n".join([*parts, *map(escaped, lines)]) + "\n"


def _print(reports: Sequence[Report]) -> None:
    tables, lines = published_tables(reports)
    for each in tables:
        columns = telling(each.columns, each.entries)
        say(each.title)
        rows = [[column.text(entry) or NOTHING for column in columns] for entry in each.entries]
        print_table([column.title for column in columns], rows)
        say("")
    say("\n".join(lines))


def published_to_markdown(reports: Sequence[Report]) -> str:
    """Every system that fastdepth reproduces: what was reported, what was measured, and on what.

    Args:
        reports: of which the row that stands for each network is taken; scores on drawn rooms are
            left out.
    """
    found, notes = reproductions(reports, PUBLISHED)
    return "\n\n".join(
        [
            markdown_table(REPRODUCED, found.values()),
            *map(escaped, notes),
            "Reported figures are as published, each under its own protocol and on its own "
            "machine; none compares with a measured one without these differences:",
            _remarks(),
        ]
    )


def _remarks() -> str:
    """A list of remarks, each with the systems that it is about."""
    about: dict[str, list[str]] = {}
    for system in PUBLISHED.values():
        counts = ((system.frames, "frames"), (system.epochs, "epochs"))
        known = [system.data, *(f"{number:,} {what}" for number, what in counts if number)]
        said = f" Training: {', '.join(filter(None, known))}." if any(known) else ""
        for remark in (f"Source: {system.source}.{said}", *system.remarks):
            about.setdefault(remark, []).append(f"`{system.variant}`")
    return "\n".join(f"- {', '.join(names)}: {remark}" for remark, names in about.items())
