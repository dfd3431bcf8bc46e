"""The optimiser of a recipe."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
)

from fastdepth.errors import UsageError, look_up
from fastdepth.models.network import DepthNetwork
from fastdepth.train.recipes import TrainingRecipe

Groups = Iterable[dict[str, Any]]


OPTIMISERS: Mapping[str, Callable[[Groups, TrainingRecipe], Optimizer]] = {
    "adamw": lambda groups, recipe: AdamW(
        groups, betas=(recipe.momentum, 0.999), weight_decay=recipe.weight_decay
    ),
    "adam": lambda groups, recipe: Adam(
        groups, betas=(recipe.momentum, 0.999), weight_decay=recipe.weight_decay
    ),
    "sgd": lambda groups, recipe: SGD(
        groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    ),
}
"""Optimisers by the name that a recipe's ``optimiser`` field gives."""


def make_optimiser(network: DepthNetwork, recipe: TrainingRecipe) -> Optimizer:
    """An optimiser of what is not frozen, a group for each entry of ``rates`` and one of the rest.

    Raises:
        UsageError: nothing is left to train.
    """
    groups: dict[str, list[nn.Parameter]] = {prefix: [] for prefix, _ in (*recipe.rates, ("", 1))}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups[next(prefix for prefix in groups if name.startswith(prefix))].append(parameter)
    factors = {**dict(recipe.rates), "": 1.0}
    filled = [
        {"params": parameters, "lr": recipe.learning_rate * factors[prefix]}
        for prefix, parameters in groups.items()
        if parameters
    ]
    if not filled:
        raise UsageError("this recipe freezes the whole network; give --recipe another")
    return look_up("optimiser", recipe.optimiser, OPTIMISERS)(filled, recipe)


STATE = ("last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter")
"""What changes in PyTorch's schedules; the rest follows from the recipe."""


def _one_cycle(optimiser: Optimizer, recipe: TrainingRecipe, steps: int, _: int) -> LRScheduler:
    return OneCycleLR(
        optimiser,
        max_lr=[group["lr"] for group in optimiser.param_groups],
        total_steps=steps + 1,  # one more than is used: it is asked once after the last step
        pct_start=recipe.warm_up,
        base_momentum=recipe.momentum_cycle[0],
        max_momentum=recipe.momentum_cycle[1],
        div_factor=recipe.start_divisor,
        final_div_factor=recipe.final_divisor,
    )


def _constant(optimiser: Optimizer, recipe: TrainingRecipe, steps: int, _: int) -> LRScheduler:
    return ConstantLR(optimiser, factor=1.0)


def _step(optimiser: Optimizer, recipe: TrainingRecipe, _: int, per_epoch: int) -> LRScheduler:
    falls = [epoch * per_epoch for epoch in recipe.fall_epochs]
    return MultiStepLR(optimiser, falls, gamma=recipe.fall)


def _plateau(optimiser: Optimizer, recipe: TrainingRecipe, _: int, __: int) -> LRScheduler:
    return ReduceLROnPlateau(optimiser, factor=recipe.fall, patience=recipe.fall_patience)


SCHEDULES: Mapping[str, Callable[[Optimizer, TrainingRecipe, int, int], LRScheduler]] = {
    "one-cycle": _one_cycle,  # Smith, Topin, 2018
    "constant": _constant,
    "step": _step,
    "plateau": _plateau,
}
"""Schedules by the name that a recipe's ``schedule`` field gives."""


class Schedule:
    """Moves the learning rates of an optimiser after each step or each validation."""

    def __init__(
        self, optimiser: Optimizer, recipe: TrainingRecipe, steps: int, steps_per_epoch: int
    ) -> None:
        """Begin a schedule of so many optimiser steps.

        Raises:
            UnknownNameError: the recipe names no schedule.
        """
        make = look_up("schedule", recipe.schedule, SCHEDULES)
        self._schedule = make(optimiser, recipe, steps, steps_per_epoch)

    def after_step(self) -> None:
        """Call after every optimiser step."""
        if not isinstance(self._schedule, ReduceLROnPlateau):
            with warnings.catch_warnings():  # half precision may leave the first step out
                warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
                self._schedule.step()

    def after_validation(self, loss: float) -> None:
        """Call after every validation with its loss."""
        if isinstance(self._schedule, ReduceLROnPlateau):
            self._schedule.step(loss)

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep: numbers and lists of them."""
        return {key: value for key, value in vars(self._schedule).items() if key in STATE}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` gave."""
        self._schedule.load_state_dict(state)


def freeze(network: nn.Module, trained: Sequence[str], frozen: Sequence[str]) -> None:
    """Let only some parameters be trained.

    Args:
        network: changed in place.
        trained: prefixes of parameter names; an empty prefix fits all.
        frozen: prefixes of those among them that are not trained nevertheless.
    """
    for name, parameter in network.named_parameters():
        fits = name.startswith(tuple(trained)) and not name.startswith(tuple(frozen))
        parameter.requires_grad_(fits)
        parameter.grad = None  # the gradient of an earlier stage must not count when clipping


def set_training(network: nn.Module) -> None:
    """Put a network into training mode, but what is frozen into evaluation mode.

    A module all of whose parameters are frozen neither drops out nor moves its batch statistics.
    """
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
