"""Narrower layers: a pruned network is another one with fewer channels here and there.

How many is data, ``widths/NAME.json``: channels into and out of each layer that differs from the
whole network, by its name. :mod:`fastdepth.train.compress.prune` writes it.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn

from fastdepth.errors import InputError
from fastdepth.models.network import DepthNetwork
from fastdepth.size import Size

FOLDER = Path(__file__).parent / "widths"

Layer: TypeAlias = nn.Conv2d | nn.BatchNorm2d | nn.Linear
Widths: TypeAlias = Mapping[str, Sequence[int]]
"""Channels into and out of layers, by their names in the network."""


def layer_widths(network: nn.Module) -> dict[str, tuple[int, int]]:
    """Channels into and out of each convolution, batch norm and linear layer of a network."""
    layers = network.named_modules()
    return {name: _channels(layer) for name, layer in layers if isinstance(layer, Layer)}


def read_widths(path: str | Path) -> Widths:
    """Read a file of widths; a path that is not absolute is below :data:`FOLDER`.

    Raises:
        InputError: the file is missing, or holds something else.
    """
    path, widths = FOLDER / path, None
    with contextlib.suppress(OSError, ValueError):
        widths = json.loads(path.read_text("utf-8"))
    if not isinstance(widths, dict) or not all(map(_is_pair, widths.values())):
        raise InputError(
            f"{path} is missing or holds no widths; write it with fastdepth-train prune"
        )
    return widths


def _is_pair(entry: object) -> bool:
    return isinstance(entry, list) and [type(number) for number in entry] == [int, int]


def narrow(network: DepthNetwork, widths: Widths, size: Size) -> None:
    """Cut layers, changed in place, to so many channels; those not named stay as they are.

    The first channels are kept, which is as good as any before weights are loaded. An encoder that
    is no longer timm's can no longer begin with timm's weights.

    Args:
        network: to be cut.
        widths: of its layers.
        size: of an image that it takes.

    Raises:
        InputError: names or numbers do not fit the network, or one another.
    """
    layers = dict(network.named_modules())
    for name, (inputs, outputs) in widths.items():
        layer = layers.get(name)
        if not isinstance(layer, Layer):
            raise InputError(f"the widths do not fit: {name} is no layer of this network")
        most = _channels(layer)
        fits = 0 < inputs <= most[0] and 0 < outputs <= most[1]
        if not fits or (channel_by_channel(layer) and inputs != outputs):
            raise InputError(
                f"the widths do not fit: {name} cannot have {inputs} channels in and {outputs} "
                f"out of {most[0]} and {most[1]}"
            )
        _cut(layer, inputs, outputs)
    if widths:
        network.encoder_path = ""
    empty = copy.deepcopy(network).to("meta").eval()  # shapes without numbers: milliseconds
    try:
        empty(torch.empty(1, 3, *size, device="meta"))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the widths do not fit one another: {reason}") from None


def channel_by_channel(layer: nn.Module) -> bool:
    """Whether each channel out is made of its own channel in: batch norm, depthwise convolution."""
    depthwise = isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels
    return depthwise or isinstance(layer, nn.BatchNorm2d)


def _channels(layer: Layer) -> tuple[int, int]:
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels, layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.num_features, layer.num_features


def _cut(layer: Layer, inputs: int, outputs: int) -> None:
    """Keep the first channels of a layer, changed in place."""
    if isinstance(layer, nn.Conv2d):
        layer.groups = inputs if channel_by_channel(layer) else layer.groups
        layer.in_channels, layer.out_channels = inputs, outputs
    elif isinstance(layer, nn.Linear):
        layer.in_features, layer.out_features = inputs, outputs
    else:
        layer.num_features = outputs
        for name in ("running_mean", "running_var"):
            setattr(layer, name, getattr(layer, name)[:outputs].clone())
    for name, whole in list(layer.named_parameters()):
        kept = whole.detach()[:outputs]
        if kept.ndim > 1:
            kept = kept[:, :inputs]  # of depthwise weights there is one anyway
        setattr(layer, name, nn.Parameter(kept.clone()))
