"""Compress a network without changing its function.

In the light U-Nets the head convolution has no activation, and up to the softmax over the bins only
linear maps follow it:

* ``conv_out`` and the product with the queries are one matrix, bins x 128;
* head convolution and patch embedding are one 18x18 convolution of stride 16;
* head convolution and pixel convolution are one 5x5 convolution, but for the outermost ring of
  pixels, where the zero padding between the two shows. What the 5x5 convolution computes too much
  there is linear in the border rows and columns of the trunk and is taken off;
* the bins sum is attention: pixels are queries, bins are keys, bin centres are values.

Equal in exact arithmetic, border included; the stored weights stay those of the network as trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models import DepthNetwork, Prediction
from fastdepth.models.adabins import BinsHead, bin_centres, compose
from fastdepth.models.unet import AdaBinsUNet


def fold(network: DepthNetwork) -> DepthNetwork:
    """The same function in fewer multiply-adds, for prediction alone.

    Args:
        network: in evaluation mode; it is not changed and shares its parts with the answer.

    Returns:
        A folded network, or the network itself where nothing folds.
    """
    if isinstance(network, AdaBinsUNet):
        return FoldedUNet(network).eval()
    return network


class FoldedUNet(DepthNetwork):
    """:class:`AdaBinsUNet` with everything after the trunk folded; cannot be trained."""

    def __init__(self, network: AdaBinsUNet) -> None:
        super().__init__()
        self.trunk = network.unet
        self.bins = FoldedBinsHead(network.bins, network.unet.head)
        self.to(next(network.parameters()).dtype)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised picture (B, 3, H, W)."""
        depth, centres = self.bins(self.trunk(normalised))
        return Prediction(normalised, depth, None, centres)


class FoldedBinsHead(nn.Module):
    """Trunk (B, 16, h, w) to depth (B, 1, h, w) [m] and bin centres (B, bins) [m]."""

    kernel: Tensor
    kernel_bias: Tensor
    edges: Tensor
    edge_bias: Tensor
    corners: Tensor
    corner_bias: Tensor

    @torch.no_grad()
    def __init__(self, head: BinsHead, last: nn.Conv2d) -> None:
        super().__init__()
        vit = head.mini_vit
        self.depth_range = head.depth_range
        self.mini_vit = vit.with_embedding(_compose_strided(last, vit.patch_embedding))
        self.conv_out = head.conv_out
        conv, bias = vit.pixel_conv.weight, vit.pixel_conv.bias
        assert bias is not None
        assert last.bias is not None
        kernel, kernel_bias = compose(last, conv, bias)
        edges, edge_bias = _edges(last.weight, last.bias, conv)
        corners, corner_bias = _corners(last.weight, last.bias, conv)
        for name, value in {
            "kernel": kernel,
            "kernel_bias": kernel_bias,
            "edges": edges,
            "edge_bias": edge_bias,
            "corners": corners,
            "corner_bias": corner_bias,
        }.items():
            self.register_buffer(name, value.contiguous())

    def forward(self, trunk: Tensor) -> tuple[Tensor, Tensor]:
        """Depth and bin centres of the trunk's features."""
        widths, queries = self.mini_vit.tokens(trunk)
        centres = bin_centres(widths, *self.depth_range)
        to_bins = (self.conv_out.weight[:, :, 0, 0] @ queries).transpose(1, 2)  # (B, 128, bins)
        pixels = F.conv2d(trunk, self.kernel, self.kernel_bias, padding=2)
        depth = self._attend(pixels.flatten(2), to_bins, centres)
        ring = self._attend(self._ring(trunk, pixels), to_bins, centres)
        return _patch_ring(depth.reshape(-1, 1, *pixels.shape[2:]), ring), centres

    def _attend(self, pixels: Tensor, to_bins: Tensor, centres: Tensor) -> Tensor:
        """Depth (B, 1, n) of pixels (B, 128, n): queries, keys and values of an attention."""
        assert self.conv_out.bias is not None
        logits = pixels.transpose(1, 2) @ to_bins + self.conv_out.bias
        return (logits.softmax(dim=2) @ centres[:, :, None]).transpose(1, 2)

    def _ring(self, trunk: Tensor, pixels: Tensor) -> Tensor:
        """The outermost pixels made right: top, bottom, left, right, (B, 128, 2w + 2(h - 2))."""
        lines = trunk[:, :, 0], trunk[:, :, -1], trunk[..., 0], trunk[..., -1]
        top, bottom, left, right = (
            weight @ _windows(line) + bias[:, None]
            for line, weight, bias in zip(lines, self.edges, self.edge_bias, strict=True)
        )
        ends = torch.stack([trunk[:, :, y, x] for y in (0, -1) for x in (0, -1)], dim=1)
        corners = (self.corners @ ends[..., None])[..., 0] + self.corner_bias  # (B, 4, 128)
        rows = [
            self._row(pixels[:, :, y], edge, (left[..., y], right[..., y]), corners[:, 2 * -y :])
            for y, edge in ((0, top), (-1, bottom))
        ]
        columns = pixels[:, :, 1:-1, 0] - left[..., 1:-1], pixels[:, :, 1:-1, -1] - right[..., 1:-1]
        return torch.cat([*rows, *columns], dim=2)

    @staticmethod
    def _row(row: Tensor, edge: Tensor, sides: tuple[Tensor, Tensor], corners: Tensor) -> Tensor:
        """Top or bottom row: at its ends a side is too much as well, and the overlap twice."""
        left, right = (side - corners[:, index] for index, side in enumerate(sides))
        width = row.shape[2]
        row = row - edge
        return torch.cat(
            [
                row[..., :1] - left[..., None],
                row[..., 1 : width - 1],
                row[..., width - 1 :] - right[..., None],
            ],
            dim=2,
        )


def _windows(line: Tensor) -> Tensor:
    """Windows of five along a line: (B, c, n) to (B, c * 5, n), zeros beyond its ends."""
    count = line.shape[2]
    padded = F.pad(line, (2, 2))
    return torch.stack([padded[..., at : at + count] for at in range(5)], dim=2).flatten(1, 2)


def _patch_ring(depth: Tensor, ring: Tensor) -> Tensor:
    """Replace the outermost pixels of a map (B, 1, h, w) by the ring (B, 1, 2w + 2(h - 2))."""
    height, width = depth.shape[2:]
    top, bottom, left, right = torch.split(ring, [width, width, height - 2, height - 2], dim=2)
    inside = [left[..., None], depth[:, :, 1:-1, 1:-1], right[..., None]]
    return torch.cat([top[:, :, None], torch.cat(inside, dim=3), bottom[:, :, None]], dim=2)


def _compose_strided(last: nn.Conv2d, embedding: nn.Conv2d) -> nn.Conv2d:
    """Head convolution and patch embedding as one convolution of the same stride."""
    assert embedding.bias is not None
    kernel, bias = compose(last, embedding.weight, embedding.bias)
    stride = embedding.stride[0]
    folded = nn.Conv2d(last.in_channels, embedding.out_channels, stride + 2, stride, padding=1)
    folded.weight, folded.bias = nn.Parameter(kernel), nn.Parameter(bias)
    return folded


def _edges(first: Tensor, first_bias: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """What lies beyond the map, as the second convolution sees it past each edge.

    Past the top edge the first convolution reads row 0 with its lowest taps, and the second reads
    that with its upper taps; likewise past the others.

    Args:
        first: (128, c, 3, 3) head convolution.
        first_bias: (128,).
        second: (128, 128, 3, 3) pixel convolution.

    Returns:
        Kernels (4, 128, c * 5) along top, bottom, left and right, and biases (4, 128).
    """
    taps = (
        (first[:, :, 2], second[:, :, 0]),
        (first[:, :, 0], second[:, :, 2]),
        (first[..., 2], second[..., 0]),
        (first[..., 0], second[..., 2]),
    )
    kernels = [
        F.conv1d(a.transpose(0, 1), b.flip(2), padding=2).transpose(0, 1).flatten(1)
        for a, b in taps
    ]
    return torch.stack(kernels), torch.stack([b.sum(dim=2) @ first_bias for _, b in taps])


def _corners(first: Tensor, first_bias: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The one position beyond two edges: kernels (4, 128, c) and biases (4, 128).

    In the order top left, top right, bottom left, bottom right.
    """
    places = [(y, x) for y in (0, 2) for x in (0, 2)]
    outer = [second[:, :, y, x] for y, x in places]
    kernels = [
        matrix @ first[:, :, 2 - y, 2 - x] for matrix, (y, x) in zip(outer, places, strict=True)
    ]
    return torch.stack(kernels), torch.stack([matrix @ first_bias for matrix in outer])
