"""``docs/models.md``: a card for each file of weights that ships.

What stands between marks is generated, from the cards in the files' headers and from the committed
results; what is known of failures is written by hand below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastdepth.errors import UsageError
from fastdepth.size import Size
from fastdepth.variants import get_variant
from fastdepth.weights import read_card, shipped_weights, weights_hash
from fastdepth_bench.report.markdown import between, millions, number, table
from fastdepth_bench.results.reading import YARDSTICK, Row, is_folding, is_learnt

PAGE = Path("docs") / "models.md"
"""The page, in a checkout."""

CARDS = ".flip.json"
"""Ends the names of results files with the mirrored image, which only the cards show."""

METRICS = {"d1": "d1", "d2": "d2", "d3": "d3", "AbsRel": "abs_rel", "RMSE m": "rmse"}
"""Headings of the scores, and the names of what stands below them."""

USUAL_RUNTIME = "onnxruntime"
"""Whose scores are shown where several runtimes agree on a row."""


def image_path(tag: str) -> Path:
    """The sheet of drawn rooms beside the page, in a checkout."""
    return PAGE.with_name(f"{tag}.png")


def with_cards(page: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """The page with the card of every shipped file between the marks that bear its tag.

    Args:
        page: its text.
        reports: parsed results files; rows of the very tensors that ship are used.

    Raises:
        UsageError: the page lacks the marks of a file, or has those of one that does not ship.
    """
    shipped = shipped_weights()
    for tag in re.findall(r"^<!-- (.+): begin -->$", page, re.MULTILINE):
        if tag not in shipped:
            raise UsageError(f"{PAGE} has a card of {tag}, which does not ship; remove it")
    rows = [row for report in reports if not is_folding(report) for row in report["rows"]]
    for tag, path in shipped.items():
        page = between(page, tag, _card(tag, path, rows), str(PAGE))
    return page


def _card(tag: str, path: Path, rows: Iterable[Row]) -> str:
    """The generated part of a card."""
    own = _scored(row for row in rows if row["weights_hash"] == weights_hash(path))
    headings = ("measured on", "input", "precision", "flip", *METRICS, "file MB")
    scores = table(headings, map(_cells, own), texts=4) if own else ""
    rules = {f"{row['data']}: {row['protocol_description']}." for row in own}
    image = f"![What {tag} predicts in drawn rooms]({image_path(tag).name})"
    parts = (_facts(path), scores, "\n\n".join(sorted(rules)), image)
    return "\n\n".join(filter(None, parts)) + "\n"


def _facts(path: Path) -> str:
    """What the file's header says, as a table."""
    card = read_card(path)
    variant = get_variant(card.variant)
    near, far = variant.depth_range
    facts = {
        "network": f"`{variant.name}`, {variant.summary}; {variant.params:,} parameters",
        "input": f"{variant.size}, RGB; answers with {near:g} to {far:g} m",
        "file": f"`{path.name}`, fp16, {path.stat().st_size:,} bytes",
        "trained on": card.data,
        "initialisation": card.initialisation,
        "recipe": f"`{card.command}`",
        "licence": card.licence,
        "scores in its header": f"{_in_words(card.scores)}; protocol {card.protocol}, "
        f"{card.evaluated_on}",
        "to check a copy": f"{_in_words(card.rooms)} on the first drawn test rooms",
    }
    return table(("", ""), facts.items(), texts=2)


def _in_words(scores: Mapping[str, float]) -> str:
    return f"d1 {scores['d1']:.4f}, AbsRel {scores['abs_rel']:.4f}"


def _scored(rows: Iterable[Row]) -> list[Row]:
    """Rows with scores of images that were not trained on: one of each kind."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        if not row["metrics"] or is_learnt(row) or not row.get("fold", True):
            continue
        kind = (*(row[name] for name in YARDSTICK), tuple(row["size"]), row["precision"])
        if kind not in found or row["runtime"] == USUAL_RUNTIME:
            found[kind] = row
    return list(found.values())


def _cells(row: Row) -> tuple[str, ...]:
    kind = f" ({row['depth_kind']})" if row["depth_kind"] else ""
    return (
        f"{row['data']}{kind}, {row['samples']} images",
        str(Size(*row["size"])),
        row["precision"],
        "mean of image and mirror" if row.get("flip") else "no",
        *(number(row["metrics"].get(name), 3) for name in METRICS.values()),
        millions(row["bytes"], 1),
    )
