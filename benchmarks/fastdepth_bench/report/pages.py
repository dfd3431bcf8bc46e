"""What README, model cards and compression study show: ``fastdepth-bench report`` renews it.

Tables come from the committed results, images from predictions of the shipped weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.data import open_source
from fastdepth.errors import UsageError
from fastdepth.files import write_text
from fastdepth.images.colour import colourise, scale_bar, sheet
from fastdepth.images.io import write_png
from fastdepth.published import MEASURED
from fastdepth.runtime.model import DepthModel, load
from fastdepth.weights import shipped_weights
from fastdepth_bench.options import Options
from fastdepth_bench.report.compression import PAGE as STUDY_PAGE
from fastdepth_bench.report.compression import STUDY, with_study
from fastdepth_bench.report.compression_plot import plot_study
from fastdepth_bench.report.folding_table import folding_to_markdown
from fastdepth_bench.report.markdown import between, marks, table, to_markdown
from fastdepth_bench.report.models import CARDS, PAGE, image_path, with_cards
from fastdepth_bench.report.published_tables import seeds_to_markdown
from fastdepth_bench.report.rivals import rivals_to_markdown
from fastdepth_bench.report.systems_table import measured, systems_to_markdown
from fastdepth_bench.results.reading import committed_results, is_folding, read_all
from fastdepth_bench.runners.cache import exported
from fastdepth_bench.visual.sheet import contact_sheet
from fastdepth_export import ExportRecipe
from fastdepth_export.targets import TARGETS

RESULTS, FOLDING, PRECISIONS, SYSTEMS = "results", "folding", "precisions", "systems"
TARGET_TABLE, SEEDS, RIVALS = "targets", "seeds", "rivals"
SECTIONS = (RESULTS, RIVALS, FOLDING, PRECISIONS, SYSTEMS, SEEDS, TARGET_TABLE)
"""Names of the README's generated sections."""

_OWN = (RIVALS, FOLDING, PRECISIONS, SYSTEMS, SEEDS)
SUFFIXES = {RESULTS: ".json"} | {section: f".{section}.json" for section in _OWN}
SUFFIXES |= {"study": STUDY, "cards": CARDS}
"""Ends of the names of results files by the section that they are for, and of those that only
:mod:`fastdepth_bench.report.compression` or :mod:`fastdepth_bench.report.models` shows."""

EACH: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        RESULTS: to_markdown,
        RIVALS: rivals_to_markdown,
        FOLDING: folding_to_markdown,
        PRECISIONS: to_markdown,
    }
)
"""How a results file becomes a table, for the sections that show one for each file."""

NONE_YET = "No results are committed yet; `--json benchmarks/results/MACHINE{}` adds some.\n"

IMAGED = "mnv2-64-dws"
"""The network whose prediction the README shows."""

ROOM = 14
"""Number of the test room that the README shows."""

ROOMS, ROOM_WIDTH = 3, 128
"""Number and width [px] of the rooms on a card's sheet, so that it stays small."""

FARTHEST = 6.0
"""Distance of the darkest colour in the README's image [m]; rooms are not deeper."""


def with_results(readme: str, reports: Mapping[Path, Mapping[str, Any]]) -> str:
    """The README with the tables of these results between the marks of its sections.

    Args:
        readme: its text.
        reports: parsed results files of ``fastdepth-bench`` and of the folding benchmark; the
            suffix of their path says which section they are for.

    Raises:
        UsageError: the README has no such marks.
    """
    for section, render in EACH.items():
        tables = [render(report) for report in _of(reports, section)]
        readme = between(readme, section, "\n".join(tables) or NONE_YET.format(SUFFIXES[section]))
    readme = between(readme, SYSTEMS, systems_to_markdown(_of(reports, RESULTS, SYSTEMS)))
    return between(readme, SEEDS, seeds_to_markdown([*reports.values()]))


def as_markdown(report: Mapping[str, Any]) -> str:
    """A parsed results file of either kind as Markdown."""
    return folding_to_markdown(report) if is_folding(report) else to_markdown(report)


def _section(path: Path) -> str:
    """The section that a results file is for."""
    return next(s for s in reversed(SUFFIXES) if path.name.endswith(SUFFIXES[s]))


def _of(reports: Mapping[Path, Mapping[str, Any]], *sections: str) -> list[Mapping[str, Any]]:
    """The parsed results files that are for one of these sections."""
    return [report for path, report in reports.items() if _section(path) in sections]


def measured_json(reports: Mapping[Path, Mapping[str, Any]]) -> str:
    """Contents of the package's ``measured.json``: what ``fastdepth-train --list`` shows."""
    return json.dumps(measured(_of(reports, RESULTS, SYSTEMS)), indent=2) + "\n"


def with_targets(readme: str) -> str:
    """The README with the table of targets in its section.

    Raises:
        UsageError: the README has no such section.
    """
    headings = ("runtime", "what it is", "device", "precision", "`--format`", "files", "extra")
    lines = []
    for target in TARGETS.values():
        devices, precisions = ", ".join(target.devices), ", ".join(target.precisions)
        files = " ".join(f"`{suffix}`" for suffix in target.suffixes)
        name, extra = f"`{target.name}`", f"`{target.extra}`"
        lines.append(
            (name, target.summary, devices, precisions, target.format or "-", files or "-", extra)
        )
    content = table(headings, lines, texts=len(headings)) + "\n"
    return between(readme, TARGET_TABLE, content)


def room_image(model: DepthModel, room: int = ROOM) -> NDArray[np.uint8]:
    """A drawn test room, its true depth and a model's, side by side: (H, W, 3) uint8 RGB."""
    sample = open_source("rooms", "test")[room]
    truth, depth = (colourise(d, vmax=FARTHEST) for d in (sample.depth, model(sample.image)))
    columns = [sample.image, truth, scale_bar(depth, vmax=FARTHEST)]
    return sheet(columns, ["image", "true depth", model.metadata.variant])


def generated(checkout: Path) -> dict[Path, str]:
    """Text files of a checkout as its committed results make them: its README, the cards of the
    weights that ship, the compression study, and what ``fastdepth-train --list`` shows.

    Raises:
        UsageError: this is no checkout, has no results, or one of them lacks a section.
    """
    readme = checkout / "README.md"
    cards, study = checkout / PAGE, checkout / STUDY_PAGE
    for path in (readme, cards, study):
        if not path.exists():
            raise UsageError(f"no {path} here; run in a checkout, or name results files")
    reports = read_all(committed_results(checkout))
    return {
        readme: with_targets(with_results(readme.read_text(), reports)),
        checkout / "fastdepth" / MEASURED.name: measured_json(reports),
        cards: with_cards(cards.read_text(), [*reports.values()]),
        study: with_study(study.read_text(), reports),
    }


def differing(checkout: Path) -> list[str]:
    """Names of the README's sections, and of files, that differ from the committed results.

    Raises:
        UsageError: as :func:`generated`.
    """
    return _differing(checkout, generated(checkout))


def _differing(checkout: Path, contents: Mapping[Path, str]) -> list[str]:
    """Those of these contents, the README's first, that differ from what stands there."""
    readme, *others = contents.items()
    old, new = readme[0].read_text(), readme[1]
    found = [name for name in SECTIONS if _inside(old, name) != _inside(new, name)]
    for path, content in others:
        if not path.exists() or path.read_text() != content:
            found.append(path.relative_to(checkout).as_posix())
    return found


def _inside(readme: str, section: str) -> str:
    """What stands between the marks of a section."""
    begin, end = marks(section)
    return readme.partition(begin)[2].partition(end)[0]


def update(checkout: Path) -> list[str]:
    """Rewrite the generated text of a checkout; returns what has changed, as :func:`differing`.

    Raises:
        UsageError: as :func:`generated`.
        OutputError: a file cannot be written.
    """
    contents = generated(checkout)
    changed = _differing(checkout, contents)
    for path, content in contents.items():
        write_text(path, content)
    return changed


def update_images(checkout: Path) -> None:
    """Draw the images of a checkout anew: rooms, all of them drawn, by the weights that ship, and
    the plots of the compression study.

    Raises:
        MissingExtraError: what exports the networks is not installed.
        OutputError: one cannot be written.
    """
    plot_study(read_all(committed_results(checkout)), checkout)
    model = load(exported(ExportRecipe(IMAGED)))
    write_png(checkout / "docs" / "room.png", room_image(model))
    for tag in shipped_weights():
        options = Options(weights=(tag,), runtime=("onnxruntime",), data="rooms", limit=ROOMS)
        write_png(checkout / image_path(tag), contact_sheet(options, ROOM_WIDTH))
