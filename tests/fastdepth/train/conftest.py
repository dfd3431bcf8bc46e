from __future__ import annotations

import pytest

from fastdepth import variants
from fastdepth.size import Size, SizeRule
from fastdepth.train import recipes
from fastdepth.train.recipes import Augmentation, TrainingRecipe
from fastdepth.variants import Variant

TINY = Variant(
    "tiny",
    "unet:AdaBinsUNet",
    0,
    "for tests",
    Size(96, 128),
    SizeRule(stride=8),
    {"bins": 8, "separable": True, "patch": 4},
    recipe="tiny",
)


@pytest.fixture
def tiny(monkeypatch):
    """A network and a recipe small enough for tests, under the name ``tiny``."""
    monkeypatch.setattr(variants, "VARIANTS", {**variants.VARIANTS, "tiny": TINY})
    recipe = TrainingRecipe(
        source="tests", epochs=2, batch=2, augmentation=Augmentation(crop=Size(96, 128))
    )
    monkeypatch.setattr(recipes, "RECIPES", {**recipes.RECIPES, "tiny": recipe})
