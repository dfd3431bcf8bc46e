"""Which rows belong together, which of them stands for a network, and what each is called."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastdepth.metadata import UNTRAINED
from fastdepth.published import PublishedSystem
from fastdepth.variants import VARIANTS, get_variant
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.figures import Against
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import OFFLINE, SINGLE_STREAM, Row

SUFFIXES = {
    "results": ".json",
    "third-party": ".third-party.json",
    "precisions": ".precisions.json",
    "folding": ".folding.json",
    "alignment": ".alignment.json",
    "edges": ".edges.json",
    "rivals": ".rivals.json",
    "published": ".published.json",
    "compression": ".compression.json",
    "cards": ".flip.json",
}
"""Ends of the names of results files by what shows them: a section of a page, or a page."""

Reports = Mapping[Path, Report]
"""Results files by their paths."""


def meant_for(reports: Reports, *sections: str) -> list[Report]:
    """The results files that are for one of these sections, by the longest end of their names."""

    def section(path: Path) -> str:
        return next(s for s in reversed(SUFFIXES) if path.name.endswith(SUFFIXES[s]))

    return [report for path, report in reports.items() if section(path) in sections]


@dataclass(frozen=True)
class Step:
    """A row and the one that it is compared with, which may be itself.

    Attributes:
        row: with what was changed.
        base: without.
        name: of the row, short.
        base_name: of the base.
        lever: what was changed.
        aligned: both under an alignment, where both were scored so, too.
    """

    row: Row
    base: Row
    name: str = ""
    base_name: str = ""
    lever: str = ""
    aligned: Step | None = None

    @property
    def own(self) -> bool:
        """Whether the row is the base."""
        return self.row is self.base

    @property
    def turns(self) -> Against | None:
        """How the two compared where they were timed in turns; None where they were not."""
        other = self.row.against
        if other is None or self.own or other.name != self.base.name:
            return None
        return other if other.size in (None, self.base.size) else None

    @property
    def faster(self) -> float | None:
        """How many times as fast as the base it is."""
        return self.turns.ratio if self.turns else ratio(self.row.fps, self.base.fps)

    @property
    def faster_training(self) -> float | None:
        """How many times as fast it is trained."""
        return ratio(self.row.training_images_per_second, self.base.training_images_per_second)


@dataclass(frozen=True)
class Measured:
    """A row and where it is from.

    Attributes:
        row: of a results file.
        environment: that of the file.
        company: how many of the networks that were asked for were scored together with it, and
            how many were timed.
    """

    row: Row
    environment: Environment
    company: tuple[int, int]

    def describe(self) -> str:
        """What is needed to repeat it."""
        accuracy = f"{data_line(self.row)} " if scored(self.row) else ""
        return f"{accuracy}{circumstances([self.row])} {self.environment.describe()}."


@dataclass(frozen=True)
class Reproduction:
    """A published system beside what was measured of it.

    Attributes:
        system: what was reported.
        reference: the system that it is compared with.
        row: the row that stands for it; None where it was not measured.
        step: it beside the reference, measured together; None where they were not.
        note: letter of the note that says what it was measured on.
    """

    system: PublishedSystem
    reference: PublishedSystem
    row: Row | None = None
    step: Step | None = None
    note: str = ""

    @property
    def weights(self) -> str | None:
        """What was measured."""
        return weights_of(self.row) if self.row else None

    @property
    def checkpoint(self) -> int:
        """Bytes of a training checkpoint of the network here."""
        counted = VARIANTS[self.system.variant].checkpoint_bytes
        return (self.row and self.row.checkpoint) or counted

    @property
    def fewer_params(self) -> float | None:
        """How many times fewer parameters than the reference it has."""
        return ratio(*(VARIANTS[each.variant].params for each in (self.reference, self.system)))


def ratio(more: float | None, less: float | None) -> float | None:
    """None where either is missing."""
    return more / less if more and less else None


def scored(row: Row) -> bool:
    """Whether scores say something of metric depth: unaligned, of real images not learnt."""
    return bool(row.metrics) and not row.drawn and not row.learnt and not row.aligned


def weights_of(row: Row) -> str:
    """The weights, and why their scores are left out where they are."""
    return UNTRAINED if row.untrained else row.weights + " (over-fits)" * row.learnt


def good(rows: Iterable[Row]) -> list[Row]:
    """Rows with figures of a network that is asked for one image after the other."""
    return [row for row in rows if row.fps and not row.error and row.scenario == SINGLE_STREAM]


def groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that may share a table: of one yardstick, device and number of threads."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault((*row.yardstick, row.device, row.threads), []).append(row)
    return list(found.values())


def together(reports: Iterable[Report], variants: Collection[str]) -> Iterator[list[Measured]]:
    """Rows of these variants whose speeds make ratios: of one file, under like circumstances."""
    for report in reports:
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in good(report.rows):
            if row.variant in variants and not row.model:
                key = (row.target, row.device, row.threads, row.batch, row.form)
                found.setdefault(key, []).append(row)
        for rows in found.values():
            judged, timed = ({row.variant for row in each} for each in (filter(scored, rows), rows))
            company = len(judged), len(timed)
            yield [Measured(row, report.environment, company) for row in rows]


def representatives(reports: Iterable[Report], variants: Collection[str]) -> dict[str, Measured]:
    """The row that stands for each network; none for what was not measured."""
    best: dict[str, Measured] = {}
    for found in (each for group in together(reports, variants) for each in group):
        name = found.row.variant
        if name not in best or _rank(found) < _rank(best[name]):
            best[name] = found
    return best


def _rank(found: Measured) -> tuple[Any, ...]:
    """Least for the row that stands for a network: scored, deployed, measured beside the others."""
    row, (judged, timed) = found.row, found.company
    return not scored(row), row.learnt, not _deployed(row), -judged, -timed, not _at_own_size(row)


def _at_own_size(row: Row) -> bool:
    return get_variant(row.variant).size == row.size


def shipped_together(reports: Iterable[Report], variants: Collection[str]) -> list[Measured]:
    """One row each of as many of these variants as were measured together, the fastest first."""

    def standing(group: Sequence[Measured]) -> dict[str, Measured]:
        ranked = sorted((each for each in group if scored(each.row)), key=_rank, reverse=True)
        return {each.row.variant: each for each in ranked}

    found = [standing(group) for group in together(reports, variants)]
    best = max(
        found,
        key=lambda rows: (len(rows), any(_deployed(r.row) for r in rows.values())),
        default={},
    )
    return sorted(best.values(), key=lambda each: -(each.row.fps or 0))


def _deployed(row: Row) -> bool:
    """Whether a row is of what is deployed: the folded file, in ONNX Runtime and fp32."""
    return (row.target, row.form) == ("onnxruntime", "folded")


def steps_from(
    reports: Iterable[Report], reference: str, light: Collection[str]
) -> dict[str, Step]:
    """Each lighter network beside the reference, where both were measured together.

    Both stand at one input size, or each at its own, as in a publication.
    """
    best: dict[str, tuple[tuple[Any, ...], Step]] = {}
    for group in together(reports, {reference, *light}):
        heavy = [found for found in group if found.row.variant == reference]
        others = [found for found in group if found.row.variant != reference]
        for base, found in ((base, found) for base in heavy for found in others):
            rank, name = (*_rank(found), *_rank(base)), found.row.variant
            own_sizes = _at_own_size(base.row) and _at_own_size(found.row)
            fair = base.row.size == found.row.size or own_sizes
            if fair and (name not in best or rank < best[name][0]):
                best[name] = rank, Step(found.row, base.row)
    return {name: step for name, (_, step) in best.items()}


def data_line(row: Row) -> str:
    """What the scores of a row are of, and by which rules, in one line."""
    kind = f" ({row.depth_kind})" if row.depth_kind else ""
    return (
        f"{row.data}{kind}, {row.samples} samples, hash {row.sample_hash}; "
        f"{row.protocol_description}."
    )


def circumstances(rows: Sequence[Row]) -> str:
    """What the speeds of rows of one table have in common, in one line."""
    targets, batches = {row.target for row in rows}, {row.batch for row in rows}
    runtime = f"{targets.pop()}, " if len(targets) == 1 else ""
    batch = f", batch {batches.pop()}" if len(batches) == 1 else ""
    return f"{runtime}{rows[0].device}, {threads_of(rows[0])}{batch}."


def threads_of(row: Row) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{row.threads} thread" + ("s" if row.threads != 1 else "")


def _parts(row: Row) -> dict[str, str]:
    """What tells a row from others, in words, by what it is."""
    rate = f" {row.queries.rate:g}/s" if row.queries and row.queries.rate else ""
    return {
        "network": row.name,
        "weights": row.model.file if row.model else row.weights,
        "runtime": row.target,
        "size": str(row.size),
        "device": row.device,
        "threads": threads_of(row),
        # the run itself finds the batch offline
        "batch": f"batch {row.batch}" if row.batch != 1 and row.scenario != OFFLINE else "",
        "data": f"{row.data} ({row.samples} samples)",
        "alignment": row.alignment if row.aligned else "",
        "scenario": ("" if row.scenario == SINGLE_STREAM else row.scenario) + rate,
    }


def names(rows: Sequence[Row], *without: str) -> list[str]:
    """A name for each row: its network, and what else differs between the rows.

    Args:
        rows: of one table or plot.
        without: parts that are told in another way: ``runtime``, ``size``, ``data`` and so on.
    """
    found = [_parts(row) for row in rows]
    keys = [key for key in (found[0] if found else ()) if key not in without]
    keys = [key for key in keys if key == "network" or _differs(found, key)]
    return [" ".join(filter(None, (each[key] for key in keys))) for each in found]


def _differs(found: Sequence[Mapping[str, str]], key: str) -> bool:
    """Whether a part tells rows apart; weights and size do only between rows of one network."""
    if key not in ("weights", "size"):
        return len({each[key] for each in found}) > 1
    pairs = {(each["network"].partition(":")[0], each[key]) for each in found}
    return len(pairs) > len({own for own, _ in pairs})
