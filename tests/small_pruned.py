"""A small mobile network, pruned and entered among the variants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fastdepth import variants
from fastdepth.models import create_model, pruned
from fastdepth.size import Size
from fastdepth.train import recipes
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.compress.prune import Pruning, prune_weights
from fastdepth.train.recipes import Augmentation
from fastdepth.variants import VARIANTS, Variant
from fastdepth.weights import WeightsCard

MOBILE, SIZE = "mnv2-64-dws-70", Size(64, 64)


def enter(patch: pytest.MonkeyPatch, folder: Path, base: str = MOBILE) -> Path:
    """Enter a network as ``small``, its widths being in ``folder``; the file of its weights."""
    variant = replace(VARIANTS[base], name="small", size=SIZE, recipe="small")
    augmentation = Augmentation(crop=SIZE)
    usual = recipes.RECIPES[VARIANTS[base].recipe]
    recipe = replace(usual, epochs=1, batch=2, augmentation=augmentation)
    patch.setattr(pruned, "FOLDER", folder)
    patch.setattr(recipes, "RECIPES", {**recipes.RECIPES, "small": recipe})
    patch.setattr(variants, "VARIANTS", {**variants.VARIANTS, "small": variant})
    torch.manual_seed(0)
    path = folder / "small.safetensors"
    save_weights(path, create_model("small"), WeightsCard("small", data="nothing"))
    return path


def enter_pruned(
    patch: pytest.MonkeyPatch, folder: Path, data: str, keep: float, base: str = MOBILE
) -> Variant:
    """Prune it, and enter what is left under its own name; its weights are in ``folder``."""
    weights = enter(patch, folder, base)
    left = prune_weights(Pruning("small", str(weights), (data,), folder, keep))
    patch.setattr(variants, "VARIANTS", {**variants.VARIANTS, left.name: left})
    return left
