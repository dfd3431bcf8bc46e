"""Compress a network without changing its function.

In the light U-Nets the head convolution has no activation, and up to the softmax over the bins only
linear maps follow it:

* ``conv_out`` and the product with the queries are one matrix, bins x 128;
* the division by 255 and by the standard deviation is the first convolution's (the mean is
  subtracted before it, so that zero padding stays what it was);
* head convolution and patch embedding are one 18x18 convolution of stride 16;
* head convolution and pixel convolution are one 5x5 convolution, but for the outermost ring of
  pixels, where the zero padding between the two shows. What the 5x5 convolution computes too much
  there is linear in the border rows and columns of the trunk and is taken off;
* that convolution and the product with the bins are one, whose weights are computed per image, in
  Winograd's form along the width: 10 multiply-adds per pixel, bin and channel instead of 25;
* the bins sum is attention: pixels are queries, bins are keys, bin centres are values;
* of the transformer's last layer only the tokens that are read are computed;
* with ``merge`` the first convolution answers for two columns at once, 16 channels and not 8, which
  a wide CPU computes in the same time, and pooling joins them; and what comes from below and the
  skip are convolved apart and added, not copied beside each other.

Of the published networks with an EfficientNet the first, the bins sum and the last layer fold.

Equal in exact arithmetic, border included; the stored weights stay those of the network as trained.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models import DepthNetwork, Prediction
from fastdepth.models.adabins import QUERIES, BinsHead, MiniViT, bin_centres, compose
from fastdepth.models.efficientnet import AdaBinsEfficientNet
from fastdepth.models.unet import AdaBinsUNet
from fastdepth.size import Size
from fastdepth_export.compress.bins_logits import COLUMNS, MergedLogits, PixelLogits, mix, product
from fastdepth_export.compress.folded_trunk import FoldedTrunk
from fastdepth_export.compress.sharing import sharing


def can_merge(sizes: Iterable[Size]) -> bool:
    """Whether the trunk of a U-Net, half as wide as these inputs, has a width for ``merge``."""
    return all(size.width % (2 * COLUMNS) == 0 for size in sizes)


def fold(network: DepthNetwork, *, merge: bool = True) -> DepthNetwork:
    """The same function in fewer multiply-adds, for prediction alone.

    Args:
        network: in evaluation mode; it is not changed and shares its parts with the answer.
        merge: merge the U-Nets' 5x5 convolution with the bins as well; see :func:`can_merge`. Its
            weights then depend on the image and its sums need single precision: not for fp16 and
            int8.

    Returns:
        A folded network, or the network itself where nothing folds.
    """
    if isinstance(network, AdaBinsUNet):
        return FoldedUNet(network, merge).eval()
    if isinstance(network, AdaBinsEfficientNet):
        return FoldedEfficientNet(network).eval()
    return network


class FoldedUNet(DepthNetwork):
    """:class:`AdaBinsUNet` with its first convolution and all after the trunk folded.

    Cannot be trained.
    """

    def __init__(self, network: AdaBinsUNet, merge: bool = True) -> None:
        super().__init__(network.depth_range)
        stem = _divide_input(network.unet.stem, 255 * network.std)
        self.trunk = (FoldedTrunk if merge else sharing)(network.unet, stem=stem)
        self.bins = FoldedBinsHead(network.bins, network.unet.head, merge)
        self.uncertainty = network.uncertainty
        self.to(next(network.parameters()))  # device and type

    def predict_bytes(self, images: Tensor) -> Prediction:
        """Predict depth of a camera's images (B, H, W, 3) uint8 RGB."""
        return self._predict(images.permute(0, 3, 1, 2).to(self.mean.dtype) - 255 * self.mean)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        return self._predict(normalised * (255 * self.std))

    def _predict(self, centred: Tensor) -> Prediction:
        """Predict depth of an image in [0, 255] less its mean, which is 0 beyond the border."""
        trunk, deepest = self.trunk.both_ends(centred)
        depth, centres = self.bins(trunk)
        return Prediction(None, depth, None, centres, self.tell_std(trunk, deepest, depth))


class FoldedEfficientNet(DepthNetwork):
    """:class:`AdaBinsEfficientNet` with ``conv_out`` folded and the bins sum as attention.

    Its head convolution has as many inputs as outputs, so that a merged one would cost more.
    """

    def __init__(self, network: AdaBinsEfficientNet) -> None:
        super().__init__(network.depth_range)
        self.encoder, self.decoder, self.bins = network.encoder, network.decoder, network.bins
        self.mini_vit = _reading_few(network.bins.mini_vit)
        self.to(next(network.parameters()))  # device and type

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        features = self.decoder.head(self.decoder(self.encoder(normalised)))
        vit, conv_out = self.mini_vit, self.bins.conv_out
        assert conv_out.bias is not None
        widths, queries = vit.tokens(features)
        centres = bin_centres(widths, *self.bins.depth_range)
        to_bins = conv_out.weight[:, :, 0, 0] @ queries
        logits = product(vit.pixel_conv(features), to_bins) + conv_out.bias
        depth = mix(logits, centres).reshape(-1, 1, *features.shape[2:])
        return Prediction(normalised, depth, features, centres)


class FoldedBinsHead(nn.Module):
    """Trunk (B, 16, h, w) to depth (B, 1, h, w) [m] and bin centres (B, bins) [m]."""

    conv_out: Tensor
    edges: Tensor
    edge_bias: Tensor
    corners: Tensor
    corner_bias: Tensor

    @torch.no_grad()
    def __init__(self, head: BinsHead, last: nn.Conv2d, merge: bool) -> None:
        super().__init__()
        vit = head.mini_vit
        conv, bias, bins_bias = vit.pixel_conv.weight, vit.pixel_conv.bias, head.conv_out.bias
        assert bias is not None
        assert last.bias is not None
        assert bins_bias is not None
        self.depth_range = head.depth_range
        embedding = _compose_strided(last, vit.patch_embedding)
        self.mini_vit = _reading_few(vit, patch_embedding=embedding)
        self.register_buffer("conv_out", head.conv_out.weight[:, :, 0, 0])
        logits = MergedLogits if merge else PixelLogits
        self.logits = logits(*compose(last, conv, bias), bins_bias)
        edges, edge_bias = _edges(last.weight, last.bias, conv)
        corners, corner_bias = _corners(last.weight, last.bias, conv)
        for name, value in {
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
        to_bins = self.conv_out @ queries  # (B, bins, 128)
        inside, ring = self.logits(trunk, to_bins, centres)
        ring = ring - product(self._excess(trunk), to_bins)
        return _patch_ring(inside, mix(ring, centres)), centres

    def _excess(self, trunk: Tensor) -> Tensor:
        """What the 5x5 convolution has too much on the ring, (B, 128, 2w + 2(h - 2))."""
        lines = trunk[:, :, 0], trunk[:, :, -1], trunk[..., 0], trunk[..., -1]
        top, bottom, left, right = (
            weight @ _windows(line) + bias[:, None]
            for line, weight, bias in zip(lines, self.edges, self.edge_bias, strict=True)
        )
        ends = torch.stack([trunk[:, :, y, x] for y in (0, -1) for x in (0, -1)], dim=1)
        corners = (self.corners @ ends[..., None])[..., 0] + self.corner_bias  # (B, 4, 128)
        sides = left - _at_ends(corners[:, 0::2], left), right - _at_ends(corners[:, 1::2], right)
        rows = [
            edge + _at_ends(torch.stack([side[..., y] for side in sides], dim=1), edge)
            for y, edge in ((0, top), (-1, bottom))
        ]
        return torch.cat([*rows, left[..., 1:-1], right[..., 1:-1]], dim=2)


def _at_ends(values: Tensor, line: Tensor) -> Tensor:
    """Values (B, 2, c) at the first and last place of a line of zeros shaped as (B, c, n)."""
    first, last = values[:, 0, :, None], values[:, 1, :, None]
    return torch.cat([first, torch.zeros_like(line[..., 2:]), last], dim=2)


def _windows(line: Tensor) -> Tensor:
    """Windows of five along a line: (B, c, n) to (B, c * 5, n), zeros beyond its ends."""
    count = line.shape[2]
    padded = F.pad(line, (2, 2))
    return torch.stack([padded[..., at : at + count] for at in range(5)], dim=2).flatten(1, 2)


def _patch_ring(depth: Tensor, ring: Tensor) -> Tensor:
    """Replace the outermost pixels of a map (B, 1, h, w) by the ring (B, 2w + 2(h - 2))."""
    height, width = depth.shape[2:]
    parts = torch.split(ring[:, None], [width, width, height - 2, height - 2], dim=2)
    top, bottom, left, right = parts
    inside = [left[..., None], depth[:, :, 1:-1, 1:-1], right[..., None]]
    return torch.cat([top[:, :, None], torch.cat(inside, dim=3), bottom[:, :, None]], dim=2)


class _TokensRead(MiniViT):
    """A mini-ViT whose last layer computes the tokens that are read alone: widths and queries."""

    def encode(self, tokens: Tensor) -> Tensor:
        """The first tokens (B, 1 + queries, channels) of the encoder's answer."""
        *layers, last = self.encoder.layers
        for layer in layers:
            tokens = layer(tokens)
        read = tokens[:, : 1 + QUERIES]
        read = last.norm1(read + last.self_attn(read, tokens, tokens, need_weights=False)[0])
        answer: Tensor = last.norm2(read + last.linear2(F.relu(last.linear1(read))))
        return answer


def _reading_few(vit: MiniViT, **parts: nn.Module) -> MiniViT:
    """A mini-ViT of the same function, and of these parts."""
    folded = sharing(vit, **parts)
    folded.__class__ = _TokensRead
    return folded


@torch.no_grad()
def _divide_input(conv: nn.Conv2d, divisor: Tensor) -> nn.Conv2d:
    """The convolution of an image that was not divided, channel by channel (1, c, 1, 1)."""
    return sharing(conv, weight=nn.Parameter(conv.weight / divisor))


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
