"""The command ``fastdepth-bench report``: results files as tables, CSV, plots and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fastdepth.console import run_command, tell
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input, output
from fastdepth_bench.report.pages import differing, update, update_images
from fastdepth_bench.report.render import to_csv, to_markdown
from fastdepth_bench.results.file import Report, committed_results, read_reports

DESCRIPTION = """Turn results files into tables, CSV and plots; without any, renew pages.

Examples:

  fastdepth-bench report results.json

  fastdepth-bench report results.json --markdown results.md --csv results.csv

  fastdepth-bench report monday.json tuesday.json --csv - | head

  fastdepth-bench report results.json --plot plots

In a checkout of fastdepth, from the files in benchmarks/results:

  fastdepth-bench report

  fastdepth-bench report --check

  fastdepth-bench report --plot plots
"""

PROG = "fastdepth-bench report"


@dataclass(frozen=True)
class Command:
    """Options of ``fastdepth-bench report``."""

    files: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FILE ...")] = ()
    """Results files, as fastdepth-bench --json writes them; benchmarks/results/*.json if absent."""

    markdown: str | None = None
    """File for tables in Markdown; - for stdout."""

    csv: str | None = None
    """File for all figures, one line a row; - for stdout."""

    plot: Path | None = None
    """Folder for plots, each as PNG and SVG: speed against accuracy, latencies, stages."""

    check: bool = False
    """Write nothing; say which sections of README and docs here, and which files, differ."""

    picture: bool = False
    """Draw the plots of docs/compression.md, docs/anchors.md and docs/rivals.md anew, and the
    images of rooms in README and docs/models.md, by the weights that ship."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where ``--check`` found a difference; 2 for what the user can mend.
    """
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    outputs = (command.markdown, command.csv, command.plot)
    if not command.files and not any(outputs):
        if command.check and command.picture:
            raise UsageError("--check writes nothing, --picture does; leave one of them out")
        return _check(Path()) if command.check else _renew(Path(), command.picture)
    if command.check or command.picture:
        raise UsageError(
            "--check and --picture are for the pages of a checkout: give neither files nor outputs"
        )
    if command.markdown and command.markdown == command.csv:
        raise UsageError("--markdown and --csv cannot share stdout, or a file; give each its own")
    paths = command.files or tuple(committed_results(Path()))
    for name in (command.markdown, command.csv):
        check_no_input(name, paths)
    reports = read_reports(paths)
    if command.markdown or not any(outputs):
        _write(command.markdown or "-", "\n".join(map(to_markdown, reports.values())))
    if command.csv:
        _write(command.csv, to_csv({str(path): report for path, report in reports.items()}))
    if command.plot:
        _plot([*reports.values()], command.plot)
    return 0


def _check(checkout: Path) -> int:
    found = differing(checkout)
    if found:
        names = ", ".join(found)
        tell(f"{PROG}: differs from the results: {names}; run {PROG} to renew")
    return int(bool(found))


def _renew(checkout: Path, pictures: bool) -> int:
    changed = update(checkout)
    tell(f"{PROG}: renewed {', '.join(changed)}" if changed else f"{PROG}: nothing has changed")
    if pictures:
        update_images(checkout)
    return 0


def _write(name: str, content: str) -> None:
    """Write to a file, or to stdout for ``-``."""
    with output(name) as write:
        write(content)


def _plot(reports: Sequence[Report], folder: Path) -> None:
    from fastdepth_bench.report.plots import plot

    for path in plot(reports, folder):
        tell(f"{PROG}: {path}")
