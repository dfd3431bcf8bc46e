"""``docs/models.md``: a card for each file of weights that ships.

What stands between marks is generated, from the cards in the files' headers and from the committed
results; what is known of failures is written by hand below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fastdepth.variants import get_variant
from fastdepth.weights import find_weights, read_card, weights_hash
from fastdepth_bench.report.cells import Column, text_of
from fastdepth_bench.report.columns import ABS_REL, CARD, D1
from fastdepth_bench.report.render import escaped, markdown_table
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row

USUAL_RUNTIME = "onnxruntime"
"""Whose scores are shown where several runtimes agree on a row."""

FACTS: Sequence[Column[tuple[str, str]]] = (
    text_of("", lambda fact: fact[0]),
    replace(text_of("", lambda fact: fact[1]), code=True),
)


def image_name(tag: str) -> str:
    """Name of the sheet of drawn rooms, beside the page."""
    return f"{tag}.png"


def card(tag: str, reports: Iterable[Report]) -> str:
    """The generated part of a card.

    Args:
        tag: of weights that ship.
        reports: of which the rows of these very tensors are shown.
    """
    path = find_weights(tag)
    of_these = weights_hash(path)
    rows = (row for report in reports for row in report.rows)
    own = _scored(row for row in rows if row.weights_hash == of_these)
    rules = {escaped(f"{row.data}: {row.protocol_description}.") for row in own}
    scores = [markdown_table(CARD, own)] if own else []
    image = f"![What {tag} predicts in drawn rooms]({image_name(tag)})"
    return "\n\n".join([_facts(path), *scores, *sorted(rules), image])


def _facts(path: Path) -> str:
    """What the file's header says, as a table."""
    card = read_card(path)
    variant = get_variant(card.variant)
    near, far = variant.depth_range
    facts = {
        "architecture": f"`{variant.name}`, {variant.summary}; {variant.params:,} parameters",
        "takes": f"{variant.size}, RGB; answers with {near:g} to {far:g} m",
        "weights file": f"`{path.name}`, fp16, {path.stat().st_size:,} bytes",
        "training data": card.data,
        "initialisation": card.initialisation,
        "recipe": f"`{card.command}`",
        "licence": card.licence,
        "scores in its header": f"{_in_words(card.scores)}; protocol {card.protocol}, "
        f"{card.evaluated_on}",
        "to check a copy": f"{_in_words(card.rooms)} on the first drawn test rooms",
    }
    return markdown_table(FACTS, facts.items())


def _in_words(scores: Mapping[str, float]) -> str:
    found = ((D1, scores.get("d1")), (ABS_REL, scores.get("abs_rel")))
    return ", ".join(f"{column.title} {value:.4f}" for column, value in found if value is not None)


def _scored(rows: Iterable[Row]) -> list[Row]:
    """Rows with unaligned scores of images that were not trained on: one of each kind."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        real = row.metrics and not row.drawn and not row.learnt
        if real and not row.aligned and row.form == "folded":
            kind = (*row.yardstick, row.size, row.precision)
            if kind not in found or row.runtime == USUAL_RUNTIME:
                found[kind] = row
    return list(found.values())
