"""Put trained weights into a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fastdepth.errors import WeightsError
from fastdepth.extras import require
from fastdepth.models.network import DepthNetwork
from fastdepth.weights import UNCERTAINTY, WeightsCard, read_card, read_header

TRAINING_STATE = "state/"
"""Prefix of the tensors in a checkpoint that are no part of the network."""


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], WeightsCard]:
    """All tensors of a weights file or checkpoint, and its card.

    Raises:
        WeightsError: the file is missing, truncated or not by fastdepth.
    """
    card = read_card(path)
    return load_tensors(path), card


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        WeightsError: the file is missing or damaged, or does not fit into memory.
    """
    read_header(path)
    try:
        tensors: dict[str, Tensor] = require("safetensors.torch", "train").load_file(str(path))
    except require("safetensors", "train").SafetensorError as error:
        raise WeightsError(f"{path} is damaged ({error}); copy or train it again") from None
    except (OSError, RuntimeError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else "memory does not suffice"
        raise WeightsError(f"{path} cannot be read: {reason}; copy it again") from None
    return tensors


def load_weights(network: DepthNetwork, path: str | Path, variant: str) -> WeightsCard:
    """Load a weights file, half or single precision, or the network of a checkpoint.

    An uncertainty head in it is left to :func:`fastdepth.models.uncertainty.attach_head`.

    Args:
        network: built by :func:`fastdepth.models.create_model` for ``variant``; changed in place.
        path: safetensors file by fastdepth-train.
        variant: name that the file's card must bear.

    Returns:
        The file's card.

    Raises:
        WeightsError: the file is missing, truncated, not fastdepth's or of another variant.
    """
    tensors, card = read_tensors(path)
    if card.variant != variant:
        raise WeightsError(
            f"{path} holds weights of {card.variant}, not of {variant}; "
            f"use --variant {card.variant} or other weights"
        )
    others = TRAINING_STATE, UNCERTAINTY
    own = {name: value for name, value in tensors.items() if not name.startswith(others)}
    check_tensors(own, network, path, variant)
    network.load_state_dict(own)
    return card


def check_tensors(
    tensors: Mapping[str, Tensor], module: nn.Module, path: str | Path, name: str
) -> None:
    """Refuse tensors that are not exactly those of a module, of another kind, or not finite.

    Args:
        tensors: by the names of the module's state.
        module: to be loaded.
        path: file that they are from, for the message.
        name: what the module is, for the message.

    Raises:
        WeightsError: names the first that does not fit.
    """
    expected = module.state_dict()
    for key in sorted(expected.keys() ^ tensors.keys()):
        raise WeightsError(f"{path} does not fit {name}: {key} is in one of them only")
    for key, value in tensors.items():
        if value.shape != expected[key].shape:
            raise WeightsError(f"{path} does not fit {name}: {key} has another shape")
        if _kind(value) != _kind(expected[key]):
            raise WeightsError(f"{path} does not fit {name}: {key} is {value.dtype}; train again")
        if not is_finite(value):
            raise WeightsError(f"{path} holds NaN or infinity in {key}; use an earlier checkpoint")


def is_finite(value: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity."""
    return not value.is_floating_point() or bool(torch.isfinite(value).all())


def _kind(value: Tensor) -> torch.dtype:
    """Float32 for floats of any precision; other kinds do not turn into one another."""
    return torch.float32 if value.is_floating_point() else value.dtype


def load_fitting(network: DepthNetwork, path: str | Path) -> list[str]:
    """Load those tensors of a file whose names and shapes fit, whatever its variant.

    Returns:
        Their names.

    Raises:
        WeightsError: the file cannot be read, nothing in it fits, or what fits is not finite.
    """
    tensors, card = read_tensors(path)
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in tensors.items()
        if name in own and own[name].shape == value.shape and _kind(own[name]) == _kind(value)
    }
    if not fitting:
        raise WeightsError(f"nothing in {path}, weights of {card.variant}, fits this network")
    for name, value in fitting.items():
        if not is_finite(value):
            raise WeightsError(f"{path} holds NaN or infinity in {name}; use an earlier checkpoint")
    network.load_state_dict(fitting, strict=False)
    return sorted(fitting)
