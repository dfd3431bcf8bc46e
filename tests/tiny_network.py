"""AdaBins' light U-Net with fewer levels: what the exporter takes seconds for, in a third."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from fastdepth.models import unet
from fastdepth.models.unet import AdaBinsUNet
from fastdepth.size import Size, SizeRule
from fastdepth.variants import Variant

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
        1_234_567,
        "for tests",
        Size(96, 128),
        SizeRule(stride=8),
        {"bins": 8, "separable": True, "patch": 4},
        recipe=recipe,
    )
