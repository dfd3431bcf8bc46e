"""The one table of networks: what each is, without importing torch.

A variant is an architecture with its options. Trained weights are tagged separately
(:mod:`fastdepth.weights`); training recipes are in :mod:`fastdepth.train.recipes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from fastdepth.errors import look_up
from fastdepth.size import Size, SizeRule

CHECKPOINT_BYTES = 12
"""Bytes a parameter of a training checkpoint: float32 weights and AdamW's two moments."""


@dataclass(frozen=True)
class Variant:
    """What a network is.

    Attributes:
        name: encoder, bins, modifiers: ``unet128-dws-75``.
        network: ``module:Class`` below :mod:`fastdepth.models`; called with ``options``.
        params: exact number of all parameters, those that a recipe freezes included.
        size: network input used when no size is asked for.
        sizes: rule for the other sizes it takes.
        options: arguments of the network's class.
        recipe: name of the training recipe in :mod:`fastdepth.train.recipes`.
        depth_range: least and greatest depth it can answer [m].
        summary: one line for lists.
        widths: of a pruned network, file of its layers' channels, below ``models/widths``
            (:mod:`fastdepth.models.pruned`).
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
    widths: str = ""

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of a training checkpoint: float32 weights and AdamW's two moments.

        The size in "Mb" that Horazny et al. (2021) print is that of such a checkpoint.
        """
        return CHECKPOINT_BYTES * self.params

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


def _fcrn(name: str, params: int, decoder: str, summary: str, sizes: SizeRule) -> Variant:
    size, options = Size(228, 304), {"decoder": decoder}
    return Variant(name, "fcrn:FCRN", params, summary, size, sizes, options, recipe="laina")


def _mobile(
    name: str,
    params: int,
    summary: str,
    size: Size = Size(168, 224),
    recipe: str = "mobile-70",
    **changes: Any,
) -> Variant:
    options = {"bins": 64, "widths": (128, 64, 48, 24), "blocks": (1, 1, 1, 1), **changes}
    return Variant(
        name,
        "mobile_bins:MobileBins",
        params,
        summary,
        size,
        SizeRule(),
        options,
        depth_range=(0.1, 10.0),
        recipe=recipe,
    )


_FULL_SIZE = Size(240, 320), "mobile"
_WIDE: Mapping[str, Any] = {"widths": (192, 128, 64, 32), "blocks": (2, 2, 2, 1)}


def pruned(whole: Variant, percent: int, params: int) -> Variant:
    """What is left of a network without so many percent of its multiply-adds.

    Args:
        whole: the network that was pruned.
        percent: of its multiply-adds that are gone, part of the name: ``mnv2-64-dws-p40``.
        params: exact number of the parameters that are left.
    """
    name = f"{whole.name}-p{percent}"
    summary = f"{whole.name} without {percent} % of its multiply-adds"
    return replace(whole, name=name, params=params, summary=summary, widths=f"{name}.json")


# Counts and names of the first six: Horazny, Pospisil, Sevcik (FIT VUT Brno, 2021), built on
# AdaBins (Bhat, Alhashim, Wonka, 2020).
_WHOLE = {
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
            "unet",
            "unet:RegressionUNet",
            4_918_833,
            "the U-Net of unet256 and unet128 alone, without bins",
            Size(240, 320),
            SizeRule(),
            recipe="trunk-half",
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
        _fcrn(
            "fcrn-res50",
            52_964_289,
            "projection",
            "ResNet-50, three up-projections",
            SizeRule(),
        ),
        _fcrn(
            "fcrn-fc",
            277_269_568,
            "fully-connected",
            "ResNet-50, one fully connected layer",
            SizeRule(only=Size(228, 304)),
        ),
        _fcrn(
            "fcrn-conv",
            42_813_505,
            "convolution",
            "ResNet-50, three 5x5 convolutions after unpooling",
            SizeRule(),
        ),
        _fcrn(
            "fcrn-deconv",
            28_362_817,
            "transposed",
            "ResNet-50, three transposed convolutions",
            SizeRule(),
        ),
        Variant(
            "eigen",
            "eigen:Eigen",
            70_877_171,
            "coarse and fine network of Eigen (2014)",
            Size(228, 304),
            SizeRule(only=Size(228, 304)),
            recipe="eigen",
        ),
        Variant(
            "densenet201-unet",
            "densenet:DenseNetUNet",
            28_581_553,
            "U-Net, DenseNet-201 encoder",
            Size(240, 320),
            SizeRule(),
            recipe="densenet201-unet",
        ),
        Variant(
            "densenet201-fast",
            "densenet:DenseNetFast",
            54_600_577,
            "five enlargements of DenseNet-201's features",
            Size(224, 320),
            SizeRule(multiple=32),
            recipe="densenet201-fast",
        ),
        # Wofk et al. report 3.96 M: MobileNetV1 without classifier 3,206,976, decoder 753,920,
        # and 32 weights with a bias here, with the two parameters of a batch norm there.
        Variant(
            "fastdepth-mnv1",
            "fastdepth2019:FastDepth",
            3_960_929,
            "FastDepth (2019): MobileNet, depthwise decoder, additive skips",
            Size(224, 224),
            SizeRule(multiple=32),
            recipe="regression-224",
        ),
        Variant(
            "mnv2-nnconv5",
            "fastdepth2019:FastDepth",
            2_198_945,
            "FastDepth's decoder on MobileNetV2",
            Size(224, 224),
            SizeRule(multiple=32),
            {"encoder": "mobilenetv2_100"},
            recipe="mobile-224",
        ),
        _mobile(
            "mnv2-64-dws",
            1_976_152,
            "MobileNetV2, decoder of depthwise separable convolutions, 64 bins of log depth",
            *_FULL_SIZE,
        ),
        _mobile("mnv2-64-dws-70", 1_976_152, "the same on 70 % of the input's sides"),
        _mobile(
            "mnv2-64-dws-50",
            1_976_152,
            "the same on 50 % of the input's sides",
            Size(120, 160),
            "mobile-50",
        ),
        _mobile(
            "mnv2-64-dws-wide",
            2_137_952,
            "mnv2-64-dws with a wider and deeper decoder",
            *_FULL_SIZE,
            **_WIDE,
        ),
        _mobile(
            "mnv2-64-dws-wide-convex",
            2_139_492,
            "the same, depth enlarged by learnt weights",
            *_FULL_SIZE,
            **_WIDE,
            convex=True,
        ),
        _mobile(
            "lite0-64-dws-70",
            3_125_848,
            "mnv2-64-dws-70 with the encoder of EfficientNet-Lite0",
            encoder="tf_efficientnet_lite0",
        ),
        # The rest of docs/compression.md: mnv2-64-dws-70 with one thing changed.
        _mobile(
            "mnv2-64-70", 3_684_848, "mnv2-64-dws-70 with ordinary convolutions", separable=False
        ),
        _mobile("mnv2-256-dws-70", 2_005_720, "mnv2-64-dws-70 with 256 bins", bins=256),
        _mobile("mnv2-128-dws-70", 1_986_008, "mnv2-64-dws-70 with 128 bins", bins=128),
        _mobile("mnv2-32-dws-70", 1_971_224, "mnv2-64-dws-70 with 32 bins", bins=32),
    )
}

# Whole network, percent of its multiply-adds that are gone, exact number of parameters left: the
# line that fastdepth-train prune prints.
_PRUNED: tuple[tuple[str, int, int], ...] = (
    ("mnv2-64-dws-70", 20, 1_784_472),
    ("mnv2-64-dws-70", 40, 1_487_672),
    ("mnv2-64-dws-70", 60, 931_392),
)

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    _WHOLE
    | {
        variant.name: variant
        for variant in (pruned(_WHOLE[name], *numbers) for name, *numbers in _PRUNED)
    }
)
"""All variants by name, in the order in which they are listed."""


def get_variant(name: str) -> Variant:
    """Look a variant up.

    Raises:
        UnknownNameError: there is none of that name; the message lists all and the nearest.
    """
    return look_up("variant", name, VARIANTS)
