"""From a recipe to a verified file."""

from __future__ import annotations

from pathlib import Path

import fastdepth
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.metadata import ModelMetadata
from fastdepth_export.recipe import ExportRecipe


def export(recipe: ExportRecipe, output: str | Path) -> ModelMetadata:
    """Export a network to one file that needs no other.

    The file has one input ``image`` (B, H, W, 3) uint8 RGB and one output ``depth`` (B, 1, H, W)
    float32 [m]; H x W is the recipe's size. It is compared in ONNX Runtime with the network as
    trained in PyTorch, whatever was folded, before it is written.

    Args:
        recipe: network, weights, size, opset.
        output: file to write; what stands there stays whole unless everything succeeds.

    Returns:
        The metadata in the file.

    Raises:
        UnknownNameError, SizeError, UsageError: the recipe cannot be.
        WeightsError: the weights cannot be read or do not fit.
        ParityError: the file would not compute what PyTorch computes.
        OutputError: the file cannot be written.
        MissingExtraError: the extra ``export`` or ``cpu`` is not installed.
    """
    resolved = recipe.resolved()
    for module, extra in (("torch", "export"), ("onnxruntime", "cpu")):
        require(module, extra)  # asked before minutes are spent
    from fastdepth_export.fold import fold
    from fastdepth_export.graph import set_metadata, to_onnx
    from fastdepth_export.network import build_network, weights_card
    from fastdepth_export.verify import verify

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
