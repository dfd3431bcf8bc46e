"""Folding measured: ``python -m fastdepth_bench.measure.folding``.

Three files of the same weights are timed in turns and compared pixel by pixel:

* ``plain``, the network as written;
* ``last-axis``, the same with the softmax over the bins on the last axis, which ONNX Runtime's CPU
  provider does much faster than over the channels;
* ``folded``, what is exported unless asked otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth.console import Advance, progress, run_command, silent
from fastdepth.files import output
from fastdepth_bench.case import Case
from fastdepth_bench.machine.environment import EnvironmentRecorder
from fastdepth_bench.machine.roofline import Ceiling, Rates, measure_rates
from fastdepth_bench.measure.accuracy import Samples, load_samples, timing_batches
from fastdepth_bench.measure.exactness import measure_exactness
from fastdepth_bench.measure.interleaved import interleave
from fastdepth_bench.options import DEFAULT_VARIANT, Options
from fastdepth_bench.report.folding_report import FoldedVariant, FoldingReport, Form, ImageList
from fastdepth_bench.report.folding_table import ceiling_lines, print_report
from fastdepth_bench.report.terminal import print_lines
from fastdepth_bench.runners.cache import exported

if TYPE_CHECKING:
    from fastdepth_export import ExportRecipe

PROG = "python -m fastdepth_bench.measure.folding"

PLAIN = "plain"

DESCRIPTION = """Measure what folding gains, and that it changes nothing.

The network as written, the same with its softmax on the last axis, and folded: timed in turns in
ONNX Runtime on the CPU, and compared over every pixel.

Examples:

  python -m fastdepth_bench.measure.folding

  python -m fastdepth_bench.measure.folding --variant unet128-dws --variant unet128 --data nyu:PATH

  python -m fastdepth_bench.measure.folding --limit 50 --json folding.json
"""


@dataclass(frozen=True)
class Command:
    """Options of ``python -m fastdepth_bench.measure.folding``.

    Attributes:
        variant: network; unet128-dws if absent.
        weights: tag or .safetensors file; each goes to the variant that it was trained for.
            Variants without one take those shipped, or the same random ones at every run.
        size: network input, WIDTHxHEIGHT; each variant's own if absent.
        threads: CPU threads of ONNX Runtime.
        data: images: rooms, rooms:COUNT or nyu:PATH.
        limit: compare depths on so many images, evenly spread.
        seconds: time each file at least this long.
        json: file for the results; - for stdout.
    """

    variant: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    size: str | None = None
    threads: int = 1
    data: str = "rooms"
    limit: int = 10
    seconds: float = 10.0
    json: str | None = None

    def options(self) -> Options:
        """The same as options of ``fastdepth-bench``, which checks them and finds weights."""
        return Options(
            variant=self.variant or (() if self.weights else (DEFAULT_VARIANT,)),
            runtime=("onnxruntime",),
            size=self.size,
            weights=self.weights,
            threads=self.threads,
            data=self.data,
            limit=self.limit,
            seconds=self.seconds,
        )


@dataclass(frozen=True)
class Files:
    """The exported files of a case.

    Attributes:
        case: what they were exported from.
        paths: by form, only those that differ.
        forms: all forms in their order, with cost and ceiling, not yet timed.
    """

    case: Case
    paths: Mapping[str, Path]
    forms: tuple[Form, ...]


def measure(
    options: Options,
    say: Callable[[str], None] = lambda line: None,
    advance: Advance = silent,
) -> FoldingReport:
    """Export, then say the ceilings, then time and compare.

    Args:
        options: variants, weights, size, threads, data, limit and seconds are used.
        say: told every ceiling before anything is timed, a line at a time.
        advance: moves a progress bar of :func:`steps` steps.

    Raises:
        FastDepthError: an option that cannot work, data that cannot be read, or a file that
            cannot be exported or answers with something else than depth.
    """
    options.check()
    source = options.open_data()
    cases = options.cases()
    recorder = EnvironmentRecorder()
    samples = load_samples(source, lambda index: advance(0, f"image {index + 1}"))
    advance(1, "this machine's rates")
    rates = measure_rates(cases[0].threads)
    say(f"Ceiling, the least time: {rates.describe()}.")
    advance(1)
    found = []
    for case in cases:
        found.append(_export(case, rates, advance))
        for line in ceiling_lines(case, found[-1].forms):
            say(line)
    variants = tuple(_compare(files, samples, options.seconds, advance) for files in found)
    return FoldingReport(recorder.finish(), rates, ImageList.of(source), variants)


def steps(options: Options) -> int:
    """Steps of the progress bar: images, rates, and of every case its files, times, depths."""
    return 2 + (len(_exporters()) + 2) * len(options.cases())


def _exporters() -> dict[str, Callable[[ExportRecipe], Path]]:
    """What makes the file of a recipe, by the form of the file."""
    from fastdepth_export.compress.last_axis import export_last_axis

    return {
        PLAIN: lambda recipe: exported(replace(recipe, fold=False)),
        "last-axis": lambda recipe: exported(recipe, export_last_axis, "last-axis"),
        "folded": exported,
    }


def _export(case: Case, rates: Rates, advance: Advance) -> Files:
    from fastdepth_export.cost import graph_cost

    paths: dict[str, Path] = {}
    graphs: dict[str, str] = {}
    forms = []
    for name, write in _exporters().items():
        advance(0, f"{case.variant}: exporting {name}")
        path = write(case.recipe())
        first = graphs.setdefault(_graph_hash(path), name)
        same_as = None if first == name else first
        if same_as is None:
            paths[name] = path
        cost = graph_cost(path)
        forms.append(Form(name, cost, Ceiling.of(cost, case.size, rates), same_as))
        advance()
    return Files(case, paths, tuple(forms))


def _graph_hash(path: Path) -> str:
    """Hash of what a file computes; the metadata beside the graph does not count."""
    import onnx

    return sha256(onnx.load(path).graph.SerializeToString(deterministic=True)).hexdigest()


def _compare(files: Files, samples: Samples, seconds: float, advance: Advance) -> FoldedVariant:
    """Time the files that differ, in turns, and see how far their depths are apart."""
    from fastdepth.runtime.model import load
    from fastdepth_export.network import build_network

    case = files.case
    runners = {name: load(path, threads=case.threads) for name, path in files.paths.items()}
    advance(0, f"{case.variant}: timing {', '.join(runners)} in turns")
    batches = timing_batches(samples, case.size, case.batch)
    timed = interleave(runners, batches, seconds=seconds)
    advance()
    exact = measure_exactness(
        runners,
        build_network(case.recipe()).double(),
        samples,
        case.size,
        lambda index: advance(0, f"{case.variant}: comparing {index + 1}/{len(samples)}"),
    )
    advance()
    forms = [
        replace(
            form,
            timing=timed.timings[form.name],
            speedup=None if form.name == PLAIN else timed.ratio(PLAIN, form.name),
            exactness=exact[form.name],
        )
        if form.name in runners
        else form
        for form in files.forms
    ]
    return FoldedVariant(case, tuple(forms))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> None:
    from rich.console import Console

    console = Console(stderr=True)
    options = command.options()
    options.check()
    with output(command.json) as write:
        with progress("folding", steps(options)) as advance:
            report = measure(options, lambda line: print_lines(console, [line]), advance)
        write(report.to_json())
    print_report(report, console)


if __name__ == "__main__":
    sys.exit(main())
