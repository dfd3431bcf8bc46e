"""The command ``fastdepth-export``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fastdepth.console import print_table, progress, run_command, say, tell, values_of
from fastdepth.errors import UsageError
from fastdepth.extras import require
from fastdepth.metadata import UNTRAINED, ModelMetadata
from fastdepth.ranges import Threads, check_needed
from fastdepth.runtime.ready import FOLDER
from fastdepth.size import Size
from fastdepth.variants import VARIANTS
from fastdepth.weights import shipped_card
from fastdepth_export.export import DEFAULT_DATA, export, files_of, sensitivity
from fastdepth_export.recipe import FOLDED, LAST_AXIS, PLAIN, ExportRecipe, has_int8
from fastdepth_export.targets import ALL, FORMATS, TARGETS, Target

PROG = "fastdepth-export"

DESCRIPTION = """Export a network, compared with PyTorch before it is written.

Formats: onnx (ONNX Runtime, one file), openvino (FILE.xml and FILE.bin), engine (TensorRT,
FILE.engine and FILE.engine.json, built on the GPU that is to run it), web (a folder that any web
server serves: a page that runs the network in the browser), ncnn (phones, FILE.ncnn.param,
FILE.ncnn.bin and FILE.ncnn.json), litert (phones, one .tflite), coreml (iOS and macOS, a folder
.mlpackage), executorch (phones, one .pte). Engines have not yet been built by fastdepth's own
tests, which have no GPU, and Core ML has not yet run a package, for which it needs a Mac.

Examples:

  fastdepth-export --list

  fastdepth-export --variant unet128-dws --output unet128-dws.onnx

  fastdepth-export --variant unet128-dws --format openvino --output unet128-dws.xml

  fastdepth-export --variant mnv2-64-dws --format web --output page

  fastdepth-export --variant mnv2-64-dws --format all --precision fp32,fp16 --output files

  fastdepth-export --variant unet128-dws --precision int8 --calibration nyu:PATH

  fastdepth-export --variant unet128-dws --precision int8 --sensitivity

  fastdepth-export --variant mnv2-64-dws --outputs depth,std

  fastdepth-export --variant unet128-dws --size 640x480 --size 480x640 --size 544x416

  fastdepth-export --variant unet128-dws --weights runs/first/best.safetensors --size 544x416

  fastdepth-export --variant unet128-dws --form plain

  fastdepth-export --variant mnv2-64-dws --compact

  fastdepth-export --variant mnv2-64-dws --for-this-machine --threads 1

  fastdepth-export --verify unet128-dws.onnx

  fastdepth-export --ready --output ready
"""


@dataclass(frozen=True)
class Options(ExportRecipe):
    """Options of ``fastdepth-export``: the recipe, and what is done with it.

    Attributes:
        variant: network; --list shows all.
        format: kind of file: onnx, openvino, engine, web, ncnn, litert, coreml or executorch;
            several, separated by commas, or all: then --output is a folder, a table says what was
            written and why not, and the status is 0 if at least one of all was, or all of those
            that were named.
        precision: type of the weights in the file: fp32, fp16 or int8; or, of the format openvino,
            bf16, whose weights are fp32 and computed with in bfloat16, or int8+bf16, where what is
            not in 8 bits is; several, separated by commas.
        output: file to write, which ends in the format's suffix, or a folder: one that is there, or
            a name without a suffix. In a folder, the current one if absent, the file is called
            VARIANT with the suffix; the format web is a folder itself, of any name.
        no_fold: the same as --form plain.
        data: images with depth on which reduced precision is measured: rooms:COUNT or nyu:PATH.
        force: write a file of reduced precision even if it changes d1 too much.
        sensitivity: print what each block loses in 8 bits, and leave.
        verify: compare this .onnx file, finished before, with PyTorch, a line per stage, and leave;
            network and weights are those that it names, unless --variant and --weights are given.
        for_this_machine: export for ONNX Runtime, and for OpenVINO, ncnn and LiteRT where they are
            installed, in every precision; time those that pass the checks in turns, on several
            numbers of threads and with blocked feature maps or not, print the table and a line that
            opens the fastest, and keep that; its suffix takes the place of --output's. Takes
            minutes, most of them for the files; let nothing else run meanwhile.
        threads: for --for-this-machine: so many CPU threads alone; 1, 2, 4 ... and all if absent.
        ready: write the files that come with the package, made of the weights that it ships, into
            its folder, or into the folder that --output names, and leave; before a release.
        list: print a line per variant and leave.
    """

    variant: str | None = None  # type: ignore[assignment]
    sizes: Annotated[tuple[str, ...], tyro.conf.arg(name="size")] = ()  # type: ignore[assignment]
    format: str = "onnx"
    precision: str = "fp32"
    outputs: str = ",".join(ExportRecipe.outputs)  # type: ignore[assignment]
    output: Path | None = None
    form: str = FOLDED  # type: ignore[assignment]
    no_fold: bool = False
    data: str = DEFAULT_DATA
    force: bool = False
    sensitivity: bool = False
    verify: Path | None = None
    for_this_machine: bool = False
    threads: Threads | None = None
    ready: bool = False
    list: bool = False

    def recipe(self) -> ExportRecipe:
        """The recipe that these options mean."""
        if self.variant is None:
            raise UsageError("no --variant; --list shows all")
        said = values_of(self, ExportRecipe) | {
            "sizes": tuple(map(Size.parse, self.sizes)),
            "outputs": tuple(self.outputs.split(",")),
            "form": self._form(),
        }
        return ExportRecipe(**said)

    @property
    def several(self) -> bool:
        """Whether more than one format or precision is asked for."""
        return self.format == ALL or "," in self.format + self.precision

    def _form(self) -> str:
        if self.no_fold and self.form == LAST_AXIS:
            raise UsageError("--no-fold is --form plain; leave one of --no-fold and --form out")
        return PLAIN if self.no_fold else self.form


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Options, _run, prog=PROG, description=DESCRIPTION, arguments=arguments)


EXPORTING = (
    "format", "sizes", "batch", "precision", "opset", "form", "quantisation", "calibration",
    "simplify", "compact", "outputs", "output", "no_fold", "force", "sensitivity",
)  # fmt: skip
"""Options that a finished file has no use for."""


def _check(options: Options) -> None:
    """Refuse what means nothing without another option.

    Raises:
        UsageError: it was given.
    """
    verify, sensitivity, reduced = options.verify, options.sensitivity, options.precision != "fp32"
    check_needed(options, not verify, "an export; leave it or --verify out", *EXPORTING)
    writing = "a file that is written; leave it or --sensitivity out"
    check_needed(options, not sensitivity, writing, "output", "force")
    machine, decided = options.for_this_machine, ("format", "precision", "quantisation")
    one = "one format and precision; leave it or --for-this-machine out"
    check_needed(options, not machine, one, *decided, "force", "sensitivity", "verify")
    formats = options.format.split(",")
    graphs = [name for name in formats if name not in FORMATS or not FORMATS[name].from_network]
    graph = f"formats that are made of an ONNX graph, as {formats[0]} is not; leave it out"
    check_needed(options, graphs, graph, "opset", "simplify")
    alone = "one format and precision; name one, or leave it out"
    check_needed(options, not options.several, alone, "sensitivity")
    check_needed(options, machine, "--for-this-machine; add that", "threads")
    reduced = reduced or machine
    reducing = "--precision fp16, bf16 or int8; add that"
    check_needed(options, reduced, reducing, "force")
    measured = verify or sensitivity or reduced
    check_needed(options, measured, reducing, "data")
    calibrated = sensitivity or machine or any(map(has_int8, options.precision.split(",")))
    check_needed(options, calibrated, "--precision int8; add that", "calibration")


def _run(options: Options) -> int | None:
    if options.list:
        if options != Options(list=True):
            raise UsageError("--list exports nothing; leave the other options out")
        lines, notes = listing()
        print_table(HEADINGS, lines)
        say("\n".join(notes))
        return None
    if options.ready:
        _write_ready(options)
        return None
    _check(options)
    if options.verify is not None:
        _verify(options.verify, options)
        return None
    recipe = options.recipe()
    if options.sensitivity:
        for row in sensitivity(recipe, data=options.data):
            say(str(row))
        return None
    if options.for_this_machine:
        _export_fastest(recipe, options)
        return None
    if options.several:
        return _export_every(recipe, options)
    target = recipe.resolved().target
    output = place_of(options.output, recipe.variant, target)
    _tell(output, export(recipe, output, data=options.data, force=options.force), target)
    return None


def place_of(output: Path | None, variant: str, target: Target) -> Path:
    """The file, or the folder of a format that is one, that ``--output`` means.

    Raises:
        UsageError: it has another suffix than the format's.
    """
    suffix = target.suffixes[0]
    if output is None:
        return Path(variant + suffix)
    named = output.name.endswith(suffix)
    if target.any_name or (named and (target.members or not output.is_dir())):
        return output
    if output.is_dir() or not output.suffix:
        return output / (variant + suffix)
    raise UsageError(
        f"--output {output} does not end in {suffix}; name the output FILE{suffix}, or a folder: "
        "one that is there, or a name without a suffix"
    )


def _tell(output: Path, metadata: ModelMetadata, target: Target) -> None:
    """What was written, in one line."""
    size = sum(path.stat().st_size for path in files_of(output, target))
    inputs = ", ".join(map(str, metadata.sizes))
    lost = f", d1 {metadata.d1_change:+.4f}" if metadata.d1_change is not None else ""
    opset = f"opset {metadata.opset}, " if metadata.opset else ""
    tell(
        f"{output}: {metadata.variant}, weights {metadata.weights}, input {inputs}, "
        f"{opset}{metadata.precision}, {size / 1e6:.2f} MB, "
        f"{_contents(output, metadata, target)}"
        f"at most {metadata.parity:.1e} m from {'fp32' if lost else 'PyTorch'}{lost}"
    )


def _export_fastest(recipe: ExportRecipe, options: Options) -> None:
    """Print the table of candidates; the fastest is written."""
    require("torch", "export")
    from fastdepth_export.every_format import refusals
    from fastdepth_export.this_machine import HEADINGS as COLUMNS
    from fastdepth_export.this_machine import LAYOUTS, cells, export_fastest, reference

    output, suffixes = options.output, tuple(FORMATS[name].suffixes[0] for name in LAYOUTS)
    if output is None or not output.name.endswith(suffixes):
        output = place_of(output, recipe.variant, FORMATS["onnx"])
    tried, path, metadata = export_fastest(
        recipe, output, threads=options.threads, data=options.data
    )
    print_table(COLUMNS, cells(tried))
    for line in refusals(each.written for each in tried):
        say(line)
    best = tried[0].candidate
    other = reference(each.candidate.threads for each in tried)
    say(f"times as fast: as {other}, in turns")
    say(f"fastest: {best}; open it by")
    say(best.line(path))
    _tell(path, metadata, TARGETS[best.runtime])


def _export_every(recipe: ExportRecipe, options: Options) -> int:
    """Print a row for each format and precision; the exit status, as ``--help`` says it."""
    require("torch", "export")
    from fastdepth_export.every_format import HEADINGS as COLUMNS
    from fastdepth_export.every_format import cells, export_every, pairs_of, refusals

    found = export_every(
        recipe,
        options.output or Path(),
        pairs_of(options.format.split(","), options.precision.split(",")),
        data=options.data,
        force=options.force,
    )
    print_table(COLUMNS, cells(found))
    for line in refusals(found):
        say(line)
    written = [bool(each.path) for each in found]
    return 0 if (any if options.format == ALL else all)(written) else 1


def _write_ready(options: Options) -> None:
    """Write the package's own files."""
    if options != Options(ready=True, output=options.output):
        raise UsageError("--ready writes what ships as it is; leave all options but --output out")
    from fastdepth_export.ready import write_ready

    for path, metadata in write_ready(options.output or FOLDER):
        _tell(path, metadata, FORMATS["onnx"])


def _verify(path: Path, options: Options) -> None:
    """Print a line per stage of a finished file; the first at fault is an error."""
    require("torch", "export")
    from fastdepth_export.stages import check_stages, compare_stages

    with progress(f"comparing {path.name}", None):
        rows = compare_stages(
            path,
            variant=options.variant,
            weights=options.weights,
            data=options.data,
            follow_outside=options.follow_outside,
        )
    for row in rows:
        say(str(row))
    check_stages(path, rows)


def _contents(output: Path, metadata: ModelMetadata, target: Target) -> str:
    """Parameters and multiply-adds, which can be counted in an ONNX file."""
    if target.format != "onnx":
        return ""
    from fastdepth_export.cost import graph_cost

    cost = graph_cost(output)
    return (
        f"{cost.params / 1e6:.2f} M parameters of {metadata.params / 1e6:.2f} M trained, "
        f"{cost.macs / 1e9:.1f} GMAC, "
    )


HEADINGS = ("network", "input", "params M", "weights", "d1", "what it is")


def listing() -> tuple[list[tuple[str, ...]], list[str]]:
    """Cells under :data:`HEADINGS`, a line a variant, and notes on the weights that ship."""
    lines: list[tuple[str, ...]] = []
    notes = []
    for variant in VARIANTS.values():
        card = shipped_card(variant.name)
        d1 = f"{card.scores['d1']:.3f}" if card and "d1" in card.scores else "-"
        weights = card.tag if card else UNTRAINED
        figures = (str(variant.size), f"{variant.params / 1e6:.2f}", weights, d1)
        lines.append((variant.name, *figures, variant.summary))
        if card:
            notes.append(f"{card.tag}: {card.licence}; d1 on {card.evaluated_on}")
    return lines, notes
