"""The command ``fastdepth-bench sheet``: what networks predict, on one contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from fastdepth.console import Advance, progress, run_command, silent, tell, values_of
from fastdepth.data.sample import Depth
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input, remove_leftovers_of, replacing
from fastdepth.images.contact_sheet import WIDTH, SheetRow, make_sheet
from fastdepth.images.io import write_png
from fastdepth.metrics import (
    DEFAULT_ALIGNMENT,
    METRICS,
    align_image,
    evaluate_image,
    get_alignment,
    get_protocol,
)
from fastdepth.ranges import Quantity, whole
from fastdepth_bench.case import Case
from fastdepth_bench.measure.accuracy import Yardstick, infer_image
from fastdepth_bench.options import Data, Networks, Options
from fastdepth_bench.runners.opening import open_runner

PROG = "fastdepth-bench sheet"

IMAGES = 12
"""Images on a sheet, evenly spread over the data and so always the same."""

DESCRIPTION = """Draw images, their truth, and each network's prediction and error.

The same images at every call, predicted by the exported file, folded, in ONNX Runtime. Below
each prediction stand its AbsRel and d1, taken at the size of the truth as fastdepth-bench does.
With --align it is the aligned prediction that is drawn and scored.

Examples:

  fastdepth-bench sheet

  fastdepth-bench sheet --variant unet128-dws --data nyu:PATH --output sheet.png

  fastdepth-bench sheet --variant mnv2-64-dws --variant unet128-dws --data nyu:PATH

  fastdepth-bench sheet --weights runs/first/best.safetensors --data nyu:PATH --split validation
"""


@dataclass(frozen=True, kw_only=True)
class Command(Data, Networks):
    """Options of ``fastdepth-bench sheet``.

    Attributes:
        limit: number of images, evenly spread.
        align: what is fitted to the truth of each image before it is drawn and scored: none,
            median, affine, log-affine or affine-disparity; none if absent.
        width: width of each image on the sheet, in pixels.
        output: PNG file to write.
    """

    limit: Quantity | None = IMAGES
    align: tuple[str, ...] = ()
    width: Annotated[int, whole(16, 4096)] = WIDTH
    output: Path = Path("sheet.png")

    def options(self) -> Options:
        """The same as options of ``fastdepth-bench``, which checks them and finds weights."""
        shared = values_of(self, Networks) | values_of(self, Data)
        return Options(runtime=("onnxruntime",), **shared)


def contact_sheet(
    options: Options,
    width: Annotated[int, whole(16, 4096)] = WIDTH,
    advance: Advance = silent,
) -> NDArray[np.uint8]:
    """Draw the images of ``options.data`` and what every case of ``options`` makes of them.

    Args:
        options: variants, weights, runtime, size, threads, data, split, limit, protocol and
            alignment are used.
        width: of each image on the sheet [px].
        advance: moves a progress bar of :func:`steps` steps.

    Returns:
        (H, W, 3) uint8 RGB: a row an image.

    Raises:
        FastDepthError: an option that cannot work, data that cannot be read, or a file that cannot
            be exported.
    """
    options.check()
    rules = yardstick(options)
    cases, source = options.cases(), options.open_data()
    rows = []
    with ExitStack() as stack:
        runners = {}
        for case in cases:
            advance(note=f"{case}: loading")
            runners[_title(case, cases)] = case, stack.enter_context(open_runner(case))
        for index in range(len(source)):
            advance(note=f"image {index + 1}")
            sample = source[index]
            depths = {
                title: infer_image(runner, sample.image, case.size)
                for title, (case, runner) in runners.items()
            }
            captions = {
                title: _scores(depth, sample.depth, rules) for title, depth in depths.items()
            }
            depths = {title: _drawn(depth, sample.depth, rules) for title, depth in depths.items()}
            rows.append(SheetRow(sample.image, sample.depth, depths, captions, sample.name))
    return make_sheet(rows, width)


def steps(options: Options) -> int:
    """Steps of the progress bar: networks and images."""
    return len(options.cases()) + len(options.open_data())


def _title(case: Case, cases: Sequence[Case]) -> str:
    """What a network is called on the sheet: with its weights where the name alone is several."""
    several = sum(other.name == case.name for other in cases) > 1
    return f"{case.name} {case.weights}" if several else case.name


def yardstick(options: Options) -> Yardstick:
    """By which rules a sheet's images are scored.

    Raises:
        UsageError: more than one alignment, or data that cannot be opened.
    """
    aligned = options.alignments()
    if len(aligned) > 1:
        raise UsageError(f"a sheet shows one alignment, not {' and '.join(aligned)}; keep one")
    rules = Yardstick.of(options.open_data(), options.protocol, split=options.split)
    return replace(rules, alignment=aligned[0]) if aligned else rules


def _drawn(depth: Depth, truth: Depth, rules: Yardstick) -> Depth:
    """The depth of an image as it is scored: as it is unless it is aligned."""
    if rules.alignment == DEFAULT_ALIGNMENT:
        return depth
    protocol, alignment = get_protocol(rules.protocol), get_alignment(rules.alignment)
    return align_image(depth, truth, protocol, alignment).astype(np.float32)


def _scores(depth: Depth, truth: Depth, rules: Yardstick) -> str:
    """AbsRel and d1 of an image, in words."""
    protocol, alignment = get_protocol(rules.protocol), get_alignment(rules.alignment)
    scores = evaluate_image(depth, truth, protocol, alignment)
    if scores is None:
        return "no truth that counts"
    shown = (METRICS["abs_rel"], METRICS["d1"])
    return ", ".join(f"{m.heading} {scores.values[m.name]:.{m.digits}f}" for m in shown)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> None:
    check_no_input(command.output, command.weights)
    options = command.options()
    options.check()
    rules = yardstick(options)
    remove_leftovers_of(command.output)
    with replacing(command.output) as place:  # now, so that it fails now
        with progress(PROG, steps(options)) as advance:
            drawn = contact_sheet(options, command.width, advance)
        write_png(place, drawn)
    tell(f"{command.output}: {rules.describe()}")
