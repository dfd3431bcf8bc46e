"""AdaBins as published: an EfficientNet encoder, a decoder of four up blocks, the bins head.

Bhat, Alhashim, Wonka, "AdaBins: Depth Estimation Using Adaptive Bins", CVPR 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastdepth.models._timm import create_encoder
from fastdepth.models.adabins import BinsHead
from fastdepth.models.network import DepthNetwork, Prediction, upsample

TAPPED_BLOCKS = (0, 1, 2, 4)


class Encoder(nn.Module):
    """A timm EfficientNet, tapped after four of its blocks and before its last batch norm.

    ``features_only`` of timm would drop the head convolution; the last batch norm is kept, unused,
    because the published count has it.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body = create_encoder(name)
        widths = [self.body.blocks[index][-1].conv_pwl.out_channels for index in (1, 2, 4)]
        first = self.body.blocks[0][-1].conv_pw.out_channels
        self.widths: list[int] = [first, *widths, self.body.conv_head.out_channels]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Feature maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image (B, 3, H, W)."""
        level = self.body.bn1(self.body.conv_stem(image))
        taps = []
        for index, block in enumerate(self.body.blocks):
            level = block(level)
            if index in TAPPED_BLOCKS:
                taps.append(level)
        return [*taps, self.body.conv_head(level)]


class UpBlock(nn.Module):
    """Resize to the skip's size, concatenate, two convolutions with batch norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(),
        )

    def forward(self, level: Tensor, skip: Tensor) -> Tensor:
        """Features at the size of ``skip``."""
        return self.convs(torch.cat([upsample(level, *skip.shape[-2:]), skip], dim=1))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Encoder maps to features (B, 128, H/2, W/2); widths halve at each of four steps."""

    def __init__(self, widths: list[int], features: int = 128) -> None:
        super().__init__()
        deepest = widths[-1]
        # Padding a 1x1 convolution adds a ring of biases; the published network does so.
        self.bridge = nn.Conv2d(deepest, deepest, 1, padding=1)
        self.up = nn.ModuleList(
            UpBlock(deepest // 2**step + skip, deepest // 2 ** (step + 1))
            for step, skip in enumerate(widths[-2::-1])
        )
        self.head = nn.Conv2d(deepest // 2 ** len(self.up), features, 3, padding=1)

    def forward(self, taps: list[Tensor]) -> Tensor:
        """Features of the last up block, before ``head``."""
        level: Tensor = self.bridge(taps[-1])
        for up, skip in zip(self.up, taps[-2::-1], strict=True):
            level = up(level, skip)
        return level


class AdaBinsEfficientNet(DepthNetwork):
    """EfficientNet encoder-decoder and bins head; predicts at half the input's resolution.

    Args:
        encoder: timm name of the EfficientNet.
        bins: number of depth bins.
        depth_range: least and greatest depth [m].
    """

    encoder_path = "encoder.body"

    def __init__(
        self, encoder: str, bins: int = 256, depth_range: tuple[float, float] = (1e-3, 10.0)
    ) -> None:
        super().__init__(depth_range)
        self.encoder = Encoder(encoder)
        self.decoder = Decoder(self.encoder.widths)
        self.bins = BinsHead(bins, depth_range=depth_range)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        features = self.decoder.head(self.decoder(self.encoder(normalised)))
        depth, centres = self.bins(features)
        return Prediction(normalised, depth, features, centres)
