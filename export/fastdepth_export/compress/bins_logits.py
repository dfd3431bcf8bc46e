"""From a folded U-Net's trunk to depth: logits of the bins for each pixel, and their mix.

The logits of a map are larger than any cache of a core, and so is what stands between; where the
size is known they are computed, and mixed, strip by strip.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth_export.compress.winograd import transforms

COLUMNS = 4
"""Neighbouring pixels that the Winograd form computes together; divides the trunk's width."""

STRIP = 3200
"""Pixels of a strip, at most; their logits for 128 bins take 1.6 MB, the products before 3.3 MB."""

TAPS = 5
"""Side of the merged convolution."""


class PixelLogits(nn.Module):
    """5x5 convolution to 128 channels, then the product with the bins."""

    bins_bias: Tensor

    def __init__(self, kernel: Tensor, bias: Tensor, bins_bias: Tensor) -> None:
        super().__init__()
        self.conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], TAPS, padding=TAPS // 2)
        self.conv.weight, self.conv.bias = nn.Parameter(kernel), nn.Parameter(bias)
        self.register_buffer("bins_bias", bins_bias)

    def forward(self, trunk: Tensor, to_bins: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`MergedLogits.forward`."""
        height, width = trunk.shape[2:]
        logits = product(self.conv(trunk), to_bins) + self.bins_bias
        depth = mix(logits, centres).reshape(-1, 1, height, width)
        maps = logits.reshape(-1, height, width, to_bins.shape[1])
        lines = maps[:, 0], maps[:, -1], maps[:, 1:-1, 0], maps[:, 1:-1, -1]
        return depth, torch.cat(lines, dim=1)


class MergedLogits(nn.Module):
    """The same as one 5x5 convolution with weights per image, in Winograd's form along the width.

    Four neighbouring columns come from eight products, so that a row of four pixels is
    ``A @ ((G @ weights) * (D @ columns))`` and the products are eight matrix products over the
    5 x c values above each other.
    """

    kernel: Tensor
    bins_bias: Tensor
    result: Tensor
    data: Tensor

    def __init__(self, kernel: Tensor, bias: Tensor, bins_bias: Tensor) -> None:
        super().__init__()
        result, weights, data = map(torch.from_numpy, transforms(COLUMNS, TAPS))
        points = len(weights)
        taps = kernel.double() @ weights.T.to(kernel.device)
        spread = taps.permute(0, 3, 2, 1).flatten(2)  # (128, points, 5 x c)
        # A constant goes to all columns alike through a point whose column of A is all ones: there
        # it is the weight of a value that is always one. The last row is the bins' own bias.
        constant = int((result == 1).all(dim=0).nonzero()[0])
        ones = spread.new_zeros(len(kernel) + 1, points, 1)
        ones[:-1, constant, 0], ones[-1, constant, 0] = bias, 1
        spread = torch.cat([F.pad(spread, (0, 0, 0, 0, 0, 1)), ones], dim=2)
        # Two channels at a time: eight outputs alone leave half of a wide register empty.
        pairs = torch.kron(torch.eye(2), data.contiguous()).reshape(2 * points, 2, 1, -1)
        for name, value in {
            "kernel": spread.flatten(1),
            "result": result,
            "data": pairs,
            "bins_bias": bins_bias[:, None],
        }.items():
            self.register_buffer(name, value.to(kernel).contiguous())

    def forward(self, trunk: Tensor, to_bins: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """Depth (B, 1, h, w) [m], and logits of the outermost pixels (B, 2w + 2(h - 2), bins).

        Those pixels are the first row, the last, then the first column and the last without their
        ends. Depth of theirs is of the 5x5 convolution too.

        Args:
            trunk: (B, c, h, w).
            to_bins: (B, bins, 128).
            centres: (B, bins) [m].
        """
        weights, padded = self._weights(to_bins), F.pad(trunk, (2, 2, 2, 2))
        height, width = trunk.shape[2:]
        depths, first, last, rows = [], [], [], []
        for top, bottom in strips(height, width):
            # Column x of the map is column x // 4 of map x % 4.
            logits = self._logits(self._columns(padded[:, :, top : bottom + 4]), weights)
            depths.append(mix(logits.flatten(1, 3), centres).reshape(logits.shape[:4]))
            first.append(logits[..., 0, :][:, 0])
            last.append(logits[..., -1, :][:, -1])
            if top == 0:
                rows.append(logits[:, :, 0])
        rows.append(logits[:, :, -1])
        depth = torch.cat(depths, dim=2).permute(0, 2, 3, 1).reshape(-1, 1, height, width)
        ring = [row.transpose(1, 2).flatten(1, 2) for row in rows]
        ring += [torch.cat(sides, dim=1)[:, 1:-1] for sides in (first, last)]
        return depth, torch.cat(ring, dim=1)

    def _weights(self, to_bins: Tensor) -> Tensor:
        """Weights of these images, (B, points, 5 x c + 1, bins)."""
        batch, bins = to_bins.shape[:2]
        to_bins = torch.cat([to_bins, self.bins_bias.expand(batch, -1, -1)], dim=2)
        weights = to_bins @ self.kernel
        return weights.reshape(batch, bins, self.result.shape[1], -1).permute(0, 2, 3, 1)

    def _columns(self, rows: Tensor) -> Tensor:
        """Values at the points (B, points, c, n, w / 4) of padded rows (B, c, n, w + 4)."""
        batch, channels, *sides = rows.shape
        values = F.conv2d(rows.reshape(-1, 2, *sides), self.data, stride=(1, COLUMNS))
        points = self.result.shape[1]
        return values.reshape(batch, channels, points, *values.shape[2:]).transpose(1, 2)

    def _logits(self, columns: Tensor, weights: Tensor) -> Tensor:
        """Logits (B, 4, n, w / 4, bins) of the values of n + 4 rows."""
        height = columns.shape[3] - (TAPS - 1)
        rows = [columns[:, :, :, at : at + height] for at in range(TAPS)]
        batch, points, _, *sides = rows[0].shape
        ones = columns.new_ones(1).expand(batch, points, 1, *sides)
        values = torch.cat([*rows, ones], dim=2).flatten(3)  # (B, points, 5 x c + 1, rows x w / 4)
        products = values.transpose(2, 3) @ weights
        logits = self.result @ products.flatten(2)
        return logits.reshape(batch, COLUMNS, *sides, -1)


def strips(height: int | torch.SymInt, width: int | torch.SymInt) -> list[tuple[int, int]]:
    """First row and the row after the last of each strip; one strip of a size that is open."""
    if isinstance(height, torch.SymInt) or isinstance(width, torch.SymInt):
        return [(0, height)]  # type: ignore[list-item]  # an int while it is traced
    rows = max(1, STRIP // width)
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def product(pixels: Tensor, to_bins: Tensor) -> Tensor:
    """Pixels (B, 128, ...) times bins (B, bins, 128): (B, pixels, bins)."""
    return pixels.flatten(2).transpose(1, 2) @ to_bins.transpose(1, 2)


def mix(logits: Tensor, centres: Tensor) -> Tensor:
    """Depth (B, n) of logits (B, n, bins).

    Softmax over the last axis, right for any logits.
    """
    shares = logits.softmax(dim=2)
    return (shares @ centres[:, :, None])[..., 0]
