"""What a run begins from, and its checkpoints: one safetensors file of its whole state, no pickle.

The tensors under the network's own names are those that are validated and shipped, so that a
checkpoint is a weights file too; with averaged weights the trained ones stand beside them.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, Required, TypedDict

import torch
from torch import Tensor

from fastdepth.console import tell
from fastdepth.documents import parse
from fastdepth.errors import DivergenceError, WeightsError
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.models.loading import (
    TRAINING_STATE,
    check_tensors,
    is_finite,
    load_fitting,
    load_weights,
    read_tensors,
)
from fastdepth.models.network import DepthNetwork
from fastdepth.models.pretrained import load_encoder
from fastdepth.train.optimiser import Count, OptimiserState, ScheduleState, restore_optimiser
from fastdepth.train.options import TrainingRun
from fastdepth.weights import WeightsCard, find_weights, read_card

_OPTIMISER = f"{TRAINING_STATE}optimiser/"
_TRAINED = f"{TRAINING_STATE}trained/"
_RANDOM = f"{TRAINING_STATE}random"
_PROGRESS = f"{TRAINING_STATE}progress"
_SCALER = {"scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"}
_MOST_PROGRESS = 2**20  # it has some kB [bytes]
_MERSENNE, _WORDS = struct.Struct("=QiiQ"), 624
"""How a state of a generator begins: seed, left, seeded, next; and how many words it has."""

_MEND = "resume from a copy, or start from best.safetensors with --weights"


class Progress(TypedDict):
    """How far a run has come.

    Attributes:
        step: steps done, of ``total_steps``.
        total_steps: of the whole run.
        stage: number of the recipe's stage.
        best: best value of the figure that is followed; infinite before the first.
        stale: validations since then.
        averaged: times that the weights were counted into their average.
        schedule: of the learning rate.
        scaler: of the gradients, by PyTorch's names; empty unless the precision is fp16.
    """

    step: Count
    total_steps: Count
    stage: Count
    best: float
    stale: Count
    averaged: Count
    schedule: ScheduleState
    scaler: dict[str, int | float]


class _Stored(Progress, total=False):
    """What stands beside it: the optimiser's settings, and how many tensors it has in the file."""

    optimiser: Required[list[dict[str, Any]]]
    tensors: Count


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
        DivergenceError: the network is not finite.
        WeightsError: it is beyond the range of half precision.
        OutputError: the file could not be written.
    """
    tensors = {name: value.detach() for name, value in network.state_dict().items()}
    if half:
        halves = {n: v.half() if v.is_floating_point() else v for n, v in tensors.items()}
        for name, value in halves.items():
            if is_finite(tensors[name]) and not is_finite(value):
                raise WeightsError(f"{name} is beyond the range of half precision; train it anew")
        tensors = halves
    _write(path, tensors, card)


def save_checkpoint(
    path: str | Path,
    shipped: DepthNetwork,
    trained: DepthNetwork,
    optimiser: torch.optim.Optimizer,
    card: WeightsCard,
    *,
    progress: Progress,
    random: Tensor,
) -> None:
    """Write everything that continuing needs; the file also serves as a weights file.

    Args:
        path: file to write.
        shipped: the averaged network, or the trained one itself.
        trained: the network that the optimiser moves.
        optimiser: its state and settings are stored.
        card: goes into the header.
        progress: how far the run has come.
        random: (processes, bytes) uint8, a state of PyTorch's generator each.

    Raises:
        DivergenceError: something is not finite; what stood there is still whole.
        OutputError: the file could not be written.
    """
    tensors = {name: value.detach() for name, value in shipped.state_dict().items()}
    if trained is not shipped:
        for name, value in trained.state_dict().items():
            tensors[f"{_TRAINED}{name}"] = value.detach()
    moments = {
        f"{_OPTIMISER}{index}/{key}": torch.as_tensor(value)
        for index, entries in optimiser.state_dict()["state"].items()
        for key, value in entries.items()
        if value is not None  # SGD's momentum before its first step
    }
    settings = [
        {key: value for key, value in group.items() if key != "params"}
        for group in optimiser.param_groups
    ]
    stored = {**progress, "optimiser": settings, "tensors": len(moments)}
    text = json.dumps(stored, sort_keys=True)
    tensors |= moments
    tensors[_PROGRESS] = torch.tensor(list(text.encode()), dtype=torch.uint8)
    tensors[_RANDOM] = random
    _write(path, tensors, card)


def initialise(network: DepthNetwork, run: TrainingRun) -> str:
    """Give a network the first weights of a run; returns what its card says of them.

    Raises:
        UnknownNameError: no such weights.
        WeightsError: a file cannot be read or does not fit.
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
    return load_encoder(network, run.encoder_weights)


class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        progress: what :func:`save_checkpoint` was given.
        random: (processes, bytes) uint8.
    """

    def __init__(self, path: str | Path, total_steps: int) -> None:
        """Read a checkpoint.

        Raises:
            WeightsError: no checkpoint, a damaged one, or one of a run of another length.
        """
        self._path = path
        self._tensors, self._card = read_tensors(path)
        self.progress = self._stored = self._read_progress()
        self.random = self._read_random()
        if self.progress["total_steps"] != total_steps:
            raise WeightsError(
                f"{path} belongs to a run of {self.progress['total_steps']} steps, not "
                f"{total_steps}; resume with the same data, epochs and batch"
            )
        scaler = self.progress["scaler"]
        fits = scaler.keys() == (_SCALER if scaler else set())
        fits = fits and all(0 <= value < math.inf for value in scaler.values())
        if not fits or self.progress["step"] > total_steps or math.isnan(self.progress["best"]):
            raise self._damaged("its progress cannot be")

    def restore(
        self,
        shipped: DepthNetwork,
        trained: DepthNetwork,
        optimiser: torch.optim.Optimizer,
        card: WeightsCard,
    ) -> None:
        """Put networks and optimiser, changed in place, where they were.

        Raises:
            WeightsError: the checkpoint is of another variant, recipe or teacher, or damaged.
        """
        if self._card.teacher != card.teacher:
            raise WeightsError(
                f"{self._path} was taught by {self._card.teacher or 'nobody'}, not by "
                f"{card.teacher or 'nobody'}; resume with the same --teacher"
            )
        if self._card.data != card.data:  # perhaps the same at another place
            tell(f"{self._path} was trained on {self._card.data}, and goes on with {card.data}")
        load_weights(shipped, self._path, card.variant)
        own = self._below(_TRAINED)
        if trained is not shipped:
            if not own:
                raise WeightsError(f"{self._path} has no averaged weights; take its own recipe")
            check_tensors(own, trained, self._path, card.variant)
            trained.load_state_dict(own)
        elif own:
            raise WeightsError(f"{self._path} has averaged weights; resume with the same --ema")
        moments = self._read_moments()
        restore_optimiser(optimiser, moments, self._stored["optimiser"], self._path)

    def _read_progress(self) -> _Stored:
        """How far the run has come, and the optimiser's settings."""
        text = self._tensors.get(_PROGRESS)
        if text is None:
            raise WeightsError(
                f"{self._path} holds no training state; start from it with --weights"
            )
        if text.dtype != torch.uint8 or text.ndim != 1 or len(text) > _MOST_PROGRESS:
            raise self._damaged("its progress is no text")
        what = f"the training state of {self._path}"
        return parse(bytes(text.tolist()), _Stored, what, _MEND, WeightsError, infinite=True)

    def _read_random(self) -> Tensor:
        """States of PyTorch's generators (processes, bytes) uint8, each of which can be one."""
        states, usual = self._tensors.get(_RANDOM), torch.get_rng_state()
        fits = states is not None and states.dtype == usual.dtype and states.ndim == 2
        if states is None or not fits or states.shape[1:] != usual.shape or not len(states):
            raise self._damaged("it holds no state of the random numbers")
        for state in states:
            _, left, seeded, next_word = _MERSENNE.unpack_from(bytes(state.tolist()))
            if not (1 <= left <= _WORDS and seeded == 1 and next_word <= _WORDS):
                raise self._damaged("it holds no state of the random numbers")
        return states

    def _read_moments(self) -> OptimiserState:
        """The optimiser's tensors by number of the parameter and their names."""
        found = self._below(_OPTIMISER)
        if len(found) != self._stored.get("tensors", len(found)):
            raise self._damaged("tensors of its optimiser are missing")
        known = {_PROGRESS, _RANDOM}
        for name in self._below(TRAINING_STATE):
            whole = TRAINING_STATE + name
            if whole not in known and not whole.startswith((_OPTIMISER, _TRAINED)):
                raise self._damaged(f"{whole} is no part of one")
        moments: OptimiserState = {}
        for name, value in found.items():
            index, _, key = name.partition("/")
            moments.setdefault(index, {})[key] = value
        return moments

    def _below(self, prefix: str) -> dict[str, Tensor]:
        """Tensors whose names begin so, without that beginning."""
        found = {k: v for k, v in self._tensors.items() if k.startswith(prefix)}
        return {name.removeprefix(prefix): value for name, value in found.items()}

    def _damaged(self, reason: str) -> WeightsError:
        return WeightsError(f"{self._path} is a damaged checkpoint: {reason}; {_MEND}")


def _write(path: str | Path, tensors: dict[str, Tensor], card: WeightsCard) -> None:
    """Write tensors and card, all of which are finite, or leave what stood there."""
    for name, value in tensors.items():
        if not is_finite(value):
            raise DivergenceError(
                f"{name} is not finite, so {path} is not written; take a lower --learning-rate"
            )
    safetensors = require("safetensors.torch", "train")
    whole = {name: value.cpu().contiguous() for name, value in tensors.items()}
    # Its save_file would write a file of its own beside, which a killed process leaves.
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.save(whole, metadata=card.to_header()))
