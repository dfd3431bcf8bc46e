"""``docs/compression.md``: what each way to compress a network gains and costs, alone.

What stands between marks is made of the committed results; all else is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastdepth.errors import UsageError
from fastdepth.variants import VARIANTS
from fastdepth_bench.case import PLAIN
from fastdepth_bench.report.markdown import COLUMNS, OPTIONAL, between, caption, number, table
from fastdepth_bench.report.terminal import signed
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.reading import (
    SINGLE_STREAM,
    Row,
    is_folding,
    is_learnt,
    network,
    scenario,
    short_names,
)

Reports = Mapping[Path, Mapping[str, Any]]
"""Parsed results files by their paths."""

PAGE = Path("docs") / "compression.md"
"""The page, in a checkout."""

PLOTS = PAGE.with_suffix("")
"""Folder of its plots, in a checkout."""

SUMMARY = "summary"
"""Section of the page that has every lever."""

STUDY = ".compression.json"
"""Ends the names of results files that were measured for the page alone."""

NOT_YET = "Not measured yet; it will be by"

QUICK = "mnv2-64-dws-70"
"""The network that most levers are pulled on."""


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
        end = f"--data nyu:PATH --json benchmarks/results/MACHINE{self.ends[0]}"
        return f"fastdepth-bench {self.options} {end}"

    def series(self, report: Mapping[str, Any]) -> list[list[Row]]:
        """Rows of a parsed results file that are compared with each other, the base first.

        What lacks its base, or has nothing beside it, is left out, and so are rows that failed.
        """
        found: dict[tuple[tuple[str, ...], str], list[Row]] = {}
        for row in _rows(report):
            for names in self.networks:
                if network(row) in names and row["precision"] in self.precisions:
                    found.setdefault((names, row["runtime"]), []).append(row)
        for (names, _), rows in found.items():
            rows.sort(key=partial(self._place, names))
        return [rows for rows in found.values() if len(rows) > 1 and self._is_base(rows[0])]

    def _place(self, names: tuple[str, ...], row: Row) -> tuple[int, int]:
        """Where a row stands in its series."""
        return names.index(network(row)), self.precisions.index(row["precision"])

    def _is_base(self, row: Row) -> bool:
        bases = [names[0] for names in self.networks]
        return network(row) in bases and row["precision"] == self.precisions[0]

    def stem(self, results: Path) -> str:
        """Name, without suffix, of the plot of a results file."""
        return f"{self.name}.{results.name.removesuffix(self.ends[0]).removesuffix('.json')}"


def _run(*names: str, against: str = "") -> str:
    """Options that measure the trained weights of these networks.

    On one thread: two wait for one another wherever anything else runs, and ratios scatter.
    """
    weights = " ".join(f"--weights runs/{name}.safetensors" for name in names)
    turns = f"--against {against} " if against else ""
    return f"{weights} {turns}--runtime onnxruntime --threads 1"


_BINS = tuple(f"mnv2-{bins}-dws-70" for bins in (256, 128, 64, 32))
_SIDES = tuple(f"mnv2-64-dws-{percent}" for percent in (100, 70, 50))
_PRUNED = tuple(name for name in VARIANTS if name.startswith(f"{QUICK}-p"))
_ALONE = tuple((name,) for name in VARIANTS)
_UNET = "unet128-dws"
_PRECISIONS = (
    f"--weights runs/{QUICK}.safetensors --runtime onnxruntime --runtime openvino "
    "--precision fp32 --precision fp16 --precision int8"
)

LEVERS = {
    lever.name: lever
    for lever in (
        Lever(
            "separable",
            "Depthwise separable convolutions instead of ordinary ones, in the decoder of "
            "`mnv2-64-70` and in encoder and decoder of the seeds' `unet128`. Widths, kernels, "
            "bins and input stay.",
            (("mnv2-64-70", QUICK), ("unet128", "unet128-dws")),
            _run("mnv2-64-70", QUICK, against="mnv2-64-70"),
            (".separable.compression.json", ".seeds.json"),
        ),
        Lever(
            "bins",
            "Fewer depth bins, AdaBins' 256 being the base. Only the head changes with them.",
            (_BINS, ("unet256", "unet128")),
            _run(*_BINS, against=_BINS[0]),
            (".bins.compression.json", ".seeds.json"),
        ),
        Lever(
            "scale",
            "The same network, trained and run on 100, 70 and 50 % of 320x240, and the seeds' "
            "U-Net on 100 and 75 % of 640x480. Depth is enlarged to the truth's 640x480 before it "
            "is scored, whatever the input.",
            (_SIDES, (_UNET, f"{_UNET}-75")),
            _run(*_SIDES, against=_SIDES[0]),
            (".scale.compression.json",),
        ),
        Lever(
            "pruning",
            f"Channels of the trained `{QUICK}` removed until a share of its multiply-adds is "
            "left (-p40: 40 % are gone), and what is left trained on. Input and bins stay.",
            ((QUICK, *_PRUNED),),
            _run(QUICK, *(_PRUNED or (f"{QUICK}-pNN",)), against=QUICK),
            (".pruning.compression.json",),
        ),
        Lever(
            "fp16",
            "The exported file in 16-bit floating point. Nothing is trained again.",
            _ALONE,
            _PRECISIONS,
            (".precisions.json",),
            ("fp32", "fp16"),
        ),
        Lever(
            "int8",
            "The exported file in 8 bits, calibrated on drawn rooms; layers that would lose too "
            "much stay as they were. Nothing is trained again.",
            _ALONE,
            _PRECISIONS,
            (".precisions.json",),
            ("fp32", "int8"),
        ),
        Lever(
            "folding",
            "The exported network folded, against the network as written (`:plain`): the same "
            "function of the same weights in fewer multiply-adds. The mobile networks have no head "
            "that folds.",
            tuple((name + PLAIN, name) for name in VARIANTS),
            f"--variant {_UNET}{PLAIN} --variant {_UNET} --against {_UNET}{PLAIN} "
            "--runtime onnxruntime",
            (".folding.compression.json", ".folding.json"),
            subject=_UNET,
        ),
        Lever(
            "distillation",
            f"`{QUICK}` trained with a teacher beside the truth, against the same training "
            "without. The network stays, and with it speed and bytes.",
            _ALONE,
            _run(QUICK, "taught"),
            (".distillation.compression.json",),
        ),
    )
}
"""All levers by name, in the order of the page."""


def with_study(page: str, reports: Reports) -> str:
    """The page with every lever's tables between the marks that bear its name.

    Args:
        page: its text.
        reports: parsed results files by their paths.

    Raises:
        UsageError: the page lacks the marks of a lever, or a results file is of none.
    """
    known = [lever.ends[0] for lever in LEVERS.values() if lever.ends[0].endswith(STUDY)]
    for path in reports:
        if path.name.endswith(STUDY) and not path.name.endswith(tuple(known)):
            raise UsageError(f"{path.name} is of no lever; end its name in one of {known}")
    page = between(page, SUMMARY, _summary(reports), str(PAGE))
    for lever in LEVERS.values():
        page = between(page, lever.name, _section(lever, reports), str(PAGE))
    return page


def comparisons(lever: Lever, reports: Reports) -> Iterator[tuple[Path, list[list[Row]]]]:
    """Results files in which a lever was measured, and what :meth:`Lever.series` finds there."""
    for path, report in reports.items():
        series = lever.series(report) if path.name.endswith(lever.ends) else []
        if series:
            yield path, series


def scored(series: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """Those of a lever's series that a plot can show: rows with d1, where a base has it too."""
    found = [[row for row in rows if row["metrics"]] for rows in series if rows[0]["metrics"]]
    return [rows for rows in found if len(rows) > 1]


def _rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """Rows that count, those of the folding benchmark among them."""
    if not is_folding(report):
        good = (row for row in report["rows"] if row["error"] is None and row["fps"])
        yield from (r for r in good if scenario(r) == SINGLE_STREAM and not is_learnt(r))
        return
    for row in report["rows"]:
        if row["form"] in ("plain", "folded"):
            yield {**_of_folding(report, row), **row}


def _of_folding(report: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """What a row of the folding benchmark lacks to be like others."""
    ratio = row["speedup"]
    base = {"name": row["variant"] + PLAIN, "size": row["size"]}
    greatest = max(r["difference_to_plain"] for r in report["rows"] if r["form"] == "folded")
    return {
        "fold": row["form"] == "folded",
        "against": ratio and {**base, **ratio, "ratio": ratio["value"]},
        "runtime": "onnxruntime",
        "precision": "fp32",
        "device": "cpu",
        "threads": report["rates"]["threads"],
        "data": report["data"],
        "samples": report["samples"],
        "sample_hash": report["sample_hash"],
        "depth_kind": None,
        "protocol_description": f"depths of plain and folded differ by {greatest:.1e} m at most",
        "metrics": None,
        "error": None,
    }


def _ratio(row: Row, base: Row) -> str:
    """How many times faster than the base, with the interval where they were timed in turns."""
    if row is base:
        return ""
    versus = row.get("against") or {}
    if (versus.get("name"), versus.get("size")) == (network(base), base["size"]):
        return f"{versus['ratio']:.2f} [{versus['low']:.2f}, {versus['high']:.2f}]"
    return f"{row['fps'] / base['fps']:.2f}"


def _share_of_bytes(row: Row, base: Row) -> str:
    return "" if row is base else number(row["bytes"] / base["bytes"], 2)


def _more(row: Row, base: Row, score: str) -> str:
    """How much a score is above the base's, where both have it."""
    if row is base or not row["metrics"] or not base["metrics"]:
        return ""
    return signed(row["metrics"][score] - base["metrics"][score])


def _cells(row: Row, base: Row) -> tuple[str, ...]:
    """A line of a lever's table."""
    return (
        network(row) + " (base)" * (row is base),
        row["weights"],
        *(COLUMNS[name](row) for name in ("runtime", "input", "GMAC", "frames/s")),
        OPTIONAL["frames/s"]["frames/s, 95 %"](row),
        _ratio(row, base),
        COLUMNS["MB"](row),
        _share_of_bytes(row, base),
        COLUMNS["d1"](row),
        _more(row, base, "d1"),
        COLUMNS["AbsRel"](row),
        _more(row, base, "abs_rel"),
    )


HEADINGS = (
    "network", "weights", "runtime", "input", "GMAC", "frames/s", "frames/s, 95 %", "x base", "MB",
    "of base", "d1", "d1 - base", "AbsRel", "AbsRel - base",
)  # fmt: skip
"""Of a lever's table."""


def _section(lever: Lever, reports: Reports) -> str:
    """The generated part of a lever's section."""
    parts, measured = [lever.what], False
    for path, series in comparisons(lever, reports):
        rows = [row for each in series for row in each]
        if path.name.endswith(lever.ends[0]):
            measured = measured or any(row["variant"] == lever.subject for row in rows)
        machine = Environment.from_dict(reports[path]["environment"]).describe()
        lines = (_cells(row, each[0]) for each in series for row in each)
        parts += [table(HEADINGS, lines, texts=4), caption(rows), f"Measured on {machine}."]
        if scored(series):
            image = f"{PLOTS.name}/{lever.stem(path)}.png"
            parts.append(f"![Speed and bytes against d1, {lever.name}]({image})")
    yet = f"To be measured yet, of `{lever.subject}`:" if parts[1:] else NOT_YET
    said = "Measured by" if measured else yet
    return "\n\n".join([*parts, said, f"```sh\n{lever.command}\n```"]) + "\n"


def _summary(reports: Reports) -> str:
    """Every lever in a line for each of its steps."""
    lines = []
    for lever in LEVERS.values():
        found = [rows for _, series in comparisons(lever, reports) for rows in series]
        for base, *others in found:
            names = short_names([base, *others], "size")
            for row, name in zip(others, names[1:], strict=True):
                figures = _ratio(row, base), _share_of_bytes(row, base)
                scores = (_more(row, base, score) for score in ("d1", "abs_rel"))
                lines.append((lever.name, names[0], name, *figures, *scores))
        if not found:
            lines.append((lever.name, "not measured yet", *[""] * 5))
    headings = ("lever", "from", "to", "frames/s x", "bytes x", "d1 +", "AbsRel +")
    return table(headings, lines, texts=3) + "\n"
