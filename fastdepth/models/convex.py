"""Enlarge depth so that edges stay edges: weighted means whose weights are learnt.

Teed and Deng, "RAFT: recurrent all-pairs field transforms for optical flow", ECCV 2020, section
3.3: a pixel is a convex combination of the nine pixels of the small map around it. Bilinear
enlargement blurs a jump over as many pixels as it enlarges by; this can choose a side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BOUND = 10.0
"""Of a logit: the exponentials of two differ by a factor of 5e8 at most."""

LEAST = 1e-3
"""Weight that a pixel begins with which bilinear interpolation would leave out."""


class ConvexUpsampling(nn.Module):
    """Depth ``factor`` times as large, by weights that are told from features.

    Begins as bilinear interpolation (half-pixel centres), so that a trained network gets it without
    losing anything.

    Args:
        features: channels of the features.
        factor: by which each side grows.
    """

    def __init__(self, features: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.around = nn.Sequential(
            nn.Conv2d(features, features, 3, padding=1, groups=features, bias=False),
            nn.BatchNorm2d(features),
            nn.ReLU(inplace=True),
        )
        self.weights = nn.Conv2d(features, 9 * factor**2, 1)
        nn.init.zeros_(self.weights.weight)
        self.weights.bias = nn.Parameter(_bilinear(factor).clamp(min=LEAST).log().flatten())

    def forward(self, depth: Tensor, features: Tensor) -> Tensor:
        """Depth (B, 1, factor h, factor w) [m].

        Args:
            depth: (B, 1, h, w) [m].
            features: (B, features, h, w).
        """
        height, width = depth.shape[-2:]
        logits = self.weights(self.around(features)).float().clamp(-BOUND, BOUND)
        padded = F.pad(depth, (1, 1, 1, 1), mode="replicate")
        total, weighted = torch.zeros_like(depth), torch.zeros_like(depth)
        for number, weight in enumerate(logits.exp().chunk(9, dim=1)):
            row, column = divmod(number, 3)
            total = total + weight
            weighted = weighted + weight * padded[..., row : row + height, column : column + width]
        return F.pixel_shuffle(weighted / total, self.factor)


def _bilinear(factor: int) -> Tensor:
    """(9, factor^2) weight of each neighbour, row by row, for each pixel of a square."""
    place = (torch.arange(factor) + 0.5) / factor - 0.5  # from the small pixel's centre
    along = (1 - (place - torch.arange(-1, 2)[:, None]).abs()).clamp(min=0)
    return torch.einsum("ai,bj->abij", along, along).reshape(9, factor**2)
