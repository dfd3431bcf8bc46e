"""Checkpoints: one safetensors file with network, optimiser and random state, or none of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fastdepth.errors import WeightsError
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.models.loading import TRAINING_STATE, load_weights, read_tensors
from fastdepth.models.network import DepthNetwork
from fastdepth.weights import WeightsCard

_OPTIMISER = f"{TRAINING_STATE}optimiser/"
_RANDOM = f"{TRAINING_STATE}random"
_STEP = f"{TRAINING_STATE}step"
_TOTAL = f"{TRAINING_STATE}total_steps"
_BEST = f"{TRAINING_STATE}best_score"


def save_weights(
    path: str | Path, network: DepthNetwork, card: WeightsCard, *, half: bool = False
) -> None:
    """Write a network's tensors and card, atomically.

    Args:
        path: file to write.
        network: its state is stored as trained, nothing folded.
        card: goes into the header.
        half: store floats as fp16, half the bytes.

    Raises:
        OutputError: the file could not be written.
    """
    tensors = {name: value.detach() for name, value in network.state_dict().items()}
    if half:
        tensors = {n: v.half() if v.is_floating_point() else v for n, v in tensors.items()}
    _write(path, tensors, card)


def save_checkpoint(
    path: str | Path,
    network: DepthNetwork,
    optimiser: torch.optim.Optimizer,
    card: WeightsCard,
    *,
    step: int,
    total_steps: int,
    best_score: float,
) -> None:
    """Write everything that continuing needs; the file also serves as a weights file.

    Raises:
        OutputError: the file could not be written.
    """
    tensors = {name: value.detach() for name, value in network.state_dict().items()}
    for index, entries in optimiser.state_dict()["state"].items():
        for key, value in entries.items():
            tensors[f"{_OPTIMISER}{index}/{key}"] = torch.as_tensor(value)
    tensors[_RANDOM] = torch.get_rng_state()
    tensors[_STEP] = torch.tensor(step)
    tensors[_TOTAL] = torch.tensor(total_steps)
    tensors[_BEST] = torch.tensor(best_score, dtype=torch.float64)
    _write(path, tensors, card)


def restore_checkpoint(
    path: str | Path,
    network: DepthNetwork,
    optimiser: torch.optim.Optimizer,
    variant: str,
    total_steps: int,
) -> tuple[int, float, Tensor]:
    """Continue from a checkpoint: network and optimiser are changed in place.

    Returns:
        Steps done, best validation score so far, and the random state to set when training starts.

    Raises:
        WeightsError: no checkpoint, one of another variant, or one of a run of another length.
    """
    load_weights(network, path, variant)
    tensors, _ = read_tensors(path)
    if _STEP not in tensors:
        raise WeightsError(f"{path} holds weights only; start from it with --weights instead")
    if int(tensors[_TOTAL]) != total_steps:
        raise WeightsError(
            f"{path} belongs to a run of {int(tensors[_TOTAL])} steps, not {total_steps}; "
            "resume with the same data, epochs and batch"
        )
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMISER):
            index, _, key = name.removeprefix(_OPTIMISER).partition("/")
            state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return int(tensors[_STEP]), float(tensors[_BEST]), tensors[_RANDOM]


def _write(path: str | Path, tensors: dict[str, Tensor], card: WeightsCard) -> None:
    safetensors = require("safetensors.torch", "train")
    whole = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        safetensors.save_file(whole, str(temporary), metadata=card.to_header())
