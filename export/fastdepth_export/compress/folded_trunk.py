"""A U-Net's trunk in the order of operations that CPUs compute fastest, of the same function.

* The first convolution answers for two columns at once: 16 channels fill the widest registers,
  where 8 leave half of them empty, and half as many positions are written.
* What comes from below and the skip are convolved apart and added, not copied beside each other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models.unet import SLOPE, UNet
from fastdepth_export.compress.sharing import sharing


class FoldedTrunk(UNet):
    """A U-Net with another first convolution, for images of even width."""

    @torch.no_grad()
    def __init__(self, unet: UNet, stem: nn.Conv2d) -> None:
        nn.Module.__init__(self)
        self.stem, self.down = _two_columns(stem), unet.down
        self.up = nn.ModuleList(
            _joined(up, below) for up, below in zip(unet.up, unet.below, strict=True)
        )

    def enter(self, image: Tensor) -> Tensor:
        """See :meth:`UNet.enter`."""
        both = F.leaky_relu(self.stem(image), SLOPE)  # even columns, then odd ones
        even, odd = F.max_pool2d(both, (2, 1)).chunk(2, dim=1)
        return torch.maximum(even, odd)

    def join(self, up: nn.Module, level: Tensor, skip: Tensor) -> Tensor:
        """See :meth:`UNet.join`."""
        if not isinstance(up, _Joined):
            return super().join(up, level, skip)
        joined: Tensor = up(level, skip)
        return joined


class _Joined(nn.Module):
    """A separable step of the way up that convolves what comes from below and the skip apart.

    Args:
        depthwise: the first convolution.
        pointwise: the second, with nothing between them.
        rest: what follows.
        below: channels that come from below; the others are the skip's.
    """

    def __init__(
        self, depthwise: nn.Conv2d, pointwise: nn.Conv2d, rest: nn.Sequential, below: int
    ) -> None:
        super().__init__()
        self.level = _channels(depthwise, pointwise, slice(below))
        self.skip = _channels(depthwise, sharing(pointwise, bias=None), slice(below, None))
        self.rest = rest

    def forward(self, level: Tensor, skip: Tensor) -> Tensor:
        """The step's answer, with as many channels as the step has."""
        answer: Tensor = self.rest(self.level(level) + self.skip(skip))
        return answer


def _joined(up: nn.Module, below: int) -> nn.Module:
    """A step of the way up in that form, if it is separable."""
    assert isinstance(up, nn.Sequential)
    first, second, *rest = up
    if not (isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d)):
        return up
    return _Joined(first, second, nn.Sequential(*rest), below)


def _channels(depthwise: nn.Conv2d, pointwise: nn.Conv2d, kept: slice) -> nn.Sequential:
    """The two convolutions of these input channels alone."""
    assert depthwise.bias is not None
    own = nn.Parameter(depthwise.weight[kept]), nn.Parameter(depthwise.bias[kept])
    first = sharing(depthwise, weight=own[0], bias=own[1])
    first.in_channels = first.out_channels = first.groups = len(own[0])
    second = sharing(pointwise, weight=nn.Parameter(pointwise.weight[:, kept]))
    second.in_channels = len(own[0])
    return nn.Sequential(first, second)


@torch.no_grad()
def _two_columns(stem: nn.Conv2d) -> nn.Conv2d:
    """A 3x3 convolution with padding 1 that answers for two columns: even ones, then odd."""
    wide = nn.Conv2d(stem.in_channels, 2 * stem.out_channels, (3, 4), (1, 2), padding=1)
    assert stem.bias is not None
    wide.weight = nn.Parameter(torch.cat([F.pad(stem.weight, pad) for pad in ((0, 1), (1, 0))]))
    wide.bias = nn.Parameter(torch.cat([stem.bias, stem.bias]))
    return wide
