"""The one table of networks: what each is, without importing torch.

A variant is an architecture with its options. Trained weights are tagged separately
(:mod:`fastdepth.weights`); training recipes are in :mod:`fastdepth.train.recipes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fastdepth.errors import look_up
from fastdepth.size import Size, SizeRule


@dataclass(frozen=True)
class Variant:
    """What a network is.

    Attributes:
        name: encoder, bins, modifiers: ``unet128-dws-75``.
        network: ``module:Class`` below :mod:`fastdepth.models`; called with ``options``.
        params: exact number of trainable parameters.
        size: network input used when no size is asked for.
        sizes: rule for the other sizes it takes.
        options: arguments of the network's class.
        recipe: name of the training recipe in :mod:`fastdepth.train.recipes`.
        depth_range: least and greatest depth it can answer [m].
        summary: one line for lists.
    """

    name: str
    network: str
    params: int
    summary: str
    size: Size = Size(480, 640)
    sizes: SizeRule = SizeRule(stride=32)
    options: Mapping[str, Any] = field(default_factory=dict)
    depth_range: tuple[float, float] = (1e-3, 10.0)
    recipe: str = "adabins"

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


def _effnet(name: str, encoder: str, params: int, **options: Any) -> Variant:
    return Variant(
        name,
        "efficientnet:AdaBinsEfficientNet",
        params,
        f"AdaBins, {encoder} encoder, 256 bins",
        options={"encoder": encoder, **options},
    )


def _unet(name: str, params: int, summary: str, **options: Any) -> Variant:
    patch = options.get("patch", 16)
    size = Size(480, 640) if patch == 16 else Size(360, 480)
    rule = SizeRule(stride=2 * patch)
    recipe = "adabins-light" if patch == 16 else "adabins-light-75"
    return Variant(name, "unet:AdaBinsUNet", params, summary, size, rule, options, recipe=recipe)


# Counts and names of the first six: Horazny, Pospisil, Sevcik (FIT VUT Brno, 2021), built on
# AdaBins (Bhat, Alhashim, Wonka, 2020).
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            _effnet("effb5-256", "tf_efficientnet_b5.ap_in1k", 78_257_328),
            _effnet("effb0-256", "tf_efficientnet_b0.ap_in1k", 27_164_188),
            _unet("unet256", 10_860_320, "U-Net, 256 bins", bins=256),
            _unet("unet128", 10_810_912, "U-Net, 128 bins", bins=128),
            _unet(
                "unet128-dws",
                6_472_944,
                "U-Net of depthwise separable convolutions, 128 bins",
                bins=128,
                separable=True,
            ),
            _unet(
                "unet128-dws-75",
                4_637_936,
                "the same on 75 % of the input's sides",
                bins=128,
                separable=True,
                patch=12,
            ),
            Variant(
                "unet-dws",
                "unet:RegressionUNet",
                580_865,
                "the U-Net of unet128-dws alone, without bins",
                Size(240, 320),
                SizeRule(),
                {"separable": True},
                recipe="trunk-half",
            ),
        )
    }
)
"""All variants by name, in the order in which they are listed."""


def get_variant(name: str) -> Variant:
    """Look a variant up.

    Raises:
        UnknownNameError: there is none of that name; the message lists all and the nearest.
    """
    return look_up("variant", name, VARIANTS)
