from __future__ import annotations

import csv

import cv2
import numpy as np
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


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Pairs of 160x120 in the manifest layout: ten training scenes, two pictures each."""
    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    with (root / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "depth", "split", "scene"])
        for number in range(40):
            image = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
            depth = np.linspace(1000, 4000 + 100 * number, 160).astype(np.uint16)
            cv2.imwrite(str(root / f"{number}.jpg"), image)
            cv2.imwrite(str(root / f"{number}.png"), np.tile(depth, (120, 1)))
            split = "train" if number < 36 else "test"
            writer.writerow([f"{number}.jpg", f"{number}.png", split, f"scene{number // 2}"])
    return root
