"""How far a network's depth may be off, per pixel: a light head on its frozen features.

The head answers with the standard deviation of the error of ln depth, at a quarter of the image's
resolution. It reads the decoder's last features, the mean of the encoder's deepest ones, and what
can be told of the depth map itself: the depth, how much it varies around the pixel and over the
image, and where in the image the pixel lies. :mod:`fastdepth.train.uncertainty` fits it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.errors import WeightsError
from fastdepth.models.loading import check_tensors, load_tensors
from fastdepth.models.network import DepthNetwork, upsample
from fastdepth.weights import UNCERTAINTY

HIDDEN = 32
IMAGE = 8  # numbers that an image's deepest features come to
WINDOWS = (3, 9)  # around a pixel, at a quarter of the resolution
CUES = 5 + 2 * len(WINDOWS)
NARROWEST, WIDEST = 0.02, 1.0  # standard deviation of ln depth
NEAREST = 1e-3  # [m]


class Cues(NamedTuple):
    """What the head reads.

    Attributes:
        features: (B, C, h, w) at a quarter of the image's resolution.
        depth: (B, ``CUES``, h, w), of the depth map.
        image: (B, D), of the whole image.
    """

    features: Tensor
    depth: Tensor
    image: Tensor


class UncertaintyHead(nn.Module):
    """Features and depth to the standard deviation of the depth's error.

    Args:
        features: channels of the decoder's last features.
        deepest: channels of the encoder's deepest features.
    """

    def __init__(self, features: int, deepest: int) -> None:
        super().__init__()
        self._widths = features, deepest
        self.features = nn.Conv2d(features, HIDDEN, 1, bias=False)
        self.depth = nn.Conv2d(CUES, HIDDEN, 1)
        self.image = nn.Sequential(
            nn.Linear(deepest, IMAGE), nn.Tanh(), nn.Linear(IMAGE, HIDDEN, bias=False)
        )
        self.out = nn.Conv2d(HIDDEN, 1, 1)

    def forward(self, features: Tensor, deepest: Tensor, depth: Tensor) -> Tensor:
        """Standard deviation (B, 1, h, w) [m] of the error of a depth map.

        Args:
            features: (B, features, h, w), of the decoder.
            deepest: (B, deepest, h', w'), of the encoder.
            depth: (B, 1, h, w) [m].

        Raises:
            WeightsError: the head is another network's.
        """
        if (features.shape[1], deepest.shape[1]) != self._widths:
            raise WeightsError("the uncertainty head is another network's; fit it anew")
        logs = upsample(self.logs(read_cues(features, deepest, depth)), *depth.shape[2:])
        return depth * logs.float().exp()

    def logs(self, cues: Cues) -> Tensor:
        """Logarithm (B, 1, h, w) of the standard deviation of ln depth, within its bounds."""
        return self.unbounded(cues).clamp(math.log(NARROWEST), math.log(WIDEST))

    def unbounded(self, cues: Cues) -> Tensor:
        """The same without bounds, which have no gradient beyond them."""
        others = self.depth(cues.depth) + self.image(cues.image)[:, :, None, None]
        hidden = F.relu(self.features(cues.features) + others)
        logs: Tensor = self.out(hidden)
        return logs


def read_cues(features: Tensor, deepest: Tensor, depth: Tensor) -> Cues:
    """What the head reads; arguments as of :meth:`UncertaintyHead.forward`."""
    logs = F.avg_pool2d(depth.clamp(min=NEAREST).log(), 2)
    mean = logs.mean(dim=(2, 3), keepdim=True)
    spread = (logs - mean).abs().mean(dim=(2, 3), keepdim=True)
    places = [
        2 * (torch.arange(side, device=logs.device) + 1) / side - 1 for side in logs.shape[2:]
    ]
    rows, columns = places[0][:, None].to(logs.dtype), places[1].abs().to(logs.dtype)
    cues = [logs, *(cue.expand_as(logs) for cue in (mean, spread, rows, columns))]
    for side in WINDOWS:
        apart = logs - _box(logs, side)
        cues += [apart, _box(apart.abs(), side)]  # a difference of squares would cancel in fp16
    return Cues(F.avg_pool2d(features, 2), torch.cat(cues, dim=1), deepest.mean(dim=(2, 3)))


def _box(numbers: Tensor, side: int) -> Tensor:
    """Mean over a square around each pixel, as far as it lies inside; first rows, then columns."""
    half = side // 2
    rows = F.avg_pool2d(numbers, (side, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, half), count_include_pad=False)


def attach_head(network: DepthNetwork, path: str | Path) -> bool:
    """Give a network the head that its weights file holds.

    Args:
        network: changed in place; from then on it answers with ``std``.
        path: weights file.

    Returns:
        Whether there is one.

    Raises:
        WeightsError: the file cannot be read, or its head does not fit.
    """
    prefix = UNCERTAINTY
    tensors = load_tensors(path)
    own = {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
    if own:
        network.uncertainty = head_of(own, path)
    return bool(own)


def head_of(tensors: Mapping[str, Tensor], path: str | Path) -> UncertaintyHead:
    """The head that tensors belong to, in evaluation mode; ``path`` names it in errors.

    Raises:
        WeightsError: they are not a head's.
    """
    names = "features.weight", "image.0.weight"
    features, image = (tensors.get(name, torch.empty(0)) for name in names)
    if (features.ndim, image.ndim) != (4, 2):
        raise WeightsError(f"{path} holds a damaged uncertainty head; fit it anew")
    head = UncertaintyHead(features.shape[1], image.shape[1])
    check_tensors(tensors, head, path, "its uncertainty head")
    head.load_state_dict(dict(tensors))
    return head.eval()
