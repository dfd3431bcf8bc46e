"""Which rows of results files stand beside two published tables, and which make ratios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastdepth.metadata import UNTRAINED
from fastdepth.size import Size
from fastdepth.variants import get_variant
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.reading import (
    SINGLE_STREAM,
    Row,
    is_folding,
    is_learnt,
    scenario,
    target,
)

REFERENCE = "effb5-256"
"""The network that the others of the first table are lighter than."""

LIGHT = (REFERENCE, "effb0-256", "unet256", "unet128", "unet128-dws", "unet128-dws-75")
RESIDUAL = ("fcrn-fc", "fcrn-conv", "fcrn-deconv", "fcrn-res50")
"""The rows of the two tables, in their order."""


@dataclass(frozen=True)
class Measurement:
    """A row and the description of the machine that it is from.

    Attributes:
        row: of a results file.
        machine: the machine's description.
        company: how many rows of the same table were measured together with it.
    """

    row: Row
    machine: str
    company: int

    @property
    def scored(self) -> bool:
        """Whether its scores say something of accuracy: real images that it has not learnt."""
        row = self.row
        return bool(row["metrics"]) and row["data"] != "rooms" and not is_learnt(row)

    @property
    def weights(self) -> str:
        """The weights, and why their scores are left out where they are."""
        row = self.row
        if row["untrained"]:
            return UNTRAINED
        return f"{row['weights']}{' (over-fits)' if is_learnt(row) else ''}"

    def describe(self) -> str:
        """What is needed to repeat it."""
        row = self.row
        return (
            f"{target(row)}, {row['device']}, {row['threads']} thread(s), batch {row['batch']}, "
            f"{scenario(row)}; {self.machine}"
        )


Circumstances = tuple[Any, ...]


def _circumstances(row: Row) -> Circumstances:
    """What must agree, within one file, before two rows' speeds make a ratio."""
    return (
        row["runtime"],
        row["precision"],
        row["device"],
        row["threads"],
        row["batch"],
        scenario(row),
        row.get("fold", True),
    )


def _together(
    reports: Iterable[Mapping[str, Any]], variants: Sequence[str]
) -> Iterator[list[Measurement]]:
    """Rows of these variants that were measured together, single-stream and without a failure."""
    for report in reports:
        if is_folding(report):
            continue
        groups: dict[Circumstances, list[Row]] = {}
        for row in report["rows"]:
            known = row["variant"] in variants and not row.get("model")
            if known and row["fps"] and scenario(row) == SINGLE_STREAM:
                groups.setdefault(_circumstances(row), []).append(row)
        machine = Environment.from_dict(report["environment"]).describe()
        for rows in groups.values():
            company = len({row["variant"] for row in rows})
            yield [Measurement(row, machine, company) for row in rows]


def _deployed(row: Row) -> bool:
    """Whether a row is of what is deployed: the folded file, in ONNX Runtime and fp32."""
    return (target(row), row.get("fold", True)) == ("onnxruntime", True)


def _rank(found: Measurement) -> tuple[Any, ...]:
    """Least for the row that stands for a network: scored, deployed, measured beside the others."""
    row = found.row
    own = get_variant(row["variant"]).size == Size(*row["size"])
    return not found.scored, is_learnt(row), not _deployed(row), -found.company, not own


def chosen(reports: Iterable[Mapping[str, Any]], variants: Sequence[str]) -> dict[str, Measurement]:
    """The row that stands for each network; none for what was not measured."""
    best: dict[str, Measurement] = {}
    for group in _together(reports, variants):
        for found in group:
            name = found.row["variant"]
            if name not in best or _rank(found) < _rank(best[name]):
                best[name] = found
    return best


Pair = tuple[Measurement, Measurement]
"""The reference and a lighter network."""


def pairs_of(reports: Sequence[Mapping[str, Any]]) -> dict[str, Pair]:
    """Each lighter network with the reference, where both were measured together.

    Both stand at one input size, or each at its own, as in the publication.
    """
    pairs: dict[str, Pair] = {}

    def rank(pair: Pair) -> tuple[Any, ...]:
        return (*_rank(pair[1]), *_rank(pair[0]))

    for group in _together(reports, LIGHT):
        for heavy in (found for found in group if found.row["variant"] == REFERENCE):
            for light in group:
                name, pair = light.row["variant"], (heavy, light)
                fair = light.row["size"] == heavy.row["size"] or all(map(_at_own_size, pair))
                better = name not in pairs or rank(pair) < rank(pairs[name])
                if name != REFERENCE and fair and better:
                    pairs[name] = pair
    return pairs


def _at_own_size(found: Measurement) -> bool:
    return get_variant(found.row["variant"]).size == Size(*found.row["size"])
