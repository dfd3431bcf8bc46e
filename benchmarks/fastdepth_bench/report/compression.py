"""``docs/compression.md``: what each way to compress a network gains and costs, alone.

What stands between marks is made of the committed results; all else is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fastdepth.errors import UsageError
from fastdepth.metrics import ALIGNMENTS
from fastdepth.variants import VARIANTS
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import (
    D1,
    D1_MORE,
    EDGE_F1,
    FROM,
    LEVER,
    SUMMARY,
    TO,
    more,
    row_of,
)
from fastdepth_bench.report.render import caption, legend, markdown_table, measured_on
from fastdepth_bench.report.select import SUFFIXES, Reports, Step, good, names
from fastdepth_bench.results.file import FOLDER, Report
from fastdepth_bench.results.row import Row

MEDIAN = ALIGNMENTS["median"].name
"""The alignment that forgives an error of scale."""

PLOTS = Path("docs") / "compression"
"""Folder of the plots, in a checkout."""

STUDY, PRECISIONS, FOLDING = (SUFFIXES[name] for name in ("compression", "precisions", "folding"))

LIGHT = f".light{SUFFIXES['published']}"
"""End of the names of results files of the published U-Nets, all trained by one budget."""

NOT_YET = "Not measured yet; it will be by"

FURTHER = f"--align none,{MEDIAN} --edges"
"""Options that measure what ``SHARPNESS`` shows."""


def _aligned(step: Step) -> Step | None:
    return step.aligned


def _aligned_row(step: Step) -> Row | None:
    return step.aligned.row if step.aligned else None


_LOST: Sequence[Column[Step]] = (
    D1_MORE,
    replace(D1_MORE.of(_aligned), heading=f"{D1.heading}, {MEDIAN} - base"),
    more(EDGE_F1),
)
SHARPNESS: Sequence[Column[Step]] = (
    LEVER[0],
    *(D1.of(row_of), _LOST[0]),
    replace(D1.of(_aligned_row), heading=f"{D1.heading}, {MEDIAN}"),
    *(_LOST[1], EDGE_F1.of(row_of), _LOST[2]),
)
"""What scale forgiven and occlusion boundaries tell of a lever's steps."""

SHARPNESS_SUMMARY: Sequence[Column[Step]] = (SUMMARY[0], FROM, TO, *_LOST)

QUICK = "mnv2-64-dws-70"
"""The network that most levers are pulled on."""

LONGER = "more"
"""Name of the file of its weights in the package after as many epochs as what was made of them."""


@dataclass(frozen=True)
class Lever:
    """One way to compress a network, and the rows of results files that show what it does.

    Attributes:
        name: of its section and its plots.
        what: what is changed, and what stays.
        networks: which are compared with each other, the base first; with ``:plain`` as written.
        options: of the ``fastdepth-bench`` that measures it.
        ends: of the names of the results files that it is read from; the first is that of the
            file that its command writes.
        precisions: which are compared with each other, the base first.
        subject: the variant that its command is about.
    """

    name: str
    what: str
    networks: tuple[tuple[str, ...], ...]
    options: str
    ends: tuple[str, ...]
    precisions: tuple[str, ...] = ("fp32",)
    subject: str = QUICK

    @property
    def command(self) -> str:
        """What measures it, all rows in one run."""
        end = f"--data nyu:PATH --json {FOLDER.as_posix()}/MACHINE{self.ends[0]}"
        return f"fastdepth-bench {self.options} {end}"

    def series(self, report: Report) -> list[list[Step]]:
        """Rows of a results file that are compared with each other, the base first.

        What lacks its base, or has nothing beside it, is left out, and so are rows that failed.
        """
        found: dict[tuple[tuple[str, ...], str], list[Row]] = {}
        aligned = {_identity(row): row for row in good(report.rows) if row.alignment == MEDIAN}
        for row in good(report.rows):
            for networks in self.networks:
                if row.name in networks and row.precision in self.precisions and _judged(row):
                    found.setdefault((networks, row.runtime), []).append(row)
        for (networks, _), rows in found.items():
            rows.sort(key=partial(self._place, networks))
        return [
            self._steps(rows, [aligned.get(_identity(row)) for row in rows])
            for (networks, _), rows in found.items()
            if len(rows) > 1 and self._place(networks, rows[0]) == (0, 0)
        ]

    def _place(self, networks: tuple[str, ...], row: Row) -> tuple[int, int]:
        """Where a row stands in its series."""
        return networks.index(row.name), self.precisions.index(row.precision)

    def _steps(self, rows: Sequence[Row], aligned: Sequence[Row | None]) -> list[Step]:
        """The rows beside the first; ``aligned``: what they are under the other alignment."""
        called, base = names(rows), aligned[0]
        pairs = (Step(own, base) if own and base else None for own in aligned)
        return [
            Step(row, rows[0], name, called[0], self.name, pair)
            for row, name, pair in zip(rows, called, pairs, strict=True)
        ]

    def stem(self, results: Path) -> str:
        """Name, without suffix, of the plot of a results file."""
        return f"{self.name}.{results.name.removesuffix(self.ends[0]).removesuffix('.json')}"


def _run(*names: str, against: str = "") -> str:
    """Options that measure these trained weights, by the names of their files.

    On one thread: two wait for one another wherever anything else runs, and ratios scatter.
    """
    weights = " ".join(f"--weights runs/{name}.safetensors" for name in names)
    turns = f"--against {against} " if against else ""
    return f"{weights} {turns}--runtime onnxruntime --threads 1 {FURTHER}"


_BINS = tuple(f"mnv2-{bins}-dws-70" for bins in (256, 128, 64, 32))
_SIDES = ("mnv2-64-dws", "mnv2-64-dws-70", "mnv2-64-dws-50")
_PRUNED = tuple(name for name in VARIANTS if name.startswith(f"{QUICK}-p"))
_ALONE = tuple((name,) for name in VARIANTS)
_UNET = "unet128-dws"
_PRECISIONS = (
    f"--variant {QUICK} --runtime onnxruntime --runtime openvino "
    f"--precision fp32 --precision fp16 --precision int8 --threads 1 {FURTHER}"
)

LEVERS = {
    lever.name: lever
    for lever in (
        Lever(
            "separable",
            "Depthwise separable convolutions instead of ordinary ones, in the decoder of "
            "`mnv2-64-70` and in encoder and decoder of the publication's `unet128`. Widths, "
            "kernels, bins and input stay.",
            (("mnv2-64-70", QUICK), ("unet128", "unet128-dws")),
            _run("mnv2-64-70", QUICK, against="mnv2-64-70"),
            (".separable.compression.json", LIGHT),
        ),
        Lever(
            "bins",
            "Fewer depth bins, AdaBins' 256 being the base. Only the head changes with them.",
            (_BINS, ("unet256", "unet128")),
            _run(*_BINS, against=_BINS[0]),
            (".bins.compression.json", LIGHT),
        ),
        Lever(
            "scale",
            "The same network, trained and run on 100, 70 and 50 % of 320x240, and the "
            "publication's U-Net on 100 and 75 % of 640x480. Depth is enlarged to the truth's "
            "640x480 before it is scored, whatever the input.",
            (_SIDES, (_UNET, f"{_UNET}-75")),
            _run(*_SIDES, against=_SIDES[0]),
            (".scale.compression.json", LIGHT),
        ),
        Lever(
            "pruning",
            f"Channels of the trained `{QUICK}` removed until a share of its multiply-adds is "
            "left (-p40: 40 % are gone), and what is left trained on, as long as the base is. "
            "Input and bins stay.",
            ((QUICK, *_PRUNED),),
            _run(LONGER, *(_PRUNED or (f"{QUICK}-pNN",)), against=QUICK),
            (".pruning.compression.json",),
        ),
        Lever(
            "fp16",
            "The exported file in 16-bit floating point. Nothing is trained again.",
            _ALONE,
            _PRECISIONS,
            (PRECISIONS,),
            ("fp32", "fp16"),
        ),
        Lever(
            "int8",
            "The exported file in 8 bits, calibrated on drawn rooms; layers that would lose too "
            "much stay as they were. Nothing is trained again.",
            _ALONE,
            _PRECISIONS,
            (PRECISIONS,),
            ("fp32", "int8"),
        ),
        Lever(
            "folding",
            "The exported network folded, against the network as written (`:plain`): the same "
            "function of the same weights in fewer multiply-adds. The mobile networks have no head "
            "that folds.",
            tuple((name + ":plain", name) for name in VARIANTS),
            f"--variant {_UNET}:plain --variant {_UNET} --against {_UNET}:plain "
            "--runtime onnxruntime",
            (".folding.compression.json", FOLDING),
            subject=_UNET,
        ),
        Lever(
            "distillation",
            f"`{QUICK}` trained on with two teachers beside the truth, against the same training "
            "without. The network stays, and with it speed and bytes.",
            _ALONE,
            _run(LONGER, "taught"),
            (".distillation.compression.json",),
        ),
    )
}
"""All levers by name, in the order of the page."""


def _judged(row: Row) -> bool:
    """Whether its scores say what a network lost: of images not learnt, and unaligned."""
    return not row.learnt and not row.aligned


def _identity(row: Row) -> tuple[object, ...]:
    """What rows have in common that differ in their alignment alone."""
    weights = row.name, row.weights, row.weights_hash
    return *weights, row.target, row.size, row.device, row.threads, row.batch, row.sample_hash


def _sharpness(columns: Sequence[Column[Step]], steps: Sequence[Step]) -> str:
    """A table of the steps that have any of these scores; words where none has."""
    told = [step for step in steps if step.aligned or EDGE_F1.text(step.row)]
    if not told:
        return (
            f"Median-aligned d1 and edge F1: not measured of these files; by `{FURTHER}` they are."
        )
    missing = len(steps) - len(told)
    lines = f"\n\nNot measured of {missing} further lines of the table above." if missing else ""
    return markdown_table(columns, told) + lines


def check_files(reports: Reports) -> None:
    """Find results files that were measured for no lever.

    Raises:
        UsageError: there is one; the message names the ends that names may have.
    """
    known = tuple(lever.ends[0] for lever in LEVERS.values() if lever.ends[0].endswith(STUDY))
    for path in reports:
        if path.name.endswith(STUDY) and not path.name.endswith(known):
            raise UsageError(f"{path.name} is of no lever; end its name in one of {[*known]}")


def comparisons(lever: Lever, reports: Reports) -> Iterator[tuple[Path, list[list[Step]]]]:
    """Results files in which a lever was measured, and what :meth:`Lever.series` finds there."""
    for path, report in reports.items():
        series = lever.series(report) if path.name.endswith(lever.ends) else []
        if series:
            yield path, series


def scored(series: Sequence[Sequence[Step]]) -> list[list[Step]]:
    """Those of a lever's series that a plot can show: rows with d1, where a base has it too."""
    found = [[step for step in steps if D1.text(step.row)] for steps in series]
    return [steps for steps in found if len(steps) > 1 and steps[0].own]


def lever_section(lever: Lever, reports: Reports) -> str:
    """The generated part of a lever's section."""
    parts, meant, measured, above = [lever.what], dict[str, None](), False, None
    every: list[Step] = []
    for path, series in comparisons(lever, reports):
        steps = [step for each in series for step in each]
        rows = [step.row for step in steps]
        if path.name.endswith(lever.ends[0]):
            measured = measured or any(row.variant == lever.subject for row in rows)
        parts += [
            markdown_table(LEVER, steps),
            f"{caption(rows, LEVER, above)} {measured_on(reports[path])}",
        ]
        meant |= dict.fromkeys(legend(LEVER, steps))
        every += steps
        above = rows[0]
        if scored(series):
            image = f"{PLOTS.name}/{lever.stem(path)}.png"
            parts.append(f"![Speed and bytes against {D1.title}, {lever.name}]({image})")
    yet = f"To be measured yet, of `{lever.subject}`:" if parts[1:] else NOT_YET
    said = "Measured by" if measured else yet
    meanings = [". ".join(meant) + "."] if meant else []
    if every:
        parts.append(_sharpness(SHARPNESS, every))
    return "\n\n".join([*parts, *meanings, said, f"```sh\n{lever.command}\n```"])


def summary(reports: Reports) -> str:
    """Every lever in a line for each of its steps."""
    check_files(reports)
    steps: list[Step] = []
    missing = []
    for lever in LEVERS.values():
        series = [each for _, found in comparisons(lever, reports) for each in found]
        steps += [step for each in series for step in each if not step.own]
        missing += [] if series else [lever.name]
    yet = f"\n\nNot measured yet: {', '.join(missing)}." if missing else ""
    sharpness = [_sharpness(SHARPNESS_SUMMARY, steps)] if steps else []
    return "\n\n".join([markdown_table(SUMMARY, steps) + yet, *sharpness])
