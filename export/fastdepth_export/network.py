"""The network as it is exported: bytes of a camera in, metres at the same size out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fastdepth.errors import UsageError
from fastdepth.metadata import UNTRAINED
from fastdepth.models import DepthNetwork, create_model
from fastdepth.models.inference import predict_images
from fastdepth.models.loading import load_weights
from fastdepth.models.network import upsample
from fastdepth.models.uncertainty import attach_head
from fastdepth.weights import WeightsCard, find_weights, read_card
from fastdepth_export.recipe import FOLDED, LAST_AXIS, ExportRecipe, ResolvedRecipe


def build_network(recipe: ExportRecipe) -> DepthNetwork:
    """The network of a recipe in evaluation mode, with its weights.

    Untrained networks get the same random weights at every call.

    Raises:
        UnknownNameError, SizeError, UsageError: see :meth:`ExportRecipe.resolved`; or ``std`` is
            asked of weights without an uncertainty head.
        WeightsError: the weights cannot be read or do not fit.
    """
    resolved = recipe.resolved()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = create_model(resolved.variant)
    path = None if resolved.weights == UNTRAINED else find_weights(resolved.weights)
    if path:
        load_weights(network, path, resolved.variant.name)
    if "std" in resolved.recipe.outputs and not (path and attach_head(network, path)):
        raise UsageError(
            f"weights {resolved.weights_name} have no uncertainty head; use --outputs depth, or "
            "fit one with fastdepth-train uncertainty"
        )
    return network.eval()


def in_form(network: DepthNetwork, resolved: ResolvedRecipe) -> DepthNetwork:
    """What is exported in a network's place: the same function in the recipe's form."""
    from fastdepth_export.compress.fold import can_merge, fold
    from fastdepth_export.compress.last_axis import softmax_on_last_axis

    recipe = resolved.recipe
    if recipe.form == FOLDED:
        # Weights per image, and their products in Winograd's form, are for runtimes of ONNX.
        merge = recipe.precision == "fp32" and not resolved.target.from_network
        return fold(network, merge=merge and can_merge(resolved.sizes))
    return softmax_on_last_axis(network) if recipe.form == LAST_AXIS else network


def weights_card(resolved: ResolvedRecipe) -> WeightsCard:
    """The card of a recipe's weights; a plain one for random weights."""
    if resolved.weights == UNTRAINED:
        return WeightsCard(resolved.variant.name, UNTRAINED, licence="Apache-2.0")
    path: Path = find_weights(resolved.weights)
    return read_card(path)


class CameraToDepth(nn.Module):
    """What the file computes; normalisation is inside the network.

    Input ``image`` (B, H, W, 3) uint8 RGB; answers with depth (B, 1, H, W) float32 [m], upsampled
    as in training, with std likewise where the network computes it, and then with the stages of
    the network that exist.
    """

    def __init__(self, network: DepthNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Values of :meth:`outputs`."""
        return tuple(self.outputs(image).values())

    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        """What :meth:`forward` answers with, by the names that the tensors bear in the file."""
        depth, prediction = predict_images(self.network, image)
        outputs = {"depth": depth}
        if prediction.std is not None:
            outputs["std"] = upsample(prediction.std, *depth.shape[2:])
        stages = {f"stage_{k}": v for k, v in prediction._asdict().items() if v is not None}
        return outputs | stages


def weights_in(network: DepthNetwork) -> dict[str, NDArray[np.float32]]:
    """Weights and buffers of a network, by the names that they bear in the file."""
    state = CameraToDepth(network).state_dict()
    return {name: value.numpy() for name, value in state.items() if value.is_floating_point()}
