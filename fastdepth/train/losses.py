"""Training losses: functions of a prediction and the ground truth, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from fastdepth.models.network import Prediction, upsample

VALID_DEPTH = 1e-3  # [m]; at or below it nothing was measured
GRADIENT_STEPS = (1, 2, 4, 8)  # [px]
GRADIENT_WEIGHT = 3.0  # puts it at about a quarter of SILog

Loss = Callable[[Prediction, Tensor], Tensor]


def silog(depth: Tensor, truth: Tensor) -> Tensor:
    """Scale-invariant logarithmic loss, as AdaBins scales it.

    ``10 * sqrt(var(g) + 0.15 * mean(g)^2)`` with g = ln depth - ln truth over the valid pixels of
    the whole batch (Eigen et al. 2014, eq. 1; Lee et al. 2019 for the form).

    Args:
        depth: (B, 1, H, W) [m], positive.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    valid = truth > VALID_DEPTH
    difference = depth[valid].log() - truth[valid].log()
    if difference.numel() < 2:  # nothing was measured: no loss, and no variance of nothing
        return difference.sum()
    return 10 * (difference.var() + 0.15 * difference.mean() ** 2).sqrt()


def gradient(depth: Tensor, truth: Tensor) -> Tensor:
    """Multi-scale gradient matching: asks for edges where the ground truth has them.

    Mean absolute difference between neighbours, right and below, of g = ln depth - ln truth; summed
    over four grids that keep every pixel, every second, fourth and eighth (Li and Snavely 2018,
    eq. 5).

    Args:
        depth: (B, 1, H, W) [m], positive.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    valid = truth > VALID_DEPTH
    difference = torch.where(valid, depth.log() - truth.clamp(min=VALID_DEPTH).log(), 0)
    total = depth.new_zeros(())
    for step in GRADIENT_STEPS:
        g, known = difference[..., ::step, ::step], valid[..., ::step, ::step]
        across = (g.diff(dim=-1).abs(), known[..., 1:] & known[..., :-1])
        down = (g.diff(dim=-2).abs(), known[..., 1:, :] & known[..., :-1, :])
        for change, both in (across, down):
            total = total + (change * both).sum() / both.sum().clamp(min=1)
    return total


def chamfer(centres: Tensor, truth: Tensor) -> Tensor:
    """Two-sided squared Chamfer distance of bin centres and valid depths [m^2].

    In one dimension the nearest neighbour of a value stands beside its place in the sorted others,
    so nothing of size centres x pixels is built.

    Args:
        centres: (B, bins) ascending [m].
        truth: (B, 1, H, W) [m], 0 where nothing was measured.

    Returns:
        Mean over the images that have a valid pixel (Bhat et al. 2021, eq. 6).
    """
    distances = []
    for own, depths in zip(centres, truth, strict=True):
        valid = depths[depths > VALID_DEPTH].sort().values
        if valid.numel():
            to_depths = (own - _nearest(valid, own.detach())) ** 2
            to_centres = (_nearest(own, valid) - valid) ** 2
            distances.append(to_depths.mean() + to_centres.mean())
    return torch.stack(distances).mean() if distances else centres.sum() * 0


def _nearest(ascending: Tensor, values: Tensor) -> Tensor:
    """The entry of ``ascending`` nearest to each value; gradients flow to the entry."""
    last = ascending.numel() - 1
    right = torch.searchsorted(ascending.detach(), values.contiguous()).clamp(max=last)
    left = (right - 1).clamp(min=0)
    is_left = values - ascending[left].detach() < ascending[right].detach() - values
    return ascending[torch.where(is_left, left, right)]


def adabins(prediction: Prediction, truth: Tensor) -> Tensor:
    """AdaBins' loss: SILog of the upsampled depth plus 0.1 x Chamfer distance of the bins.

    Args:
        prediction: output of a network with bins.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    assert prediction.centres is not None, "this loss needs a network with bins"
    depth = upsample(prediction.depth, truth.shape[-2], truth.shape[-1])
    return silog(depth, truth) + 0.1 * chamfer(prediction.centres, truth)


def regression(prediction: Prediction, truth: Tensor) -> Tensor:
    """SILog alone, for networks without bins; arguments as for :func:`adabins`."""
    return silog(upsample(prediction.depth, truth.shape[-2], truth.shape[-1]), truth)


def _with_gradient(loss: Loss) -> Loss:
    """The loss plus gradient matching of the upsampled depth."""

    def combined(prediction: Prediction, truth: Tensor) -> Tensor:
        depth = upsample(prediction.depth, truth.shape[-2], truth.shape[-1])
        upsampled = prediction._replace(depth=depth)  # which the loss leaves as it is
        return loss(upsampled, truth) + GRADIENT_WEIGHT * gradient(depth, truth)

    return combined


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "adabins": adabins,
        "adabins-gradient": _with_gradient(adabins),
        "silog": regression,
        "silog-gradient": _with_gradient(regression),
    }
)
"""Losses by the name that a recipe's ``loss`` field gives."""
