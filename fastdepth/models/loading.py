"""Put trained weights into a network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fastdepth.errors import WeightsError
from fastdepth.extras import require
from fastdepth.models.network import DepthNetwork
from fastdepth.weights import WeightsCard, read_card

TRAINING_STATE = "state/"
"""Prefix of the tensors in a checkpoint that are no part of the network."""


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], WeightsCard]:
    """All tensors of a weights file or checkpoint, and its card.

    Raises:
        WeightsError: the file is missing, truncated or not by fastdepth.
    """
    card = read_card(path)
    safetensors = require("safetensors.torch", "train")
    tensors: dict[str, Tensor] = safetensors.load_file(str(path))
    return tensors, card


def load_weights(network: DepthNetwork, path: str | Path, variant: str) -> WeightsCard:
    """Load a weights file, half or single precision, or the network of a checkpoint.

    Args:
        network: built by :func:`fastdepth.models.create_model` for ``variant``; changed in place.
        path: safetensors file by fastdepth-train.
        variant: name that the file's card must bear.

    Returns:
        The file's card.

    Raises:
        WeightsError: the file is missing, truncated, foreign or of another variant.
    """
    tensors, card = read_tensors(path)
    if card.variant != variant:
        raise WeightsError(
            f"{path} holds weights of {card.variant}, not of {variant}; "
            f"use --variant {card.variant} or other weights"
        )
    own = {name: value for name, value in tensors.items() if not name.startswith(TRAINING_STATE)}
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ own.keys()):
        raise WeightsError(f"{path} does not fit {variant}: {name} is in one of them only")
    for name, value in own.items():
        if value.shape != expected[name].shape:
            raise WeightsError(f"{path} does not fit {variant}: {name} has another shape")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(f"{path} holds NaN or infinity in {name}; use an earlier checkpoint")
    network.load_state_dict(own)
    return card


def load_fitting(network: DepthNetwork, path: str | Path) -> list[str]:
    """Load those tensors of a file whose names and shapes fit, whatever its variant.

    Returns:
        Their names.

    Raises:
        WeightsError: the file cannot be read, or nothing in it fits.
    """
    tensors, card = read_tensors(path)
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in tensors.items()
        if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise WeightsError(f"nothing in {path}, weights of {card.variant}, fits this network")
    network.load_state_dict(fitting, strict=False)
    return sorted(fitting)
