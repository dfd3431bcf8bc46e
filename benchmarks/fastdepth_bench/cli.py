"""The command ``fastdepth-bench``."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from fastdepth.console import progress, run_command
from fastdepth.files import replacing
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report as Results
from fastdepth_bench.results.result import Report

DESCRIPTION = """Measure speed and accuracy of networks: of the same file, on the same images.

The table goes to stderr, JSON to where --json says.

Examples:

  fastdepth-bench

  fastdepth-bench --variant unet128-dws --variant effb0-256 --data nyu:PATH --json results.json

  fastdepth-bench --variant unet128-dws --variant unet128 --against unet128-dws:plain

  fastdepth-bench --model rival.onnx --normalise imagenet --output metres --data nyu:PATH

  fastdepth-bench --runtime onnxruntime --threads 1 --size 416x320 --seconds 30

  fastdepth-bench --scenario server --rate 10 --scenario offline --pictures photos

  fastdepth-bench --weights runs/first/best.safetensors --limit 20 --json - | jq .rows

  fastdepth-bench --doctor

Commands that read results files; each has a --help of its own:

  fastdepth-bench report     tables, CSV and plots of them; renews a README

  fastdepth-bench compare    what got faster, slower or less accurate

  fastdepth-bench table      published figures beside those measured here

Commands that show what networks predict, likewise:

  fastdepth-bench sheet      images, truth, predictions and errors on one contact sheet

  fastdepth-bench flicker    how much depth flickers on a video
"""

PROG = "fastdepth-bench"

READERS = {
    "report": "report.command",
    "compare": "report.compare",
    "table": "report.published",
}
"""Modules of the sub-commands that read results files; each has a ``main(arguments)``."""

LOOKERS = {"sheet": "visual.sheet", "flicker": "visual.flicker"}
"""Modules of the sub-commands that show what networks predict, likewise."""


@dataclass(frozen=True)
class Command(Options):
    """Options of ``fastdepth-bench``.

    Attributes:
        json: file for the results; - for stdout.
        markdown: file for them as tables in Markdown; - for stdout.
        csv: file for them as CSV, one line a row; - for stdout.
        doctor: say what is installed and what works here, and leave.
    """

    json: str | None = None
    markdown: str | None = None
    csv: str | None = None
    doctor: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0; 1 where a row failed; 2 for what the user can mend.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    modules = READERS | LOOKERS
    if words and words[0] in modules:
        module = importlib.import_module(f"fastdepth_bench.{modules[words[0]]}")
        return int(module.main(words[1:]))
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    if command.doctor:
        from fastdepth_bench.machine.doctor import report as doctor_report

        sys.stdout.write(doctor_report())
        return 0
    names = (command.json, command.markdown, command.csv)
    with ExitStack() as stack:
        writers = [stack.enter_context(output(name)) for name in names]
        with progress(PROG, steps(command)) as advance:
            report = run(command, advance)
        for name, write, text in zip(names, writers, _TEXTS, strict=True):
            if name:
                write(text(report))
    _print_table(report)
    return int(report.failed)


def _markdown(report: Report) -> str:
    from fastdepth_bench.report.render import to_markdown

    return to_markdown(_read(report))


def _csv(report: Report) -> str:
    from fastdepth_bench.report.render import to_csv

    return to_csv({"": _read(report)})


def _read(report: Report) -> Results:
    return Results.from_json(json.loads(report.to_json()))


_TEXTS = (Report.to_json, _markdown, _csv)
"""What each of the files is of a report: JSON, Markdown, CSV."""


@contextmanager
def output(name: str | None) -> Iterator[Callable[[str], object]]:
    """What writes a text where it was asked to: a file that takes the place of ``name`` at the end.

    The file is made now, so that it fails now; ``-`` is stdout, and None is nowhere.

    Raises:
        OutputError: there can be no such file.
    """
    if name is None or name == "-":
        yield sys.stdout.write if name else len
        return
    with replacing(name) as temporary:
        yield temporary.write_text


def _print_table(report: Report) -> None:
    from rich.console import Console

    from fastdepth_bench.report.render import print_report

    print_report(_read(report), Console(stderr=True))
