"""Coarse and fine network of Eigen, as reproduced by Gao (CS172).

Eigen, Puhrsch, Fergus, "Depth Map Prediction from a Single Image using a Multi-Scale Deep Network",
NIPS 2014.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models.network import DepthNetwork, Prediction

DEPTH_MAP = (55, 74)  # height and width of both outputs, for an image of 228x304
POOLED = (6, 8)  # of the coarse network's last map


class Coarse(nn.Module):
    """Whole image (B, 3, 228, 304) to the logarithm of depth (B, 1, 55, 74)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1)
        self.full6 = nn.Linear(256 * POOLED[0] * POOLED[1], 4096)
        self.dropout = nn.Dropout(0.5)
        self.full7 = nn.Linear(4096, DEPTH_MAP[0] * DEPTH_MAP[1])

    def forward(self, image: Tensor) -> Tensor:
        """Logarithm of depth in metres."""
        level = F.max_pool2d(self.conv1(image).relu(), 2)
        level = F.max_pool2d(self.conv2(level).relu(), 2)
        level = self.conv4(self.conv3(level).relu()).relu()
        level = F.max_pool2d(self.conv5(level).relu(), 3, stride=2)
        hidden = self.dropout(self.full6(level.flatten(1)).relu())
        numbers: Tensor = self.full7(hidden)
        return numbers.reshape(-1, 1, *DEPTH_MAP)


class Fine(nn.Module):
    """Edges of the image beside the coarse map, then 5x5 convolutions over both.

    One convolution from 64 to 64 channels, as in the paper's figure and as its three learning rates
    count them; some reproductions have two.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 63, 9, stride=2)
        self.conv2 = nn.Conv2d(64, 64, 5, padding=2)
        self.conv3 = nn.Conv2d(64, 1, 5, padding=2)

    def forward(self, image: Tensor, coarse: Tensor) -> Tensor:
        """Logarithm of depth in metres, (B, 1, 55, 74) like ``coarse``."""
        edges = F.max_pool2d(self.conv1(image).relu(), 2)
        level = self.conv2(torch.cat([edges, coarse], dim=1)).relu()
        depth: Tensor = self.conv3(level)
        return depth


class Eigen(DepthNetwork):
    """The coarse network sees the whole room, the fine one adds its edges; 55x74 from 228x304.

    Both predict the natural logarithm of depth in metres: depth is positive and the loss is linear
    in it. Predictions are clamped into the depth range, training is not. The coarse network's
    parameters are ``coarse.conv1`` to ``coarse.conv5``, ``coarse.full6`` and ``coarse.full7``, the
    fine one's ``fine.conv1`` to ``fine.conv3``: layers 1 to 7 and 1 to 3 of the paper's recipe.

    Args:
        depth_range: least and greatest depth [m].
    """

    def __init__(self, depth_range: tuple[float, float] = (1e-3, 10.0)) -> None:
        super().__init__(depth_range)
        self.coarse, self.fine = Coarse(), Fine()

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, 228, 304)."""
        coarse = self.coarse(normalised)
        fine = self.fine(normalised, coarse)
        depth, first = (self.limit(log.float().exp()) for log in (fine, coarse))
        return Prediction(normalised, depth, coarse=first)
