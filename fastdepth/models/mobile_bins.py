"""Light networks of a pretrained encoder, a separable decoder and adaptive bins of log depth.

MobileNetV2: Sandler et al., CVPR 2018. EfficientNet-Lite: Liu, "Higher accuracy on vision models
with EfficientNet-Lite", TensorFlow blog, 2020. The decoder adds its skips as FastDepth does (Wofk
et al., ICRA 2019). The bins are those of AdaBins (Bhat, Alhashim, Wonka, CVPR 2021) without its
transformer: what divides the range is the mean of the deepest features, and the range is that of
ln depth.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models import fastdepth2019
from fastdepth.models.adabins import bin_centres
from fastdepth.models.convex import BOUND, ConvexUpsampling
from fastdepth.models.fastdepth2019 import mobile_encoder, stage_widths, stages
from fastdepth.models.network import DepthNetwork, Prediction

FEWEST = 0.1  # width of the least bin by that of equal ones
KERNELS = (5, 5, 3, 3)  # at 1/16, 1/8, 1/4, 1/2; on large maps 5x5 takes a third of a training step


class Level(nn.Module):
    """One level of the way up: narrow, enlarge, add the skip, and refine the sum.

    Args:
        inputs: channels of the level below.
        skip: channels of the encoder's features at this level's size.
        outputs: channels of the answer.
        blocks: residual blocks after the sum.
        kernel: side of the convolutions.
        convolution: builds one of (inputs, outputs, kernel), with batch norm and activation.
    """

    def __init__(
        self,
        inputs: int,
        skip: int,
        outputs: int,
        blocks: int,
        kernel: int,
        convolution: Callable[[int, int, int], nn.Module],
    ) -> None:
        super().__init__()
        self.narrow = convolution(inputs, outputs, kernel)
        self.skip = nn.Sequential(nn.Conv2d(skip, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.refine = nn.ModuleList(convolution(outputs, outputs, kernel) for _ in range(blocks))

    def forward(self, level: Tensor, skip: Tensor) -> Tensor:
        """Features (B, outputs, h, w) of the level below and the skip (B, skip, h, w)."""
        level = F.interpolate(self.narrow(level), skip.shape[-2:], mode="nearest") + self.skip(skip)
        for block in self.refine:
            level = level + block(level)
        return level


class LogBins(nn.Module):
    """Features to depth [m]: bins of ln depth, divided by the whole image, mixed per pixel.

    Args:
        bins: their number.
        deepest: channels of the features whose mean divides the range.
        features: channels of the features that mix the centres.
        depth_range: least and greatest depth [m].
    """

    def __init__(
        self, bins: int, deepest: int, features: int, depth_range: tuple[float, float]
    ) -> None:
        super().__init__()
        self.log_range = math.log(depth_range[0]), math.log(depth_range[1])
        self.widths = nn.Sequential(
            nn.Linear(deepest, 128), nn.ReLU(inplace=True), nn.Linear(128, bins)
        )
        self.logits = nn.Conv2d(features, bins, 1)

    def forward(self, features: Tensor, deepest: Tensor) -> tuple[Tensor, Tensor]:
        """Depth (B, 1, h, w) [m] and ascending bin centres (B, bins) [m].

        Depth is the geometric mean of the centres, weighted by each pixel's shares.

        Args:
            features: (B, features, h, w).
            deepest: (B, deepest, h', w').
        """
        shares = self.widths(deepest.mean(dim=(2, 3))).float().softmax(dim=1)
        widths = (shares + FEWEST / shares.shape[1]) / (1 + FEWEST)
        centres = bin_centres(widths, *self.log_range)
        logits = self.logits(features).to(centres.dtype).clamp(-BOUND, BOUND)
        return _mix(logits, centres).exp(), centres.exp()


def _mix(logits: Tensor, centres: Tensor) -> Tensor:
    """:func:`fastdepth.models.adabins.mix_bins` of bounded logits, where bins stay channels.

    A softmax over channels moves them last and back again in most runtimes, which costs as much as
    the encoder; a product with the centres and with ones needs no such thing. Without the greatest
    logit taken off there is no overflow as long as they are bounded.
    """
    shares = logits.exp().flatten(2)
    total, weighted = (torch.stack([torch.ones_like(centres), centres], 1) @ shares).chunk(2, 1)
    return (weighted / total).reshape(-1, 1, *logits.shape[2:])


class MobileBins(DepthNetwork):
    """Encoder, light decoder and bins of log depth, at half the input's resolution.

    Args:
        bins: number of depth bins.
        widths: channels of the decoder at 1/16, 1/8, 1/4 and 1/2 of the resolution.
        blocks: residual blocks of each of these levels.
        separable: depthwise separable convolutions in the decoder, not ordinary ones.
        convex: enlarge depth to the input's resolution by learnt weights
            (:mod:`fastdepth.models.convex`).
        encoder: timm's name; images are normalised as its pretrained weights want them.
        depth_range: least and greatest depth [m].
    """

    encoder_path = "encoder"

    def __init__(
        self,
        bins: int,
        widths: tuple[int, ...],
        blocks: tuple[int, ...],
        separable: bool = True,
        convex: bool = False,
        encoder: str = "mobilenetv2_100",
        depth_range: tuple[float, float] = (0.1, 10.0),
    ) -> None:
        super().__init__(depth_range)
        self.encoder = mobile_encoder(encoder)
        self.normalise_for(self.encoder)
        convolution = fastdepth2019.separable if separable else fastdepth2019.ordinary
        *skips, deepest = stage_widths(self.encoder)
        ways = itertools.pairwise((deepest, *widths))
        self.decoder = nn.ModuleList(
            Level(below, skip, own, count, kernel, convolution)
            for (below, own), skip, count, kernel in zip(
                ways, skips[::-1], blocks, KERNELS, strict=True
            )
        )
        self.bins = LogBins(bins, deepest, widths[-1], depth_range)
        self.enlarge = ConvexUpsampling(widths[-1], 2) if convex else None

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        *skips, deepest = stages(self.encoder, normalised)
        level = deepest
        for up, skip in zip(self.decoder, skips[::-1], strict=True):
            level = up(level, skip)
        depth, centres = self.bins(level, deepest)
        std = self.tell_std(level, deepest, depth)
        if self.enlarge is not None:
            depth = self.enlarge(depth, level)
        return Prediction(normalised, depth, level, centres, std)
