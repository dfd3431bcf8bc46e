"""AdaBins' light U-Net with fewer levels: what the exporter takes seconds for, in a third."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fastdepth import variants
from fastdepth.models import unet
from fastdepth.models.unet import AdaBinsUNet
from fastdepth.size import Size, SizeRule
from fastdepth.variants import Variant
from fastdepth.weights import WeightsCard

DOWN, UP = (16, 32), (16,)


class TinyBinsUNet(AdaBinsUNet):
    """Two levels of six and one transformer layer of four; else all that there is."""

    def __init__(self, *args: Any, **options: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unet, "DOWN", DOWN)
            patch.setattr(unet, "UP", UP)
            super().__init__(*args, **options)
        encoder = self.bins.mini_vit.encoder
        encoder.layers = encoder.layers[:1]


def tiny_variant(recipe: str = "adabins") -> Variant:
    """Its entry for the table of variants, under the name ``tiny``."""
    sys.modules["fastdepth.models.tiny_network"] = sys.modules[__name__]
    return Variant(
        "tiny",
        "tiny_network:TinyBinsUNet",
        928_960,
        "for tests",
        Size(96, 128),
        SizeRule(stride=8),
        {"bins": 8, "separable": True, "patch": 4},
        recipe=recipe,
    )


@contextmanager
def known() -> Iterator[Variant]:
    """Have it in the table of variants."""
    variant = tiny_variant()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "VARIANTS", {**variants.VARIANTS, "tiny": variant})
        yield variant


def random_network() -> AdaBinsUNet:
    """It, known by then, with the same random weights every time."""
    from fastdepth_export.network import build_network
    from fastdepth_export.recipe import ExportRecipe

    built = build_network(ExportRecipe("tiny"))
    assert isinstance(built, AdaBinsUNet)
    vit = built.bins.mini_vit  # random weights hardly look at the image; these do
    for layer in (vit.patch_embedding, vit.pixel_conv, vit.widths[-1]):
        layer.weight.data *= 30
    return built


def write_weights(folder: Path, network: AdaBinsUNet) -> Path:
    """Its weights as a file that passes for a trained network's: it has a card."""
    from fastdepth.train.checkpoint import save_weights

    path = folder / "mine.safetensors"
    save_weights(path, network, WeightsCard("tiny", "tiny.mine", licence="MIT"))
    return path
