"""Two networks on DenseNet-201: a U-Net, and one that only enlarges the last features."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from fastdepth.models._timm import create_encoder
from fastdepth.models.network import DepthNetwork, Prediction, upsample

TAPS = (64, 256, 512, 1792, 1920)
"""Channels of DenseNet-201 at 1/2 to 1/32 of the image, before each halving."""

UNET = (256, 128, 64, 32, 16)
FAST = (1024, 512, 256, 128, 64)


class DenseNetUNet(DepthNetwork):
    """U-Net with a DenseNet-201 encoder: depth at the input's resolution.

    After a model card that names backbone, loss and optimiser, no layers. Assumed: skips are taken,
    normalised and rectified, where each dense block ends; five times bilinear enlargement (aligned
    corners), concatenation with the skip, and twice (conv3x3, BN, ReLU) of 256 to 16 channels; a
    conv3x3, and a sigmoid that spans the depth range.

    Args:
        depth_range: least and greatest depth [m].
    """

    encoder_path = "encoder"

    def __init__(self, depth_range: tuple[float, float] = (1e-3, 10.0)) -> None:
        super().__init__(depth_range)
        self.encoder = create_encoder("densenet201")
        deeper = (TAPS[-1], *UNET)
        skips = (*TAPS[-2::-1], 0)  # the image itself is no skip
        self.decoder = nn.ModuleList(
            _convs(a + skip, b, b) for a, skip, b in zip(deeper, skips, UNET, strict=False)
        )
        self.head = nn.Conv2d(UNET[-1], 1, 3, padding=1)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        *skips, level = self._taps(normalised)
        for block in self.decoder:
            if skips:
                skip = skips.pop()
                level = torch.cat([upsample(level, *skip.shape[-2:]), skip], dim=1)
            else:
                level = upsample(level, *normalised.shape[-2:])
            level = block(level)
        numbers = self.head(level)
        return Prediction(normalised, self.squash(numbers), numbers)

    def _taps(self, image: Tensor) -> list[Tensor]:
        """Encoder maps of ``TAPS`` channels."""
        taps, level = [], image
        for name, part in self.encoder.features.named_children():
            if name.startswith("transition"):
                taps.append(part.norm(level))
                level = part.pool(part.conv(taps[-1]))
            else:
                level = part(level)
            if name == "norm0":
                taps.append(level)
        return [*taps, level]


class DenseNetFast(DepthNetwork):
    """Five enlargements of DenseNet-201's last features: depth at the input's resolution.

    Bharadwaj, Gutmann, Moothart, Reinertson: 2x nearest, conv3x3, BN, ReLU, conv3x3, BN, ReLU, four
    times, and once without the last two. Convolutions begin with normal weights, taken to have the
    standard deviation 1/sqrt(5 x inputs), and biases of 0.

    The last convolution can answer with anything. Predictions are clamped into the depth range,
    training is not.

    Args:
        depth_range: least and greatest depth [m].
    """

    encoder_path = "encoder"

    def __init__(self, depth_range: tuple[float, float] = (1e-3, 10.0)) -> None:
        super().__init__(depth_range)
        self.encoder = create_encoder("densenet201")
        layers: list[nn.Module] = []
        for inputs, middle in zip((TAPS[-1], *FAST), FAST, strict=False):
            last = middle == FAST[-1]
            convs = _convs(inputs, middle, 1 if last else middle)
            layers += [nn.Upsample(scale_factor=2.0), convs[:-2] if last else convs]
        self.decoder = nn.Sequential(*layers)
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is not None
                nn.init.normal_(module.weight, std=1 / math.sqrt(5 * module.in_channels))
                nn.init.zeros_(module.bias)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W), H and W multiples of 32."""
        features = self.encoder.forward_features(normalised)
        depth = self.limit(self.decoder(features))
        return Prediction(normalised, depth, features)


def _convs(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    """Twice conv3x3, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 3, padding=1),
        nn.BatchNorm2d(middle),
        nn.ReLU(inplace=True),
        nn.Conv2d(middle, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
