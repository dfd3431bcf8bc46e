"""The optimiser of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

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
