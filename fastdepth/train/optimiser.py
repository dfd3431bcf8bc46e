"""Optimiser and learning-rate schedule of a recipe."""

from __future__ import annotations

import warnings

from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from fastdepth.models.network import DepthNetwork
from fastdepth.train.recipes import TrainingRecipe


def make_optimiser(network: DepthNetwork, recipe: TrainingRecipe) -> Optimizer:
    """AdamW with one group for a pretrained encoder, if there is one, and one for the rest."""
    encoder = {id(parameter) for parameter in network.encoder_parameters()}
    groups = [
        {
            "params": [p for p in network.parameters() if (id(p) in encoder) == pretrained],
            "lr": recipe.learning_rate * (recipe.encoder_rate if pretrained else 1),
        }
        for pretrained in (True, False)
    ]
    filled = [group for group in groups if group["params"]]
    return AdamW(filled, weight_decay=recipe.weight_decay)


def make_schedule(
    optimiser: Optimizer, recipe: TrainingRecipe, total_steps: int, done: int
) -> LRScheduler:
    """One-cycle schedule (Smith, Topin, 2018) that has made ``done`` of its steps."""
    schedule = OneCycleLR(
        optimiser,
        max_lr=[group["lr"] for group in optimiser.param_groups],
        total_steps=total_steps + 1,  # one more than is used: it is asked once after the last step
        pct_start=recipe.warm_up,
        base_momentum=recipe.momentum[0],
        max_momentum=recipe.momentum[1],
        div_factor=recipe.start_divisor,
        final_div_factor=recipe.final_divisor,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no optimiser step lies between is the point
        for _ in range(done):
            schedule.step()
    return schedule
