"""The optimiser of a recipe."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
)

from fastdepth.errors import UsageError, WeightsError, look_up
from fastdepth.models.loading import is_finite
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


Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""How often something happened."""

OptimiserState = dict[str, dict[str, Tensor]]
"""Tensors of an optimiser by the number of the parameter, and by PyTorch's names."""

_MOMENTS = {
    Adam: {"step", "exp_avg", "exp_avg_sq"},
    AdamW: {"step", "exp_avg", "exp_avg_sq"},
    SGD: {"momentum_buffer"},
}
_MOVING = ("lr", "momentum", "betas")
"""Settings that a schedule changes; the other numbers are the recipe's."""


def restore_optimiser(
    optimiser: Optimizer,
    moments: OptimiserState,
    settings: Sequence[Mapping[str, Any]],
    path: str | Path,
) -> None:
    """Put an optimiser, changed in place, where it was.

    Args:
        optimiser: as :func:`make_optimiser` makes it for the same recipe.
        moments: its tensors.
        settings: of its groups; of them numbers alone are taken, what else there is the recipe
            decides.
        path: file that they are from, for the message.

    Raises:
        WeightsError: they are of another recipe, or cannot be.
    """
    groups = optimiser.state_dict()["param_groups"]
    if len(groups) != len(settings):
        raise WeightsError(f"{path} was trained by another recipe; resume with that one")
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for index, tensors in moments.items():
        known = index.isdecimal() and int(index) < len(parameters)
        shape = parameters[int(index)].shape if known else None
        fits = known and tensors.keys() == _MOMENTS[type(optimiser)]
        for name, value in tensors.items():
            whole = value.is_floating_point() and is_finite(value)
            fits = fits and whole and value.shape == (() if name == "step" else shape)
        if not fits:
            raise WeightsError(
                f"{path}: its optimiser's tensors {index[:20]} do not fit; resume with the recipe "
                "that it was trained by, or from a copy"
            )
    groups = [
        {name: _setting(name, own, kept.get(name, own), path) for name, own in group.items()}
        for group, kept in zip(groups, settings, strict=True)
    ]
    state = {int(index): tensors for index, tensors in moments.items()}
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _setting(name: str, own: Any, kept: Any, path: str | Path) -> Any:
    """A setting of a group of parameters as it was, if it is a number or several."""
    if name == "params" or not _numbers(own):
        return own
    numbers = _numbers(kept)
    if len(numbers) != len(_numbers(own)) or not all(0 <= n < 1e300 for n in numbers):
        raise WeightsError(f"{path}: {name} of its optimiser is damaged; resume from a copy")
    if name not in _MOVING and numbers != _numbers(own):
        raise WeightsError(
            f"{path} was trained with {name} {kept} by its optimiser, not {own}; resume with the "
            "same recipe and --learning-rate"
        )
    return kept


def _numbers(value: Any) -> list[float]:
    """A number, or the numbers of a list; empty for anything else."""
    values = value if isinstance(value, list | tuple) else [value]
    good = all(isinstance(n, int | float) and not isinstance(n, bool) for n in values)
    return list(values) if good else []


class ScheduleState(TypedDict, total=False):
    """What changes in PyTorch's schedules, by their names; the rest follows from the recipe."""

    last_epoch: Count
    _step_count: Count
    _last_lr: list[float]
    best: float
    num_bad_epochs: Count
    cooldown_counter: Count


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
        self._steps = steps

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

    def state(self) -> ScheduleState:
        """What a checkpoint must keep."""
        known = ScheduleState.__annotations__
        state: Any = {k: value for k, value in vars(self._schedule).items() if k in known}
        return state  # type: ignore[no-any-return]

    def restore(self, state: ScheduleState) -> None:
        """Continue from what :meth:`state` gave.

        Raises:
            WeightsError: that was not a schedule of this kind and length.
        """
        same = state.keys() == self.state().keys()
        if not same or state["last_epoch"] > self._steps or math.isnan(state.get("best", 0.0)):
            raise WeightsError(
                "the checkpoint's learning rate went by another schedule; resume with the same "
                "recipe"
            )
        self._schedule.load_state_dict(dict(state))


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
