"""FastDepth: MobileNet, five depthwise separable decoder layers, additive skips.

Wofk, Ma, Yang, Karaman, Sze, "FastDepth: Fast Monocular Depth Estimation on Embedded Systems",
ICRA 2019: MobileNet-NNConv5 with depthwise decomposition and skip connections by addition.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models._timm import create_encoder
from fastdepth.models.network import DepthNetwork, Prediction

WIDTHS = (1024, 512, 256, 128, 64, 32)


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    """5x5 depthwise and pointwise convolution, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 5, padding=2, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FastDepth(DepthNetwork):
    """MobileNet-NNConv5: depth at the input's resolution.

    The encoder is timm's MobileNetV1, whose stages end where the published skips begin: 64
    channels at a half, 128 at a quarter and 256 at an eighth of the resolution. The paper ends in a
    ReLU; here a sigmoid spans the depth range, because the loss of its recipe needs depth above 0.

    Args:
        depth_range: least and greatest depth [m].
    """

    encoder_path = "encoder"

    def __init__(self, depth_range: tuple[float, float] = (1e-3, 10.0)) -> None:
        super().__init__(depth_range)
        self.encoder = create_encoder("mobilenetv1_100")
        self.decoder = nn.ModuleList(_separable(a, b) for a, b in itertools.pairwise(WIDTHS))
        self.head = nn.Conv2d(WIDTHS[-1], 1, 1)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised picture (B, 3, H, W), H and W multiples of 32."""
        level = self.encoder.bn1(self.encoder.conv_stem(normalised))
        stages = []
        for stage in self.encoder.blocks:
            level = stage(level)
            stages.append(level)
        skips = (None, *stages[2::-1], None)  # nothing is added at 1/16 and at full resolution
        for layer, skip in zip(self.decoder, skips, strict=True):
            level = F.interpolate(layer(level), scale_factor=2.0, mode="nearest")
            if skip is not None:
                level = level + skip
        numbers = self.head(level)
        return Prediction(normalised, self.squash(numbers), numbers)
