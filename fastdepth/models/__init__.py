"""The networks, in PyTorch. Needs the extra ``train`` or ``export``."""

from __future__ import annotations

from importlib import import_module

from fastdepth.models.network import DepthNetwork, Prediction, count_parameters, upsample
from fastdepth.models.pruned import narrow, read_widths
from fastdepth.variants import Variant, get_variant

__all__ = [
    "DepthNetwork",
    "Prediction",
    "count_parameters",
    "create_model",
    "upsample",
]


def create_model(name: str | Variant) -> DepthNetwork:
    """Build a network with random weights, in training mode.

    Args:
        name: a name of :data:`fastdepth.variants.VARIANTS`, or a variant.

    Raises:
        UnknownNameError: there is no such variant.
        InputError: its file of widths does not fit.
    """
    variant = get_variant(name) if isinstance(name, str) else name
    module, _, cls = variant.network.partition(":")
    build = getattr(import_module(f"fastdepth.models.{module}"), cls)
    network: DepthNetwork = build(**variant.options, depth_range=variant.depth_range)
    if variant.widths:
        narrow(network, read_widths(variant.widths), variant.size)
    return network
