"""What the generated sections of README and documents show: ``fastdepth-bench report`` renews it.

Tables come from the committed results, images from predictions of the weights that ship.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fastdepth.data import open_source
from fastdepth.errors import UsageError
from fastdepth.files import write_text
from fastdepth.images.colour import colourise, scale_bar, sheet
from fastdepth.images.io import write_png
from fastdepth.runtime.model import DepthModel, load
from fastdepth.weights import shipped_weights
from fastdepth_bench.options import Options
from fastdepth_bench.report.alignment import alignment_section
from fastdepth_bench.report.anchors import anchors_section
from fastdepth_bench.report.anchors_plot import plot_studies
from fastdepth_bench.report.cards import card, image_name
from fastdepth_bench.report.cells import Column
from fastdepth_bench.report.columns import (
    D1,
    EDGES,
    FOLDING,
    FORMATS,
    RESULTS,
    RUNTIMES,
    SHIPPED,
    THIRD_PARTY,
    Columns,
)
from fastdepth_bench.report.compression import LEVERS, lever_section, summary
from fastdepth_bench.report.compression_plot import plot_study
from fastdepth_bench.report.render import between, escaped, markdown_table, marks, sections
from fastdepth_bench.report.rivals.plot import plot_committed
from fastdepth_bench.report.rivals.tables import rivals_section
from fastdepth_bench.report.select import SUFFIXES, Reports, meant_for, shipped_together, threads_of
from fastdepth_bench.report.table import published_to_markdown, tables_to_markdown
from fastdepth_bench.results.anchors import Studies, committed_studies, read_studies
from fastdepth_bench.results.file import FOLDER, Report, committed_results, read_reports
from fastdepth_bench.results.schema import SCHEMA_FILE, schema
from fastdepth_bench.runners.cache import exported
from fastdepth_bench.visual.sheet import contact_sheet
from fastdepth_export import ExportRecipe
from fastdepth_export.targets import PAGE, TARGETS, Target

Renderer = Callable[[Reports], str]
"""Makes a section of all results files."""

IMAGED = "mnv2-64-dws"
"""The network whose prediction the README shows."""

ROOM = 14
"""Number of the test room that the README shows."""

ROOMS, ROOM_WIDTH = 3, 128
"""Number and width [px] of the rooms on a card's sheet, so that it stays small."""

FARTHEST = 6.0
"""Distance of the darkest colour in the README's image [m]; rooms are not deeper."""

CARDS = "docs/models.md"
"""The page of cards, each between marks that bear the tag of its weights."""


def _tables(section: str, columns: Columns) -> Renderer:
    """A section that shows every row of the results files for it."""

    def render(reports: Reports) -> str:
        none = (
            f"No results are committed yet; "
            f"`--json {FOLDER.as_posix()}/MACHINE{SUFFIXES[section]}` adds some."
        )
        return "\n\n".join(sections(meant_for(reports, section), columns)) or none

    return render


def _of_targets(columns: Iterable[Column[Target]], *others: Target) -> Renderer:
    return lambda _: markdown_table([*columns], [*TARGETS.values(), *others])


def _published(render: Callable[[list[Report]], str]) -> Renderer:
    return lambda reports: render(meant_for(reports, "results", "published"))


def networks(reports: Reports) -> str:
    """The networks that ship, as they were measured together, and on what in one line."""
    variants = dict.fromkeys(tag.rpartition(".")[0] for tag in shipped_weights())
    found = shipped_together(meant_for(reports, "results"), variants)
    if not found:
        return "Not measured yet."
    rows, environment = [each.row for each in found], found[0].environment
    first = rows[0]
    said = (
        f"{first.target} on {environment.machine}, "
        f"{threads_of(first)}; {D1.title} on {first.samples} images of {first.data}, protocol "
        f"{first.protocol}, alignment {first.alignment}."
    )
    return f"{markdown_table(SHIPPED, rows)}\n\n{escaped(said)}"


def pages(studies: Studies = MappingProxyType({})) -> dict[str, dict[str, Renderer]]:
    """What makes each section of each page, by the page's path in a checkout.

    Args:
        studies: of known distances, whose files are others than a renderer is given.
    """
    return {
        "README.md": {"networks": networks, "runtimes": _of_targets(RUNTIMES)},
        "docs/results.md": {
            "results": _tables("results", RESULTS),
            "third-party": _tables("third-party", THIRD_PARTY),
            "alignment": alignment_section,
            "edges": _tables("edges", EDGES),
            "precisions": _tables("precisions", RESULTS),
            "folding": _tables("folding", FOLDING),
        },
        "docs/published.md": {
            "published": _published(published_to_markdown),
            "published-tables": _published(tables_to_markdown),
        },
        "docs/rivals.md": {"rivals": rivals_section},
        "docs/anchors.md": {"anchors": lambda _: anchors_section(studies)},
        "docs/install.md": {"targets": _of_targets(FORMATS, PAGE)},
        "docs/compression.md": {
            "summary": summary,
            **{name: partial(lever_section, lever) for name, lever in LEVERS.items()},
        },
        CARDS: {tag: partial(_card, tag) for tag in shipped_weights()},
    }


def _card(tag: str, reports: Reports) -> str:
    return card(tag, reports.values())


def generated(checkout: Path) -> dict[Path, str]:
    """Text files of a checkout as its committed results make them.

    Raises:
        UsageError: this is no checkout, has no results, or a page lacks the marks of a section.
    """
    studies = read_studies(committed_studies(checkout))
    found = {checkout / page: renderers for page, renderers in pages(studies).items()}
    for path in found:
        if not path.exists():
            raise UsageError(f"no {path} here; run in a checkout, or name results files")
    reports = read_reports(committed_results(checkout))
    contents = {}
    for path, renderers in found.items():
        content = path.read_text()
        for section, render in renderers.items():
            content = between(content, section, render(reports), _name(path, checkout))
        contents[path] = content
    _check_cards(contents[checkout / CARDS])
    contents[checkout / "benchmarks" / "fastdepth_bench" / "results" / SCHEMA_FILE.name] = schema()
    return contents


def _check_cards(page: str) -> None:
    """Find the card of what does not ship."""
    gone = set(re.findall(r"^<!-- (.+): begin -->$", page, re.MULTILINE)) - {*shipped_weights()}
    if gone:
        raise UsageError(f"{CARDS} has a card of {min(gone)}, which does not ship; remove it")


def _name(path: Path, checkout: Path) -> str:
    return path.relative_to(checkout).as_posix()


def differing(checkout: Path) -> list[str]:
    """Sections (``PAGE: SECTION``) and files that differ from the committed results.

    Raises:
        UsageError: as :func:`generated`.
    """
    return _differing(checkout, generated(checkout))


def _differing(checkout: Path, contents: Mapping[Path, str]) -> list[str]:
    found = []
    for path, content in contents.items():
        old, name = path.read_text() if path.exists() else "", _name(path, checkout)
        if old != content:
            inside = [s for s in pages().get(name, ()) if _inside(old, s) != _inside(content, s)]
            found += [f"{name}: {section}" for section in inside] or [name]
    return found


def _inside(page: str, section: str) -> str:
    """What stands between the marks of a section."""
    begin, end = marks(section)
    return page.partition(begin)[2].partition(end)[0]


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


def room_image(model: DepthModel, room: int = ROOM) -> NDArray[np.uint8]:
    """A drawn test room, its true depth and a model's, side by side: (H, W, 3) uint8 RGB."""
    sample = open_source("rooms", "test")[room]
    truth, depth = (colourise(d, vmax=FARTHEST) for d in (sample.depth, model(sample.image)))
    columns = [sample.image, truth, scale_bar(depth, vmax=FARTHEST)]
    return sheet(columns, ["image", "true depth", model.metadata.variant])


def update_images(checkout: Path) -> None:
    """Draw the images of a checkout anew: rooms, all of them drawn, by the weights that ship, and
    the plots of the compression study, of known distances and of rivals.

    Raises:
        MissingExtraError: what exports the networks is not installed.
        OutputError: one cannot be written.
    """
    reports = read_reports(committed_results(checkout))
    plot_study(reports, checkout)
    plot_committed(reports, checkout)
    plot_studies(read_studies(committed_studies(checkout)), checkout)
    model = load(exported(ExportRecipe(IMAGED)))
    write_png(checkout / "docs" / "room.png", room_image(model))
    for tag in shipped_weights():
        options = Options(weights=(tag,), runtime=("onnxruntime",), data="rooms", limit=ROOMS)
        path = (checkout / CARDS).with_name(image_name(tag))
        write_png(path, contact_sheet(options, ROOM_WIDTH))
