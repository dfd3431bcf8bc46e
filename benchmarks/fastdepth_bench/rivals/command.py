"""The command ``fastdepth-bench rivals``: what a user would pick instead, timed side by side."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from fastdepth.console import (
    is_wide,
    print_table,
    progress,
    run_command,
    say,
    tell,
    values_of,
)
from fastdepth.errors import UsageError, look_up
from fastdepth.extras import require
from fastdepth.files import check_no_input, check_output, output
from fastdepth.ranges import TimeLimit, real, whole
from fastdepth.runtime.answer import TIME_LIMIT
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Data, Networks
from fastdepth_bench.report.rivals.plot import USUAL, plot_rivals, undrawn
from fastdepth_bench.report.rivals.tables import (
    NARROW,
    SPEED,
    WARNING,
    WIDE,
    cells,
    conditions,
    lines,
    noted,
    remarks,
    rivals_markdown,
)
from fastdepth_bench.report.select import good
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.rivals import OURS, RIVALS, Rival
from fastdepth_bench.rivals.study import Compared, find

PROG = "fastdepth-bench rivals"

DESCRIPTION = f"""Time networks that you would pick instead beside fastdepth's own, on this machine.

Those of which an installed library has the code are built with random weights, for their speed
alone; of the others give an ONNX file. What is printed of their accuracy stands beside, each figure
with its protocol and its source. At least 20 frames of each network are timed, of which the slowest
take seconds each: 16 minutes in all were measured on an idle CPU with AVX2, with --seconds 10 and
exported files. With --against it takes longer.

Networks: {", ".join(RIVALS)}.

Examples:

  fastdepth-bench rivals

  fastdepth-bench rivals --network depth-anything-v2-small --variant mnv2-64-dws --threads 1

  fastdepth-bench rivals --onnx midas-v2.1-small=midas.onnx --data nyu:PATH

  fastdepth-bench rivals --data nyu:PATH --json rivals.json --plot rivals.png

  fastdepth-bench rivals --against mnv2-64-dws-70 --data nyu:PATH --limit 20
"""

IMAGES = (".png", ".svg")
"""Suffixes of a plot."""


@dataclass(frozen=True, kw_only=True)
class Command(Data, Networks):
    """Options of ``fastdepth-bench rivals``.

    Attributes:
        network: network of others; all if absent.
        onnx: NAME=FILE, an ONNX file of a network of others, with its own weights; on --data it is
            scored as fastdepth's own are.
        variant: fastdepth's own; mnv2-64-dws, mnv2-64-dws-70 and unet128-dws if absent.
        size: input of fastdepth's own networks, WIDTHxHEIGHT; each variant's own if absent.
        data: images with depth: rooms, rooms:COUNT or nyu:PATH. Scores on rooms are not shown.
        align: what is fitted to the truth of each image before it is scored, and the only one whose
            published figures are drawn: none, median, affine, log-affine or affine-disparity;
            affine-disparity if absent.
        seconds: time each network at least this long, all restarts together.
        restarts: processes in which each network is timed anew, in turns with the others.
        against: time each in turns with this variant as well, frame by frame, which tells how many
            times as fast it is; timing takes three times as long.
        json: file for the results; - for stdout.
        markdown: file for them as tables in Markdown; - for stdout.
        plot: PNG or SVG file for a plot of d1 against frames/s.
        time_limit: for opening an ONNX file, and for its first inference [s].
    """

    network: tuple[str, ...] = ()
    onnx: tuple[str, ...] = ()
    data: str = "rooms:8"
    seconds: Annotated[float, real(0, 3600, above=True)] = 3.0
    restarts: Annotated[int, whole(1, 100)] = 3
    against: str | None = None
    json: str | None = None
    markdown: str | None = None
    plot: Path | None = None
    time_limit: TimeLimit = TIME_LIMIT

    def files(self) -> dict[str, Path]:
        """The user's files by the name of their network.

        Raises:
            UsageError: no NAME=FILE, a network twice.
            UnknownNameError: there is no such network.
        """
        found: dict[str, Path] = {}
        for said in self.onnx:
            name, equals, file = said.partition("=")
            if not equals or not file:
                raise UsageError(f"--onnx {said[:80]!r}: say NAME=FILE, as guidedepth-s=x.onnx")
            if look_up("network", name, RIVALS).name in found:
                raise UsageError(f"--onnx has two files of {name}; give one")
            found[name] = Path(file)
        return found

    def rivals(self) -> list[Rival]:
        """Networks of others that were asked for, each once.

        Raises:
            UnknownNameError: there is none of that name.
        """
        names = (*self.network, *self.files()) if self.network else RIVALS
        return [look_up("network", name, RIVALS) for name in dict.fromkeys(names)]

    def options(self) -> Compared:
        """The same as options of ``fastdepth-bench``, without the networks of others.

        Raises:
            UsageError: several alignments.
        """
        alignments = self.alignments() or (USUAL,)
        if len(alignments) > 1:
            raise UsageError("--align takes one here: figures of several share no plot")
        shared = values_of(self, Networks) | values_of(self, Data)
        if not self.variant and not self.weights:
            shared["variant"] = OURS
        return Compared(
            **shared | {"align": alignments},
            runtime=("onnxruntime",),
            seconds=self.seconds,
            restarts=self.restarts,
            against=self.against,
            time_limit=self.time_limit,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where a row failed; 2 for what the user can mend.
    """
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    files, rivals, options = command.files(), command.rivals(), command.options()
    _check(command, files)
    options.check()
    options.open_data()  # now, so that it fails before anything is exported
    threads = options.cases()[0].threads
    with ExitStack() as stack:
        write_json, write_markdown = (
            stack.enter_context(output(name)) for name in (command.json, command.markdown)
        )
        with progress(PROG, len(rivals)) as advance:
            found = find(rivals, files, threads, advance, needed=bool(command.network))
        options = replace(options, others=found.cases)
        with progress(PROG, steps(options)) as advance:
            report = run(options, advance)
        write_json(report.to_json())
        write_markdown(rivals_markdown(report, rivals, found.failed) + "\n")
    if "-" not in (command.json, command.markdown):
        _print_tables(report, rivals)
    said = [*remarks(report, rivals, found.failed), WARNING, report.environment.busy_line]
    if good(report.rows):
        said.insert(0, conditions(report))
    for line in filter(None, said):
        tell(line)
    if command.plot:
        _plot(command.plot, report, rivals)
    return int(report.failed)


def _print_tables(report: Report, rivals: Sequence[Rival]) -> None:
    timed, found = good(report.rows), lines(report, rivals)
    for columns in (SPEED,) if is_wide(WIDE) else NARROW:
        if timed:
            print_table(*cells(columns, timed))
    shown, notes = noted(found)
    print_table(*cells(shown, found))
    for note in notes:
        say(note)


def _check(command: Command, files: Mapping[str, Path]) -> None:
    """Refuse before any work what would fail after much."""
    places = [place for place in (command.json, command.markdown, command.plot) if place]
    for place in places:
        check_no_input(place, [*files.values(), *command.weights])
    if len({*map(os.path.abspath, places)}) < len(places):
        raise UsageError("--json, --markdown and --plot share a place; give each one of its own")
    if command.plot and command.plot.suffix not in IMAGES:
        raise UsageError(f"--plot {command.plot}: give a file that ends in {' or '.join(IMAGES)}")
    if command.plot:
        require("matplotlib", "bench")
        check_output(command.plot)


def _plot(path: Path, report: Report, rivals: Sequence[Rival]) -> None:
    written = plot_rivals(report, path, (path.suffix,), rivals)
    for file in written:
        tell(f"{PROG}: {file}")
    for line in () if written else ("nothing to draw", *undrawn(report, rivals)):
        tell(f"{PROG}: {line}")
