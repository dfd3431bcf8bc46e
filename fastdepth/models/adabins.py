"""The adaptive bins head: a small transformer chooses the bins, a softmax mixes their centres.

Bhat, Alhashim, Wonka, "AdaBins: Depth Estimation Using Adaptive Bins", CVPR 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

QUERIES = 128
POSITIONS = 500


def bin_centres(widths: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Centres [m] of bins that tile the depth range.

    Args:
        widths: (B, bins) positive shares that sum to 1 per row (the paper's b, eq. 2).
        min_depth: lower edge of the first bin [m].
        max_depth: upper edge of the last bin [m].

    Returns:
        (B, bins) ascending centres [m] (eq. 3).
    """
    edges = F.pad(widths * (max_depth - min_depth), (1, 0), value=min_depth).cumsum(dim=1)
    return (edges[:, :-1] + edges[:, 1:]) / 2


def mix_bins(logits: Tensor, centres: Tensor) -> Tensor:
    """Depth as the expectation of the bin centres under a softmax of the logits (eq. 4).

    Args:
        logits: (B, bins, h, w).
        centres: (B, bins) [m].

    Returns:
        (B, 1, h, w) [m].
    """
    shares = logits.to(centres.dtype).softmax(dim=1)  # no half precision among metres
    return (shares * centres[:, :, None, None]).sum(dim=1, keepdim=True)


class MiniViT(nn.Module):
    """The paper's mini-ViT on a feature map (B, channels, h, w).

    Patches become tokens of a post-norm transformer encoder; token 0 predicts the bin widths and
    the next 128 are the kernels of a 1x1 convolution (the queries).
    """

    def __init__(self, bins: int, patch: int, channels: int = 128) -> None:
        super().__init__()
        self.patch_embedding = nn.Conv2d(channels, channels, patch, stride=patch)
        self.positions = nn.Parameter(torch.rand(POSITIONS, channels))
        layers = [
            nn.TransformerEncoderLayer(
                channels, nhead=4, dim_feedforward=1024, dropout=0.1, batch_first=True
            )
            for _ in range(4)
        ]
        self.encoder = nn.TransformerEncoder(layers[0], num_layers=4, enable_nested_tensor=False)
        self.encoder.layers = nn.ModuleList(layers)  # else they would begin as copies of one
        self.pixel_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.widths = nn.Sequential(
            nn.Linear(channels, 256),
            nn.LeakyReLU(),
            nn.Linear(256, 256),
            nn.LeakyReLU(),
            nn.Linear(256, bins),
        )

    def tokens(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Bin widths (B, bins), summing to 1, and queries (B, 128, channels)."""
        embedded = self.patch_embedding(features).flatten(2).transpose(1, 2)
        encoded = self.encode(embedded + self.positions[: embedded.shape[1]])
        widths = F.relu(self.widths(encoded[:, 0])).to(self.positions.dtype) + 0.1
        return widths / widths.sum(dim=1, keepdim=True), encoded[:, 1 : QUERIES + 1]

    def encode(self, tokens: Tensor) -> Tensor:
        """The encoder's answer to tokens (B, n, channels), of the same shape."""
        encoded: Tensor = self.encoder(tokens)
        return encoded


class BinsHead(nn.Module):
    """Mini-ViT, output convolution and bins: features (B, 128, h, w) to depth (B, 1, h, w) [m].

    Attributes:
        mix: how depth comes from the bins, :func:`mix_bins` or the same function in other steps.
    """

    mix = staticmethod(mix_bins)

    def __init__(
        self, bins: int, patch: int = 16, depth_range: tuple[float, float] = (1e-3, 10.0)
    ) -> None:
        super().__init__()
        self.depth_range = depth_range
        self.mini_vit = MiniViT(bins, patch)
        self.conv_out = nn.Conv2d(QUERIES, bins, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Depth (B, 1, h, w) [m] and bin centres (B, bins) [m].

        Args:
            features: (B, 128, h, w).
        """
        widths, queries = self.mini_vit.tokens(features)
        centres = bin_centres(widths, *self.depth_range)
        pixels = self.mini_vit.pixel_conv(features)
        attention = (queries @ pixels.flatten(2)).reshape(pixels.shape)
        logits = self.conv_out(attention)
        return self.mix(logits, centres), centres

    def forward_merged(self, trunk: Tensor, last: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """The same function of ``last(trunk)`` in a third of the multiply-adds, for training.

        Between ``last``, a 3x3 convolution without activation, and the softmax everything is
        linear per image: the two 3x3 convolutions, the product with the queries and ``conv_out``
        are one 5x5 convolution whose weights depend on the image. It is composed anew at every
        step, so that the parameters stay those of the network as written. On the outermost ring of
        pixels the zero padding between the two convolutions shows; the ring is computed from
        strips, one convolution after the other.

        Args:
            trunk: (B, c, h, w), input of ``last``.
            last: 3x3 convolution with padding 1 to 128 channels.
        """
        features = last(trunk)
        widths, queries = self.mini_vit.tokens(features)
        centres = bin_centres(widths, *self.depth_range)
        to_bins = torch.einsum("nq,bqc->bnc", self.conv_out.weight[:, :, 0, 0], queries)
        strips = [F.conv2d(strip, last.weight, last.bias) for strip in _border_strips(trunk)]
        rings = zip(*(strip.chunk(len(strip)) for strip in _pad_features(strips)), strict=True)
        depths = []
        # Each image has its own convolution. Parts are split off, not sliced: the gradient of a
        # slice is a whole map of zeros.
        for image, ring, matrix, own in zip(
            trunk.chunk(len(trunk)),
            rings,
            to_bins.unbind(),
            centres.chunk(len(centres)),
            strict=True,
        ):
            kernel, bias = self._kernel_of(matrix)
            border = [attend(F.conv2d(strip, kernel, bias), own) for strip in ring]
            kernel, bias = compose(last, kernel, bias)
            inside = attend(F.conv2d(image, kernel, bias, padding=1), own)
            depths.append(_surround(inside, *border))
        return torch.cat(depths), centres

    def _kernel_of(self, to_bins: Tensor) -> tuple[Tensor, Tensor]:
        """Pixel convolution and bins as one: kernel (bins, 128, 3, 3) and bias (bins,)."""
        conv = self.mini_vit.pixel_conv
        assert conv.bias is not None
        assert self.conv_out.bias is not None
        kernel = torch.einsum("nc,cdyx->ndyx", to_bins, conv.weight)
        return kernel, to_bins @ conv.bias + self.conv_out.bias


def compose(first: nn.Conv2d, kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Two convolutions with nothing between them as one: ``first``, then ``kernel`` with ``bias``.

    Args:
        first: 3x3 convolution with bias.
        kernel: (out, first's out, k, k).
        bias: (out,).

    Returns:
        Kernel (out, first's in, k + 2, k + 2) and bias.
    """
    assert first.bias is not None
    side = kernel.shape[-1] - 1
    both = F.conv2d(first.weight.transpose(0, 1), kernel.flip(2, 3), padding=side).transpose(0, 1)
    return both, bias + kernel.sum(dim=(2, 3)) @ first.bias


def attend(logits: Tensor, centres: Tensor) -> Tensor:
    """:func:`mix_bins` as attention: pixels are queries, bins are keys, centres are values."""
    pixels = logits.flatten(2).transpose(1, 2).to(centres.dtype)
    depth = pixels.softmax(dim=2) @ centres[:, :, None]
    return depth.reshape(-1, 1, *logits.shape[2:])


def _border_strips(trunk: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What two 3x3 convolutions read for the top, bottom, left and right border of their output.

    Three rows or columns, with the zero padding of the first convolution.
    """
    rows = F.pad(trunk[:, :, :3], (1, 1, 1, 0)), F.pad(trunk[:, :, -3:], (1, 1, 0, 1))
    columns = F.pad(trunk[..., :3], (1, 0, 1, 1)), F.pad(trunk[..., -3:], (0, 1, 1, 1))
    return *rows, *columns


def _pad_features(strips: list[Tensor]) -> list[Tensor]:
    """The zero padding of the second convolution.

    Top and bottom give whole rows; left and right leave the corners to them.
    """
    pads = (1, 1, 1, 0), (1, 1, 0, 1), (1, 0), (0, 1)
    return [F.pad(strip, pad) for strip, pad in zip(strips, pads, strict=True)]


def _surround(inside: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Put a ring of one pixel around a map."""
    return torch.cat([top, torch.cat([left, inside, right], dim=3), bottom], dim=2)
