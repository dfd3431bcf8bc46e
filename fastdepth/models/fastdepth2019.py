"""FastDepth: MobileNet, five depthwise separable decoder layers, additive skips.

Wofk, Ma, Yang, Karaman, Sze, "FastDepth: Fast Monocular Depth Estimation on Embedded Systems",
ICRA 2019: MobileNet-NNConv5 with depthwise decomposition and skip connections by addition.
"""

from __future__ import annotations

import itertools
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models._timm import create_encoder
from fastdepth.models.network import DepthNetwork, Prediction

WIDTHS = (512, 256, 128, 64, 32)
# What stands between the last features and the classifier is left out.
UNUSED = {
    "mobilenetv1_100": (),
    "mobilenetv2_100": ("conv_head", "bn2"),
    "tf_efficientnet_lite0": ("conv_head", "bn2"),
}


def mobile_encoder(name: str) -> Any:
    """MobileNet or EfficientNet-Lite of timm's, whose features :func:`stages` answers with."""
    return create_encoder(name, UNUSED[name])


def stages(encoder: Any, normalised: Tensor) -> list[Tensor]:
    """Its features at 1/2, 1/4, 1/8, 1/16 and 1/32 of a normalised image's resolution."""
    kept = {stage["module"] for stage in encoder.feature_info}
    level, levels = encoder.bn1(encoder.conv_stem(normalised)), []
    for number, block in enumerate(encoder.blocks):
        level = block(level)
        if f"blocks.{number}" in kept:
            levels.append(level)
    return levels


def stage_widths(encoder: Any) -> list[int]:
    """Channels of what :func:`stages` answers with."""
    return [stage["num_chs"] for stage in encoder.feature_info]


def separable(inputs: int, outputs: int, kernel: int = 5) -> nn.Sequential:
    """Depthwise and pointwise convolution, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, padding=kernel // 2, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def ordinary(inputs: int, outputs: int, kernel: int = 5) -> nn.Sequential:
    """The convolution that :func:`separable` takes apart, with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FastDepth(DepthNetwork):
    """MobileNet-NNConv5: depth at the input's resolution.

    The encoder is timm's MobileNetV1, whose stages end where the published skips begin: 64
    channels at a half, 128 at a quarter and 256 at an eighth of the resolution. The paper ends in a
    ReLU; here a sigmoid spans the depth range, because the loss of its recipe needs depth above 0.

    Args:
        encoder: timm's name; with MobileNetV2, whose stages are narrower than the decoder, a 1x1
            convolution widens what is added.
        depth_range: least and greatest depth [m].
    """

    encoder_path = "encoder"

    def __init__(
        self,
        encoder: str = "mobilenetv1_100",
        depth_range: tuple[float, float] = (1e-3, 10.0),
    ) -> None:
        super().__init__(depth_range)
        self.encoder = mobile_encoder(encoder)
        *added, _, deepest = stage_widths(self.encoder)
        widths = deepest, *WIDTHS
        self.decoder = nn.ModuleList(separable(a, b) for a, b in itertools.pairwise(widths))
        self.skips = nn.ModuleList(
            nn.Identity() if own == width else nn.Conv2d(own, width, 1)
            for own, width in zip(added[::-1], WIDTHS[1:], strict=False)
        )
        self.head = nn.Conv2d(WIDTHS[-1], 1, 1)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W), H and W multiples of 32."""
        *added, _, level = stages(self.encoder, normalised)
        widened = (widen(own) for widen, own in zip(self.skips, added[::-1], strict=True))
        skips = (None, *widened, None)  # nothing is added at 1/16 and at full resolution
        for layer, skip in zip(self.decoder, skips, strict=True):
            level = F.interpolate(layer(level), scale_factor=2.0, mode="nearest")
            if skip is not None:
                level = level + skip
        numbers = self.head(level)
        return Prediction(normalised, self.squash(numbers), numbers)
