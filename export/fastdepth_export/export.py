"""From a recipe to verified files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import fastdepth
from fastdepth.console import progress
from fastdepth.data import open_source, sample_list_hash
from fastdepth.errors import ParityError, UsageError
from fastdepth.extras import require
from fastdepth.files import check_no_input, remove_leftovers_of, replacing
from fastdepth.metadata import UNTRAINED, ModelMetadata
from fastdepth.runtime.onnx_file import read_graph
from fastdepth.weights import find_weights
from fastdepth_export.recipe import ExportRecipe, ResolvedRecipe, has_int8
from fastdepth_export.targets import Target, load_part

if TYPE_CHECKING:
    import onnx

    from fastdepth_export.compress.int8 import BlockLoss
    from fastdepth_export.verify import Infer, Verify

DEFAULT_DATA = "rooms:24"
"""Depth data on which the loss of reduced precision is measured."""


def export(
    recipe: ExportRecipe,
    output: str | Path,
    *,
    onnx_file: str | Path | None = None,
    data: str = DEFAULT_DATA,
    force: bool = False,
) -> ModelMetadata:
    """Export a network to files that need no others.

    They have one input ``image`` (B, H, W, 3) uint8 RGB and one output ``depth`` (B, 1, H, W)
    float32 [m]; H x W is any of the recipe's sizes. Where the recipe asks for it a second output
    ``std`` is the standard deviation [m] of its error, and the metadata hold the card's factors of
    intervals. In fp32 what they compute
    is compared with the network as trained in PyTorch, whatever was folded, before they are
    written.
    Files of reduced precision are made from that and must besides keep d1 within a bound, see
    :mod:`fastdepth_export.compress.accuracy_loss`.

    Args:
        recipe: network, weights, format, size, precision, opset.
        output: file to write, or folder for a format that is one; what stands there stays whole
            unless everything succeeds. A format of several files puts the others beside it, see
            :func:`files_of`.
        onnx_file: what :attr:`ResolvedRecipe.as_onnx` of this recipe makes with the same ``data``,
            for formats that are built from it; exported first if absent.
        data: depth data on whose validation split the loss of reduced precision is measured.
        force: write a file of reduced precision whatever it lost.

    Returns:
        The metadata in the file.

    Raises:
        UnknownNameError, SizeError, UsageError: the recipe cannot be, or the output is an input.
        WeightsError: the weights cannot be read or do not fit.
        DataError: the images to calibrate or measure on cannot be read.
        ParityError: the file would not compute what PyTorch computes, or lose too much.
        OutputError: the file cannot be written.
        MissingExtraError: the extra ``export`` or ``cpu``, or the format's own, is not installed.
        DeviceError: the format is built on a device that is not there.
    """
    resolved = recipe.resolved()
    files = files_of(output, resolved.target)
    _check_inputs(resolved, files, onnx_file)
    for path in files:
        remove_leftovers_of(path)  # of an export that was killed
    require_extras(resolved.target)
    _check_images(resolved, data)
    if not resolved.target.builder:
        return _export_onnx(resolved, files[0], data, force)
    if resolved.target.from_network:
        return _build_from_network(resolved, files, data, force)
    return _build(resolved, files, onnx_file, data, force)


def sensitivity(recipe: ExportRecipe, *, data: str = DEFAULT_DATA) -> list[BlockLoss]:
    """What each block of a network loses when it alone is computed in 8 bits; writes nothing.

    Args:
        recipe: network, weights, first size, quantisation, calibration; its precision is taken for
            int8.
        data: depth data on whose validation split the loss is measured.

    Raises:
        FastDepthError: as :func:`export`; or the format is not built from ONNX.
    """
    resolved = replace(recipe, precision="int8").resolved()
    if resolved.target.from_network:
        raise UsageError(
            f"{recipe.format} has no blocks that can be measured alone; use --format onnx"
        )
    require_extras(resolved.target)
    _check_images(resolved, data)
    from fastdepth_export.compress.accuracy_loss import LossMeter
    from fastdepth_export.compress.int8 import Quantiser

    model, _ = _verified(resolved)
    quantiser, outside = Quantiser.of(model, resolved), recipe.follow_outside
    return quantiser.sensitivity(LossMeter(model, resolved.sizes[0], data, outside))


def files_of(output: str | Path, target: Target) -> list[Path]:
    """The files that an export consists of; the first is the one to open.

    Raises:
        UsageError: the name of a format of several files must end in the suffix of the first, and
            that of a folder in its own unless it may have any.
    """
    output = Path(output)
    main, *others = target.suffixes
    several = others or (target.members and not target.any_name)
    if several and not output.name.endswith(main):
        raise UsageError(
            f"{target.format} writes {' and '.join(target.suffixes)}; name the output FILE{main}"
        )
    if target.members:
        return [output / name for name in load_part(target.members)()]
    stem = output.name.removesuffix(main)
    return [output, *(output.with_name(stem + suffix) for suffix in others)]


def _check_inputs(
    resolved: ResolvedRecipe, files: list[Path], onnx_file: str | Path | None
) -> None:
    """Refuse to write over what is read."""
    read = [] if onnx_file is None else [Path(onnx_file)]
    if resolved.weights != UNTRAINED:
        read.append(find_weights(resolved.weights))
    for path in files:
        check_no_input(path, read)


def require_extras(target: Target) -> None:
    """Ask for every package before minutes are spent."""
    target.check_converter()
    own = [(name, target.extra) for name in (target.package, target.converter) if name]
    for module, extra in dict.fromkeys((("torch", "export"), ("onnxruntime", "cpu"), *own)):
        require(module, extra)


def _check_images(resolved: ResolvedRecipe, data: str) -> None:
    """Open what reduced precision is calibrated and measured on, before minutes are spent."""
    recipe = resolved.recipe
    if recipe.precision != "fp32":
        open_source(data, "validation", follow_outside=recipe.follow_outside)
    if has_int8(recipe.precision):
        open_source(recipe.calibration, "train", follow_outside=recipe.follow_outside)


def _export_onnx(resolved: ResolvedRecipe, output: Path, data: str, force: bool) -> ModelMetadata:
    from fastdepth_export.formats.onnx_graph import set_metadata

    recipe = resolved.recipe
    with _no_empty_folders([output]), replacing(output) as temporary:
        model, parity = _verified(resolved)
        facts: dict[str, Any] = {"parity": parity}
        if recipe.precision != "fp32":
            model, facts = _reduce(model, resolved, data, force)
        metadata = _metadata(resolved, **facts)
        set_metadata(model, metadata)
        temporary.write_bytes(model.SerializeToString())
    return metadata


def _metadata(resolved: ResolvedRecipe, **facts: Any) -> ModelMetadata:
    """What a file says of itself, with what was measured of it."""
    from fastdepth_export.network import weights_card

    recipe, card = resolved.recipe, weights_card(resolved)
    return ModelMetadata(
        variant=resolved.variant.name,
        weights=resolved.weights_name,
        licence=card.licence,
        sizes=resolved.sizes,
        depth_range=resolved.variant.depth_range,
        params=resolved.variant.params,
        precision=recipe.precision,
        opset=None if resolved.target.from_network else recipe.opset,
        batch=recipe.batch,
        version=fastdepth.__version__,
        anchor_prior=card.anchor_prior,
        interval=card.interval if "std" in recipe.outputs else None,
        **facts,
    )


def _verified(resolved: ResolvedRecipe) -> tuple[onnx.ModelProto, float]:
    """The graph in fp32, and its largest difference to PyTorch [m]."""
    from fastdepth_export.compress.compact import compact
    from fastdepth_export.formats.onnx_graph import to_onnx
    from fastdepth_export.network import build_network, in_form, weights_in
    from fastdepth_export.verify import verify

    recipe = resolved.recipe
    network = build_network(recipe)
    deployed = in_form(network, resolved)

    def attempt(simplify: bool) -> tuple[onnx.ModelProto, float]:
        model = to_onnx(
            deployed, resolved.sizes, recipe.opset, batch=recipe.batch, simplify=simplify
        )
        if recipe.compact:
            model = compact(model, weights_in(deployed))
        return model, max(verify(model, network, size, recipe.batch) for size in resolved.sizes)

    with progress(f"exporting {recipe.variant}", None):
        if recipe.simplify:
            with suppress(ParityError):
                return attempt(simplify=True)
        return attempt(simplify=False)


def _reduce(
    model: onnx.ModelProto, resolved: ResolvedRecipe, data: str, force: bool
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The graph in the recipe's precision, and what the metadata says of that."""
    from fastdepth_export.compress.accuracy_loss import AccuracyLoss, LossMeter, worst
    from fastdepth_export.compress.early import EARLY
    from fastdepth_export.compress.fp16 import to_half
    from fastdepth_export.compress.int8 import Quantiser

    precision, outside = resolved.recipe.precision, resolved.recipe.follow_outside
    meters = [LossMeter(model, size, data, outside) for size in resolved.sizes]
    facts: dict[str, Any] = {}

    def lost(reduced: onnx.ModelProto) -> AccuracyLoss:
        return worst(meter.measure(reduced) for meter in meters)

    if precision == "fp16":
        reduced = to_half(model)
        loss = lost(reduced)
        if loss.problem(precision):
            reduced = to_half(model, EARLY)
            loss = lost(reduced)
    else:
        quantiser = Quantiser.of(model, resolved)
        reduced = quantiser.quantise(quantiser.choose(meters[0]))
        facts["quantisation"] = resolved.recipe.quantisation
        facts["calibration"] = sample_list_hash(quantiser.source)
        loss = lost(reduced)
    loss.check(precision, force=force)
    return reduced, facts | {"parity": loss.largest, "d1_change": loss.d1}


def _build(
    resolved: ResolvedRecipe,
    files: list[Path],
    onnx_file: str | Path | None,
    data: str,
    force: bool,
) -> ModelMetadata:
    """Files that are built from an ONNX file, in a folder of their own until they are verified."""
    from fastdepth_export.formats.onnx_graph import read_metadata

    with _places(files, resolved.target) as (folder, parts):
        source = Path(onnx_file) if onnx_file else folder / "model.onnx"
        if onnx_file is None:
            export(resolved.as_onnx, source, data=data, force=force)
        before = read_metadata(source)

        def reference() -> onnx.ModelProto:
            return read_graph(source, weights=True)

        verify = _verifier(resolved, reference, before, data, force)
        build = load_part(resolved.target.builder)
        own = replace(before, precision=resolved.recipe.precision)
        metadata: ModelMetadata = build(source, parts, own, verify)
    return metadata


def _build_from_network(
    resolved: ResolvedRecipe, files: list[Path], data: str, force: bool
) -> ModelMetadata:
    """Files that are built from the network in PyTorch."""
    from fastdepth_export.network import build_network, in_form
    from fastdepth_export.verify import run_network

    network = build_network(resolved.recipe)

    def reference() -> Infer:
        return lambda images: run_network(network, images)["depth"]

    facts, images = _calibration(resolved)
    before = _metadata(resolved, parity=0.0, **facts)
    verify = _verifier(resolved, reference, before, data, force)
    build = partial(load_part(resolved.target.builder), **images)
    with _places(files, resolved.target) as (_, parts), progress(resolved.variant.name, None):
        metadata: ModelMetadata = build(in_form(network, resolved), parts, before, verify)
    return metadata


def _calibration(resolved: ResolvedRecipe) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the metadata say of 8 bits, and the images that a builder of them is called with."""
    recipe = resolved.recipe
    if not has_int8(recipe.precision):
        return {}, {}
    from fastdepth_export.compress.int8 import at_size, calibration_images

    source = calibration_images(recipe.calibration, recipe.follow_outside)
    facts = {"quantisation": recipe.quantisation, "calibration": sample_list_hash(source)}
    return facts, {"images": at_size(source, resolved.sizes[0])}


@contextmanager
def _places(files: list[Path], target: Target) -> Iterator[tuple[Path, list[Path]]]:
    """A folder, and files in it that are moved into place when the block ends well."""
    with ExitStack() as stack:
        stack.enter_context(_no_empty_folders(files))
        # The main file is moved into place last: whoever sees it finds its companions whole.
        places = [stack.enter_context(replacing(path)) for path in files]
        folder = Path(stack.enter_context(TemporaryDirectory()))
        parts = files_of(folder / f"model{target.suffixes[0]}", target)
        yield folder, parts
        for part, place in zip(parts, places, strict=True):
            shutil.copyfile(part, place)


@contextmanager
def _no_empty_folders(files: list[Path]) -> Iterator[None]:
    """Remove the folders that were made within for files which were not written; others stay."""
    new = {folder for path in files for folder in path.parents if not folder.exists()}
    try:
        yield
    finally:
        for folder in sorted(new, key=lambda folder: len(folder.parts), reverse=True):
            with suppress(OSError):
                folder.rmdir()


def _verifier(
    resolved: ResolvedRecipe,
    reference: Callable[[], onnx.ModelProto | Infer],
    before: ModelMetadata,
    data: str,
    force: bool,
) -> Verify:
    """Measures built files: against PyTorch in fp32, else by their d1.

    That is compared with the reference's, whose own loss ``before`` holds: both add up to the loss
    against the fp32 form, which is what is bounded.
    """
    from fastdepth_export.verify import batches_of, compare

    if resolved.recipe.precision == "fp32":
        from fastdepth_export.network import build_network

        network = build_network(resolved.recipe)
        return lambda infer, batches=batches_of(resolved.recipe.batch): {
            "parity": max(compare(infer, network, size, batches=batches) for size in resolved.sizes)
        }
    from fastdepth_export.compress.accuracy_loss import LossMeter, worst

    def check(infer: Infer, *, force: bool = force, **_: Any) -> dict[str, Any]:
        outside = resolved.recipe.follow_outside
        meters = (LossMeter(reference(), size, data, outside) for size in resolved.sizes)
        found = worst(meter.measure_with(infer) for meter in meters)
        d1 = found.d1 + (before.d1_change or 0.0)
        loss = replace(found, d1=d1, largest=found.largest + before.parity)
        loss.check(resolved.recipe.precision, force=force)
        return {"parity": loss.largest, "d1_change": loss.d1}

    return check
