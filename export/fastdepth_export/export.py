"""From a recipe to a verified file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastdepth
from fastdepth.data import sample_list_hash
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.metadata import ModelMetadata
from fastdepth_export.recipe import ExportRecipe, ResolvedRecipe

if TYPE_CHECKING:
    import onnx

    from fastdepth_export.quantise import BlockLoss

DEFAULT_DATA = "rooms:24"
"""Depth data on which the loss of reduced precision is measured."""


def export(
    recipe: ExportRecipe, output: str | Path, *, data: str = DEFAULT_DATA, force: bool = False
) -> ModelMetadata:
    """Export a network to one file that needs no other.

    The file has one input ``image`` (B, H, W, 3) uint8 RGB and one output ``depth`` (B, 1, H, W)
    float32 [m]; H x W is the recipe's size. In fp32 it is compared in ONNX Runtime with the network
    as trained in PyTorch, whatever was folded, before it is written. A file of reduced precision is
    made from that and must besides keep d1 within a bound, see :mod:`fastdepth_export.loss`.

    Args:
        recipe: network, weights, size, precision, opset.
        output: file to write; what stands there stays whole unless everything succeeds.
        data: depth data on whose validation split the loss of reduced precision is measured.
        force: write a file of reduced precision whatever it lost.

    Returns:
        The metadata in the file.

    Raises:
        UnknownNameError, SizeError, UsageError: the recipe cannot be.
        WeightsError: the weights cannot be read or do not fit.
        DataError: the pictures to calibrate or measure on cannot be read.
        ParityError: the file would not compute what PyTorch computes, or lose too much.
        OutputError: the file cannot be written.
        MissingExtraError: the extra ``export`` or ``cpu`` is not installed.
    """
    resolved = recipe.resolved()
    _require_extras()
    from fastdepth_export.graph import set_metadata
    from fastdepth_export.network import weights_card

    with replacing(output) as temporary:
        model, parity = _verified(resolved)
        facts: dict[str, Any] = {"parity": parity}
        if recipe.precision != "fp32":
            model, facts = _reduce(model, resolved, data, force)
        metadata = ModelMetadata(
            variant=resolved.variant.name,
            weights=resolved.weights_name,
            licence=weights_card(resolved).licence,
            sizes=(resolved.size,),
            depth_range=resolved.variant.depth_range,
            params=resolved.variant.params,
            precision=recipe.precision,
            opset=recipe.opset,
            version=fastdepth.__version__,
            **facts,
        )
        set_metadata(model, metadata)
        temporary.write_bytes(model.SerializeToString())
    return metadata


def sensitivity(recipe: ExportRecipe, *, data: str = DEFAULT_DATA) -> list[BlockLoss]:
    """What each block of a network loses when it alone is computed in 8 bits; writes nothing.

    Args:
        recipe: network, weights, size, quantisation, calibration; its precision is taken for int8.
        data: depth data on whose validation split the loss is measured.

    Raises:
        FastDepthError: as :func:`export`.
    """
    _require_extras()
    from fastdepth_export.loss import LossMeter
    from fastdepth_export.quantise import Quantiser

    resolved = replace(recipe, precision="int8").resolved()
    model, _ = _verified(resolved)
    quantiser = Quantiser.of(model, resolved)
    return quantiser.sensitivity(LossMeter(model, resolved.size, data))


def _require_extras() -> None:
    for module, extra in (("torch", "export"), ("onnxruntime", "cpu")):
        require(module, extra)  # asked before minutes are spent


def _verified(resolved: ResolvedRecipe) -> tuple[onnx.ModelProto, float]:
    """The graph in fp32, and its largest difference to PyTorch [m]."""
    from fastdepth_export.fold import fold
    from fastdepth_export.graph import to_onnx
    from fastdepth_export.network import build_network
    from fastdepth_export.verify import verify

    network = build_network(resolved.recipe)
    deployed = fold(network) if resolved.recipe.fold else network
    model = to_onnx(deployed, resolved.size, resolved.recipe.opset)
    return model, verify(model, network, resolved.size)


def _reduce(
    model: onnx.ModelProto, resolved: ResolvedRecipe, data: str, force: bool
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The graph in the recipe's precision, and what the metadata says of that."""
    from fastdepth_export.half import to_half
    from fastdepth_export.loss import LossMeter
    from fastdepth_export.quantise import Quantiser

    precision = resolved.recipe.precision
    meter = LossMeter(model, resolved.size, data)
    facts: dict[str, Any] = {}
    if precision == "fp16":
        reduced = to_half(model)
    else:
        quantiser = Quantiser.of(model, resolved)
        reduced = quantiser.quantise(quantiser.choose(meter))
        facts["quantisation"] = resolved.recipe.quantisation
        facts["calibration"] = sample_list_hash(quantiser.source)
    loss = meter.measure(reduced)
    if not force:
        loss.check(precision)
    return reduced, facts | {"parity": loss.largest, "d1_change": loss.d1}
