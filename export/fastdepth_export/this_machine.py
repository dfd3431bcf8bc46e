"""The fastest file for the machine at hand, of all that compute the same.

A CPU's speed in 8 bits and bfloat16, with blocked feature maps and on several threads is its own
affair. So each runtime, precision, number of threads and layout is tried: files are exported as
always, refused ones included, and those that pass are timed in turns, one inference each a round,
so that whatever slows the machine slows all of them. They are ranked by that: by how many times as
fast as the reference each was in the same round, not by times, which a busy machine scatters.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from fastdepth.console import progress
from fastdepth.errors import DeviceError, UsageError
from fastdepth.files import check_no_input, check_output, replacing
from fastdepth.images.parallel import usable_cores
from fastdepth.metadata import UNTRAINED, ModelMetadata
from fastdepth.weights import find_weights
from fastdepth_export.every_format import Written, export_every
from fastdepth_export.export import DEFAULT_DATA, files_of
from fastdepth_export.recipe import ExportRecipe, has_bf16
from fastdepth_export.targets import FORMATS, TARGETS, Target, load_part
from fastdepth_export.verify import Infer, draw_images

SECONDS = 10.0
"""Candidates are timed for so long, all together [s]."""

ROUNDS = 10
"""At least; in each all candidates have one turn."""

WARM_UP = 2
"""Inferences of each candidate before."""

OWN = "its own"

LAYOUTS = {
    "onnx": ("blocked", "as written"),
    "openvino": (OWN,),
    "ncnn": (OWN,),
    "litert": (OWN,),
}
"""How feature maps can lie in memory, by the format of the file: ONNX Runtime rewrites a graph for
channels in blocks unless it is told to stop before that. ExecuTorch is not tried: its threads are
those of the process, not of a program."""

LINES = {
    "onnxruntime": "import fastdepth; model = fastdepth.load({file!r}, threads={threads}, "
    "graph_optimisation={level!r})",
    "openvino": "import openvino; model = openvino.Core().compile_model({file!r}, 'CPU', "
    "{{'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': {hint!r}, "
    "'INFERENCE_NUM_THREADS': {threads}}})",
    "ncnn": "import ncnn; net = ncnn.Net(); net.opt.num_threads = {threads}; "
    "net.load_param({file!r}); net.load_model({weights!r})",
    "litert": "from ai_edge_litert.interpreter import Interpreter; model = Interpreter({file!r}, "
    "num_threads={threads})",
}
"""How an application opens a file, by runtime: a line of Python."""


@dataclass(frozen=True)
class Candidate:
    """A file and how it is opened.

    Attributes:
        runtime: name of the target.
        precision: of the file.
        threads: CPU threads.
        layout: one of :data:`LAYOUTS`.
    """

    runtime: str
    precision: str
    threads: int
    layout: str

    def line(self, path: Path) -> str:
        """The line of Python by which an application opens its file."""
        return LINES[self.runtime].format(
            file=str(path),
            weights=str(path.with_suffix(".bin")),
            threads=self.threads,
            level=self.level,
            hint="bf16" if has_bf16(self.precision) else "f32",
        )

    @property
    def level(self) -> str:
        """How far ONNX Runtime rewrites the graph."""
        return "all" if self.layout == LAYOUTS["onnx"][0] else "extended"

    def __str__(self) -> str:
        words = f"{self.runtime} {self.precision}, {self.threads} thread(s)"
        return words if self.layout == OWN else f"{words}, feature maps {self.layout}"


@dataclass(frozen=True)
class Tried:
    """What became of a candidate.

    Attributes:
        candidate: which.
        written: its files, or why there are none.
        ms: median time of an inference [ms]; None where it was refused.
        ratio: median over the rounds of the time of :func:`reference` by its own; None without.
    """

    candidate: Candidate
    written: Written
    ms: float | None = None
    ratio: float | None = None


def export_fastest(
    recipe: ExportRecipe,
    output: Path,
    *,
    threads: int | None = None,
    data: str = DEFAULT_DATA,
    seconds: float = SECONDS,
) -> tuple[list[Tried], Path, ModelMetadata]:
    """Export every candidate, time those that pass, and keep the fastest.

    Args:
        recipe: network, weights, size and the rest; its format and precision do not count.
        output: file to write; its suffix becomes that of the fastest file.
        threads: so many alone; 1, 2, 4 ... and all usable cores if absent.
        data: depth data on which the loss of reduced precision is measured.
        seconds: time candidates for so long, all together [s].

    Returns:
        All candidates, the fastest first and refused ones last; the file to open; its metadata.

    Raises:
        UsageError: more threads than cores, or the output is an input.
        FastDepthError: not one file could be exported.
    """
    counts = _threads(threads)
    targets = [t for t in TARGETS.values() if t.format in LAYOUTS and t.installed]
    for target in targets:
        _check_place(recipe, files_of(_place(output, target), target))
    pairs = [(target, precision) for target in targets for precision in target.precisions]
    with TemporaryDirectory() as folder:
        plans = {
            Candidate(FORMATS[each.format].name, each.precision, count, layout): _without_hint(each)
            for each in export_every(recipe, Path(folder), pairs, data=data)
            for count in counts
            for layout in LAYOUTS[each.format]
        }
        times = _time({c: w for c, w in plans.items() if not w.refused}, seconds)
        others = times.get(reference(counts), [])
        tried = ranked(_tried(c, w, times.get(c, []), others) for c, w in plans.items())
        if not tried or tried[0].ms is None:
            reason = tried[0].written.refused if tried else "no runtime is installed"
            raise DeviceError(f"no file can be exported and run on this machine: {reason}")
        best = tried[0].written
        assert best.path is not None and best.metadata is not None
        target = FORMATS[best.format]
        place = _place(output, target)
        _keep(files_of(best.path, target), files_of(place, target))
    return tried, place, best.metadata


def reference(threads: Iterable[int]) -> Candidate:
    """What all are compared with: fp32 in ONNX Runtime as it is opened by default.

    Args:
        threads: the numbers that are tried; it has the largest.
    """
    return Candidate("onnxruntime", "fp32", max(threads), LAYOUTS["onnx"][0])


def ranked(tried: Iterable[Tried]) -> list[Tried]:
    """The fastest first: in turns, or by their times where the reference was refused."""
    return sorted(tried, key=lambda each: (each.ms is None, -(each.ratio or 0.0), each.ms or 0.0))


def _threads(asked: int | None) -> list[int]:
    """Numbers of threads to try.

    Raises:
        UsageError: there are not so many cores.
    """
    cores = usable_cores()
    if asked is not None:
        if asked > cores:
            raise UsageError(f"threads {asked} must be 1 to {cores}, the cores there are")
        return [asked]
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})


def _place(output: Path, target: Target) -> Path:
    """The output with the suffix of what a target runs."""
    stem = output.name
    for name in LAYOUTS:
        stem = stem.removesuffix(FORMATS[name].suffixes[0])
    return output.with_name(stem + target.suffixes[0])


def _check_place(recipe: ExportRecipe, files: Sequence[Path]) -> None:
    """Refuse what cannot be written, and to write over the weights, before minutes are spent."""
    resolved = replace(recipe, format="onnx", precision="fp32").resolved()
    for path in files:
        if resolved.weights != UNTRAINED:
            check_no_input(path, [find_weights(resolved.weights)])
        check_output(path)


def _without_hint(written: Written) -> Written:
    """The same without what could be done about a refusal of one file alone."""
    return replace(written, refused=written.refused.partition("; nothing was written")[0])


def _open(candidate: Candidate, path: Path) -> Infer:
    """A candidate's file, opened as an application does."""
    if opener := TARGETS[candidate.runtime].opener:
        infer: Infer = load_part(opener)(path, candidate.threads).infer
        return infer
    from fastdepth.runtime.model import load

    return load(path, threads=candidate.threads, graph_optimisation=candidate.level).infer


def _time(plans: dict[Candidate, Written], seconds: float) -> dict[Candidate, list[float]]:
    """Times of an inference of each candidate [s], one a round."""
    opened = {c: _open(c, written.path) for c, written in plans.items() if written.path}
    times: dict[Candidate, list[float]] = {candidate: [] for candidate in opened}
    sizes = {written.metadata.size for written in plans.values() if written.metadata}
    if not opened:
        return times
    images = draw_images(sizes.pop(), 2)
    with progress("timing in turns", None):
        for infer in opened.values():
            for number in range(WARM_UP):
                infer(images[number % 2][None])
        rounds, end = 0, time.perf_counter() + seconds
        while rounds < ROUNDS or time.perf_counter() < end:
            for candidate, infer in opened.items():
                times[candidate].append(_seconds(infer, images[rounds % 2][None]))
            rounds += 1
    return times


def _seconds(infer: Callable[[NDArray[np.uint8]], object], image: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    infer(image)
    return time.perf_counter() - start


def _tried(
    candidate: Candidate, written: Written, own: Sequence[float], others: Sequence[float]
) -> Tried:
    """What a candidate's own times come to, beside those of the reference."""
    if written.refused:
        return Tried(candidate, written)
    ratios = [other / mine for mine, other in zip(own, others, strict=False)]
    return Tried(candidate, written, 1000 * median(own), median(ratios) if ratios else None)


def _keep(files: Sequence[Path], places: Sequence[Path]) -> None:
    """Copy files to where they belong, all or none; the one to open last."""
    with ExitStack() as stack:
        temporary = [stack.enter_context(replacing(place)) for place in places]
        for path, place in zip(files, temporary, strict=True):
            shutil.copyfile(path, place)


HEADINGS = ("runtime", "precision", "threads", "layout", "MB", "d1 change", "ms", "times as fast")


def cells(tried: Sequence[Tried]) -> list[tuple[str, ...]]:
    """Rows of the table under :data:`HEADINGS`; a refused candidate has no figures."""
    return [
        (
            each.candidate.runtime,
            each.candidate.precision,
            str(each.candidate.threads),
            each.candidate.layout,
            *each.written.cells,
            "refused" if each.ms is None else f"{each.ms:.2f}",
            "-" if each.ratio is None else f"{each.ratio:.2f}",
        )
        for each in tried
    ]
