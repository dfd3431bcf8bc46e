"""The command ``fastdepth-bench anchors``: how much a few known distances help."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastdepth.console import print_table, progress, run_command, tell, values_of
from fastdepth.errors import UsageError
from fastdepth.extras import require
from fastdepth.files import check_no_input, make_folder, output
from fastdepth.ranges import check_needed, real, whole
from fastdepth_bench.anchors.estimators import ESTIMATORS
from fastdepth_bench.anchors.placing import MEANING, MOST
from fastdepth_bench.anchors.study import Plan, measure
from fastdepth_bench.options import Data, Models, Networks, Options
from fastdepth_bench.report.anchors import cells, clip_cells, spread, study_markdown
from fastdepth_bench.visual.motion import count_frames

PROG = "fastdepth-bench anchors"

DESCRIPTION = """Measure what a few known distances do for d1 and RMSE, and other uses of them.

Points are taken from the truth, with noise: random ones, a tape measure, a simulated ToF sensor,
a cluster, corners of the image. Every estimator sees the same points and the same depth of the
network.

Examples:

  fastdepth-bench anchors --variant mnv2-64-dws --data nyu:PATH

  fastdepth-bench anchors --variant mnv2-64-dws --data nyu:PATH --json anchors.json --plot plots

  fastdepth-bench anchors --model mine.onnx --data nyu:PATH --points 1,2,256 --noise 0.1

  fastdepth-bench anchors --variant mnv2-64-dws --data nyu:PATH --split validation --limit 20

  fastdepth-bench anchors --variant mnv2-64-dws --data nyu:PATH --clip video.mp4
"""


@dataclass(frozen=True, kw_only=True)
class Command(Data, Networks, Models):
    """Options of ``fastdepth-bench anchors``.

    Attributes:
        points: numbers of random points, with commas.
        draws: times that points are drawn of each image.
        noise: standard deviation of a distance as a share of it; that of the ToF sensor is its own.
        clip: video on which flicker is measured too: without distances, and with some that are
            known in its first frame, every tenth or all.
        json: file for the results; - for stdout.
        markdown: file for them as tables in Markdown; - for stdout.
        plot: folder for a plot of d1 against the number of random points, as PNG and SVG.
    """

    points: str = "1,4,16,64"
    draws: Annotated[int, whole(1, 1000)] = 5
    noise: Annotated[float, real(0, 1)] = 0.02
    clip: Path | None = None
    json: str | None = None
    markdown: str | None = None
    plot: Path | None = None

    def options(self) -> Options:
        """The same as options of ``fastdepth-bench``, which checks them and finds weights."""
        shared = values_of(self, Networks) | values_of(self, Data) | values_of(self, Models)
        ours = self.variant or self.weights or not self.model
        return Options(runtime=("onnxruntime",) if ours else (), **shared)

    def plan(self) -> Plan:
        """How points are drawn.

        Raises:
            UsageError: numbers of points are none.
        """
        words = [word.strip() for word in self.points.split(",")]
        numbers = [int(word) for word in words if re.fullmatch("[0-9]{1,9}", word)]
        if len(numbers) < len(words) or not all(0 < number <= MOST for number in numbers):
            raise UsageError(f"points {self.points[:40]!r}: give numbers of 1 to {MOST}, as 1,4,16")
        return Plan(tuple(dict.fromkeys(numbers)), self.draws, self.noise)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> None:
    options, plan = command.options(), command.plan()
    check_needed(command, False, "fastdepth-bench run; here points are fitted to", "align")
    require("scipy", "bench")
    frames = count_frames(command.clip) or 0 if command.clip else 0  # fails now where it is none
    inputs: list[Path | str] = [
        *command.model,
        *command.weights,
        *([command.clip] if command.clip else []),
    ]
    for place in (command.json, command.markdown):
        check_no_input(place, inputs)
    if command.json and command.json == command.markdown:
        raise UsageError("--json and --markdown share a place; give each one of its own")
    if command.plot:
        make_folder(command.plot)  # now, so that it fails now
    options.check()
    with ExitStack() as stack:
        write_json, write_markdown = (
            stack.enter_context(output(name)) for name in (command.json, command.markdown)
        )
        with progress(PROG, len(options.open_data()) + frames) as advance:
            study = measure(options, plan, advance, command.clip)
        write_json(study.to_json())
        write_markdown(study_markdown(study, meanings()) + "\n")
    if "-" not in (command.json, command.markdown):
        print_table(*cells(study))
        if study.clip:
            print_table(*clip_cells(study.clip))
    tell(f"d1; {study.describe()}. {spread(study)}.")
    if study.clip:
        tell(f"flicker; {study.clip.describe()}.")
    if command.plot:
        from fastdepth_bench.report.anchors_plot import plot_study

        for path in plot_study(study, command.plot / f"anchors.{study.variant}.png"):
            tell(f"{PROG}: {path}")


def meanings() -> str:
    """What kinds of points and estimators are, in sentences."""
    said = "; ".join(f"{each.name}: {each.meaning}" for each in ESTIMATORS.values())
    return f"{MEANING} Estimators: {said}."
