"""Checkpoints: one safetensors file with the whole state of a run, no pickle.

The tensors under the network's own names are those that are validated and shipped, so that a
checkpoint is a weights file too; with averaged weights the trained ones stand beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fastdepth.errors import WeightsError
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.models.loading import TRAINING_STATE, load_fitting, load_weights, read_tensors
from fastdepth.models.network import DepthNetwork
from fastdepth.models.pretrained import RANDOM, load_encoder
from fastdepth.weights import WeightsCard, find_weights, read_card

if TYPE_CHECKING:
    from fastdepth.train.options import TrainingRun

_OPTIMISER = f"{TRAINING_STATE}optimiser/"
_TRAINED = f"{TRAINING_STATE}trained/"
_RANDOM = f"{TRAINING_STATE}random"
_PROGRESS = f"{TRAINING_STATE}progress"


def initialise(network: DepthNetwork, run: TrainingRun, say: Callable[[str], object] | None) -> str:
    """Give a network its first weights; what its card says of them.

    Args:
        network: its tensors are filled in.
        run: says with what.
        say: told where an encoder's weights were looked for and not found.

    Raises:
        WeightsError: there are no such weights, or they do not fit.
    """
    if run.resume:
        return read_card(run.checkpoint).initialisation
    if run.weights:
        load_weights(network, find_weights(run.weights), run.variant)
        return run.weights
    if run.initial:
        taken = [len(load_fitting(network, find_weights(name))) for name in run.initial]
        parts = zip(taken, run.initial, strict=True)
        return ", then ".join(f"{count} tensors of {name}" for count, name in parts)
    said = load_encoder(network, run.encoder_weights)
    if say is not None and said != RANDOM and said.startswith(RANDOM):
        say(said)
    return said


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
    shipped: DepthNetwork,
    trained: DepthNetwork,
    optimiser: torch.optim.Optimizer,
    card: WeightsCard,
    *,
    progress: dict[str, Any],
    random: Tensor,
) -> None:
    """Write everything that continuing needs; the file also serves as a weights file.

    Args:
        path: file to write.
        shipped: the averaged network, or the trained one itself.
        trained: the network that the optimiser moves.
        optimiser: its state and settings are stored.
        card: goes into the header.
        progress: numbers, texts, and lists and dictionaries of them; at least ``total_steps``.
        random: (processes, bytes) uint8, a state of PyTorch's generator each.

    Raises:
        OutputError: the file could not be written.
    """
    tensors = {name: value.detach() for name, value in shipped.state_dict().items()}
    if trained is not shipped:
        for name, value in trained.state_dict().items():
            tensors[f"{_TRAINED}{name}"] = value.detach()
    for index, entries in optimiser.state_dict()["state"].items():
        for key, value in entries.items():
            if value is not None:  # SGD's momentum before its first step
                tensors[f"{_OPTIMISER}{index}/{key}"] = torch.as_tensor(value)
    settings = [
        {key: value for key, value in group.items() if key != "params"}
        for group in optimiser.param_groups
    ]
    text = json.dumps({**progress, "optimiser": settings}, sort_keys=True)
    tensors[_PROGRESS] = torch.tensor(list(text.encode()), dtype=torch.uint8)
    tensors[_RANDOM] = random
    _write(path, tensors, card)


class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        progress: what :func:`save_checkpoint` was given.
        random: (processes, bytes) uint8.
    """

    def __init__(self, path: str | Path, total_steps: int) -> None:
        """Read a checkpoint.

        Raises:
            WeightsError: no checkpoint, or one of a run of another length.
        """
        self._path = path
        self._tensors, self._card = read_tensors(path)
        if _PROGRESS not in self._tensors:
            raise WeightsError(f"{path} holds no training state; start from it with --weights")
        self.progress: dict[str, Any] = json.loads(bytes(self._tensors[_PROGRESS].tolist()))
        self.random = self._tensors[_RANDOM]
        if self.progress["total_steps"] != total_steps:
            raise WeightsError(
                f"{path} belongs to a run of {self.progress['total_steps']} steps, not "
                f"{total_steps}; resume with the same data, epochs and batch"
            )

    def restore(
        self,
        shipped: DepthNetwork,
        trained: DepthNetwork,
        optimiser: torch.optim.Optimizer,
        card: WeightsCard,
    ) -> None:
        """Put networks and optimiser, changed in place, where they were.

        Raises:
            WeightsError: the checkpoint is of another variant, recipe or teacher.
        """
        if self._card.teacher != card.teacher:
            raise WeightsError(
                f"{self._path} was taught by {self._card.teacher or 'nobody'}, not by "
                f"{card.teacher or 'nobody'}; resume with the same --teacher"
            )
        load_weights(shipped, self._path, card.variant)
        if trained is not shipped:
            own = self._below(_TRAINED)
            if not own:
                raise WeightsError(f"{self._path} has no averaged weights; take its own recipe")
            trained.load_state_dict(own)
        state: dict[int, dict[str, Any]] = {}
        for name, value in self._below(_OPTIMISER).items():
            index, _, key = name.partition("/")
            state.setdefault(int(index), {})[key] = value
        groups, settings = optimiser.state_dict()["param_groups"], self.progress["optimiser"]
        if len(groups) != len(settings):
            raise WeightsError(f"{self._path} was trained by another recipe; resume with that one")
        groups = [
            {**group, **kept, "params": group["params"]}
            for group, kept in zip(groups, settings, strict=True)
        ]
        optimiser.load_state_dict({"state": state, "param_groups": groups})

    def _below(self, prefix: str) -> dict[str, Tensor]:
        """Tensors whose names begin so, without that beginning."""
        found = {k: v for k, v in self._tensors.items() if k.startswith(prefix)}
        return {name.removeprefix(prefix): value for name, value in found.items()}


def _write(path: str | Path, tensors: dict[str, Tensor], card: WeightsCard) -> None:
    safetensors = require("safetensors.torch", "train")
    whole = {name: value.cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        safetensors.save_file(whole, str(temporary), metadata=card.to_header())
