"""From a recipe to verified files."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import fastdepth
from fastdepth.errors import UsageError
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.metadata import ModelMetadata
from fastdepth_export.recipe import ExportRecipe, ResolvedRecipe
from fastdepth_export.targets import Target


def export(
    recipe: ExportRecipe, output: str | Path, onnx_file: str | Path | None = None
) -> ModelMetadata:
    """Export a network to files that need no others.

    They have one input ``image`` (B, H, W, 3) uint8 RGB and one output ``depth`` (B, 1, H, W)
    float32 [m]; H x W is the recipe's size. What they compute is compared with the network as
    trained in PyTorch, whatever was folded, before they are written.

    Args:
        recipe: network, weights, format, size, precision, opset.
        output: file to write; what stands there stays whole unless everything succeeds. A format
            of several files puts the others beside it, see :func:`files_of`.
        onnx_file: what this recipe makes in the format ``onnx``, for those that are built from
            it; exported first if absent.

    Returns:
        The metadata in the file.

    Raises:
        UnknownNameError, SizeError, UsageError: the recipe cannot be.
        WeightsError: the weights cannot be read or do not fit.
        ParityError: the file would not compute what PyTorch computes.
        OutputError: the file cannot be written.
        MissingExtraError: the extra ``export`` or ``cpu``, or the format's own, is not installed.
        DeviceError: the format is built on a device that is not there.
    """
    resolved = recipe.resolved()
    files = files_of(output, resolved.target)
    needed = (("torch", "export"), ("onnxruntime", "cpu"))
    for module, extra in dict.fromkeys((*needed, (resolved.target.package, resolved.target.extra))):
        require(module, extra)  # asked before minutes are spent
    if not resolved.target.builder:
        return _export_onnx(resolved, files[0])
    return _build(resolved, files, onnx_file)


def files_of(output: str | Path, target: Target) -> list[Path]:
    """The files that an export consists of; the first is the one to open.

    Raises:
        UsageError: the name of a format of several files must end in the suffix of the first.
    """
    output = Path(output)
    main, *others = target.suffixes
    if others and output.suffix != main:
        raise UsageError(
            f"{target.format} writes {' and '.join(target.suffixes)}; name the output FILE{main}"
        )
    return [output, *(output.with_suffix(suffix) for suffix in others)]


def _export_onnx(resolved: ResolvedRecipe, output: Path) -> ModelMetadata:
    from fastdepth_export.fold import fold
    from fastdepth_export.graph import set_metadata, to_onnx
    from fastdepth_export.network import build_network, weights_card
    from fastdepth_export.verify import verify

    recipe = resolved.recipe
    with replacing(output) as temporary:
        network = build_network(recipe)
        deployed = fold(network) if recipe.fold else network
        model = to_onnx(deployed, resolved.size, recipe.opset)
        metadata = ModelMetadata(
            variant=resolved.variant.name,
            weights=resolved.weights_name,
            licence=weights_card(resolved).licence,
            sizes=(resolved.size,),
            depth_range=resolved.variant.depth_range,
            params=resolved.variant.params,
            precision=recipe.precision,
            opset=recipe.opset,
            parity=verify(model, network, resolved.size),
            version=fastdepth.__version__,
        )
        set_metadata(model, metadata)
        temporary.write_bytes(model.SerializeToString())
    return metadata


def _build(
    resolved: ResolvedRecipe, files: list[Path], onnx_file: str | Path | None
) -> ModelMetadata:
    """Files that are built from an ONNX file, in a folder of their own until they are verified."""
    from fastdepth_export.graph import read_metadata
    from fastdepth_export.network import build_network
    from fastdepth_export.verify import compare

    module, _, function = resolved.target.builder.partition(":")
    build = getattr(import_module(f"fastdepth_export.{module}"), function)
    with ExitStack() as stack:
        # The main file is moved into place last: whoever sees it finds its companions whole.
        places = [stack.enter_context(replacing(path)) for path in files]
        folder = Path(stack.enter_context(TemporaryDirectory()))
        source = Path(onnx_file) if onnx_file else folder / "model.onnx"
        if onnx_file is None:
            export(replace(resolved.recipe, format="onnx"), source)
        parts = files_of(folder / f"model{resolved.target.suffixes[0]}", resolved.target)
        verify = partial(compare, network=build_network(resolved.recipe), size=resolved.size)
        metadata: ModelMetadata = build(source, parts, read_metadata(source), verify)
        for part, place in zip(parts, places, strict=True):
            shutil.copyfile(part, place)
    return metadata
