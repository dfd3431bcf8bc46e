from __future__ import annotations

import pytest
from tiny_network import tiny_variant

from fastdepth import variants
from fastdepth.size import Size
from fastdepth.train import recipes
from fastdepth.train.recipes import Augmentation, TrainingRecipe


@pytest.fixture
def tiny(monkeypatch):
    """A network and a recipe small enough for tests, under the name ``tiny``."""
    monkeypatch.setattr(variants, "VARIANTS", {**variants.VARIANTS, "tiny": tiny_variant("tiny")})
    recipe = TrainingRecipe(
        source="tests", epochs=2, batch=2, augmentation=Augmentation(crop=Size(96, 128))
    )
    monkeypatch.setattr(recipes, "RECIPES", {**recipes.RECIPES, "tiny": recipe})
