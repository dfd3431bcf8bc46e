"""Light U-Nets with an adaptive bins head, standard or depthwise separable.

Horazny, Pospisil, Sevcik (FIT VUT Brno, 2021); U-Net after Ronneberger, Fischer, Brox (2015).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models.adabins import BinsHead
from fastdepth.models.network import DepthNetwork, Prediction, upsample

STEM = 8
DOWN = (16, 32, 64, 128, 256, 256)
UP = (256, 128, 64, 32, 16)
SLOPE = 0.2


def _standard_block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def _separable_block(inputs: int, outputs: int) -> nn.Sequential:
    """Nothing stands between depthwise and pointwise, and only the second pair is normalised."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs),
        nn.Conv2d(inputs, outputs, 1),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs),
        nn.Conv2d(outputs, outputs, 1),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


class UNet(nn.Module):
    """Image (B, 3, H, W) to features (B, 16, H/2, W/2); ``head`` makes them 128 channels.

    Attributes:
        below: channels that each step of the way up has from below; the others are the skip's.
    """

    def __init__(self, separable: bool, features: int = 128) -> None:
        super().__init__()
        block = _separable_block if separable else _standard_block
        self.stem = nn.Conv2d(3, STEM, 3, padding=1)
        widths = (STEM, *DOWN)
        self.down = nn.ModuleList(block(a, b) for a, b in zip(widths, DOWN, strict=False))
        self.below = (DOWN[-1], *UP[:-1])
        skips = DOWN[-2::-1]
        self.up = nn.ModuleList(
            block(a + skip, b) for a, skip, b in zip(self.below, skips, UP, strict=True)
        )
        self.head = nn.Conv2d(UP[-1], features, 3, padding=1)

    def encoder_levels(self) -> dict[int, nn.Module]:
        """The way down, by stride [px]."""
        return {2**depth: module for depth, module in enumerate(self.down, start=1)}

    def forward(self, image: Tensor) -> Tensor:
        """Features before the head: (B, 16, H/2, W/2)."""
        return self.both_ends(image)[0]

    def both_ends(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features before the head and the deepest ones, (B, 256, H/64, W/64)."""
        first, *others = self.down
        levels = [first(self.enter(image))]
        for down in others:
            levels.append(down(F.max_pool2d(levels[-1], 2)))
        level = deepest = levels.pop()  # where the way up begins
        for up in self.up:
            skip = levels.pop()
            level = self.join(up, upsample(level, *skip.shape[-2:]), skip)
        return level, deepest

    def join(self, up: nn.Module, level: Tensor, skip: Tensor) -> Tensor:
        """A step of the way up of what comes from below and the skip, of the same size."""
        joined: Tensor = up(torch.cat([level, skip], dim=1))
        return joined

    def enter(self, image: Tensor) -> Tensor:
        """What the way down begins with, (B, 8, H/2, W/2)."""
        return F.max_pool2d(F.leaky_relu(self.stem(image), SLOPE), 2)


class RegressionUNet(DepthNetwork):
    """The U-Net alone: depth by regression, at half the input's resolution.

    Args:
        separable: depthwise separable blocks instead of standard ones.
        depth_range: least and greatest depth [m].
    """

    def __init__(
        self, separable: bool = False, depth_range: tuple[float, float] = (1e-3, 10.0)
    ) -> None:
        super().__init__(depth_range)
        self.unet = UNet(separable, features=1)

    def encoder_levels(self) -> dict[int, nn.Module]:
        """See :meth:`fastdepth.models.network.DepthNetwork.encoder_levels`."""
        return self.unet.encoder_levels()

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        features = self.unet.head(self.unet(normalised))
        return Prediction(normalised, self.squash(features), features)


class AdaBinsUNet(DepthNetwork):
    """U-Net and bins head; predicts at half the input's resolution.

    Args:
        bins: number of depth bins.
        separable: depthwise separable blocks instead of standard ones.
        patch: side [px] of the head's patches, at half resolution.
        depth_range: least and greatest depth [m].
    """

    def __init__(
        self,
        bins: int,
        separable: bool = False,
        patch: int = 16,
        depth_range: tuple[float, float] = (1e-3, 10.0),
    ) -> None:
        super().__init__(depth_range)
        self.unet = UNet(separable)
        self.bins = BinsHead(bins, patch, depth_range)

    def encoder_levels(self) -> dict[int, nn.Module]:
        """See :meth:`fastdepth.models.network.DepthNetwork.encoder_levels`."""
        return self.unet.encoder_levels()

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W); trains in merged form."""
        trunk, deepest = self.unet.both_ends(normalised)
        if self.training:
            depth, centres = self.bins.forward_merged(trunk, self.unet.head)
            return Prediction(normalised, depth, None, centres)
        features = self.unet.head(trunk)
        depth, centres = self.bins(features)
        std = self.tell_std(trunk, deepest, depth)
        return Prediction(normalised, depth, features, centres, std)
