"""The command ``fastdepth-bench`` without a verb, or ``run``: measures."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from fastdepth.console import list_verbs, progress, run_command, say
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input, output
from fastdepth_bench.cli import PROG, VERBS
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report

DESCRIPTION = f"""Measure speed and accuracy of networks: of the same file, on the same images.

The table goes to stderr, JSON to where --json says.

{list_verbs(VERBS)}

Examples:

  fastdepth-bench

  fastdepth-bench --variant unet128-dws --variant effb0-256 --data nyu:PATH --json results.json

  fastdepth-bench --variant unet128-dws --variant unet128 --against unet128-dws:plain

  fastdepth-bench --model theirs.onnx --normalise imagenet --output metres --data nyu:PATH

  fastdepth-bench --runtime onnxruntime --threads 1 --size 416x320 --seconds 30

  fastdepth-bench --scenario server --rate 10 --scenario offline --pictures photos

  fastdepth-bench --weights runs/first/best.safetensors --limit 20 --json - | jq .rows

  fastdepth-bench compare old.json new.json

  fastdepth-bench doctor
"""


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Options of ``fastdepth-bench``.

    Attributes:
        json: file for the results; - for stdout.
        markdown: file for them as tables in Markdown; - for stdout.
        csv: file for them as CSV, one line a row; - for stdout.
        doctor: the same as the verb doctor.
    """

    json: str | None = None
    markdown: str | None = None
    csv: str | None = None
    doctor: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command without a verb.

    Returns:
        0; 1 where a row failed; 2 for what the user can mend.
    """
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> int:
    if command.doctor:
        if command != Command(doctor=True):
            raise UsageError("--doctor measures nothing; leave the other options out")
        from fastdepth_bench.machine.doctor import report as doctor_report

        say(doctor_report())
        return 0
    names = (command.json, command.markdown, command.csv)
    places = [name for name in names if name]
    if len({*places}) < len(places):
        raise UsageError("--json, --markdown and --csv share a place; give each one of its own")
    for place in places:
        check_no_input(place, [*command.model, *command.weights, command.against])
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

    return to_markdown(report)


def _csv(report: Report) -> str:
    from fastdepth_bench.report.render import to_csv

    return to_csv({"": report})


_TEXTS = (Report.to_json, _markdown, _csv)
"""What each of the files is of a report: JSON, Markdown, CSV."""


def _print_table(report: Report) -> None:
    from rich.console import Console

    from fastdepth_bench.report.render import print_report

    print_report(report, Console(stderr=True))
