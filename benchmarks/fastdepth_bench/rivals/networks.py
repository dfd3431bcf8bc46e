"""Networks of others, from installed libraries' own classes, with random weights.

How long a network takes does not depend on its weights, so long as none is zero or the same as
another. What it answers with means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from fastdepth.extras import require
from fastdepth.models._timm import import_timm, prepare_torchvision
from fastdepth.models.network import DepthNetwork, Prediction

NOISE = 0.02
"""Standard deviation of what is added to every parameter."""


class Disparity(DepthNetwork):
    """A depth network of transformers'; its disparity stands in the place of depth."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict disparity of a normalised image (B, 3, H, W)."""
        return Prediction(None, self.network(pixel_values=normalised).predicted_depth[:, None])


class Encoder(DepthNetwork):
    """An encoder of timm's alone; a mean of its features stands in the place of depth."""

    def __init__(self, features: Any) -> None:
        super().__init__()
        self.features = features

    def predict(self, normalised: Tensor) -> Prediction:
        """Compute all features that a decoder would take, and one map (B, 1, h, w) of them."""
        *levels, deepest = self.features(normalised)
        whole = sum(level.mean((1, 2, 3), keepdim=True) for level in levels)
        return Prediction(None, deepest.mean(1, keepdim=True) + whole)


def depth_anything_v2_small() -> DepthNetwork:
    """As the configuration of ``depth-anything/Depth-Anything-V2-Small-hf`` has it: 24,785,089
    parameters.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    prepare_torchvision()  # which transformers imports where it is there
    transformers = require("transformers", "rivals")
    backbone = transformers.Dinov2Config(
        image_size=518,
        patch_size=14,
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        out_features=["stage3", "stage6", "stage9", "stage12"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    whole = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=384,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
    )
    return Disparity(transformers.DepthAnythingForDepthEstimation(whole))


def encoder(name: str) -> DepthNetwork:
    """An encoder by timm's name.

    Raises:
        MissingExtraError: timm is not installed.
    """
    return Encoder(import_timm().create_model(name, pretrained=False, features_only=True))


NETWORKS: Mapping[str, Callable[[], DepthNetwork]] = MappingProxyType(
    {
        "midas-v2.1-small": partial(encoder, "tf_efficientnet_lite3"),
        "depth-anything-v2-small": depth_anything_v2_small,
        "efficientvit-depth-5m": partial(encoder, "efficientvit_m2"),
    }
)
"""What a library has of a rival, by the rival's name."""


def build(name: str) -> DepthNetwork:
    """A network of ``NETWORKS`` in evaluation mode, with the same random weights at every call.

    Raises:
        MissingExtraError: its library is not installed.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = NETWORKS[name]()
        parameters = list(network.parameters())
        for parameter in parameters:  # some begin at zero, and would be left out
            parameter.add_(NOISE * torch.randn_like(parameter))
        for parameter in parameters[-2:]:  # a ReLU at the end would answer with 0 for all images
            parameter.abs_()
    return network.eval()
