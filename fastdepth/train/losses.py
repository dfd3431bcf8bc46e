"""Training losses: functions of a prediction and the ground truth, by name.

``l1``, ``eigen``, ``eigen-coarse`` and ``ssim-l1-edges`` are means over the images of what each
image alone decides: accumulated or spread over processes they average to the loss of the whole
batch. All others depend on the whole batch. An image without a valid pixel counts as 0 in means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from fastdepth.models.network import Prediction, upsample

VALID_DEPTH = 1e-3  # [m]; at or below it nothing was measured
GRADIENT_STEPS = (1, 2, 4, 8)  # [px]
GRADIENT_WEIGHT = 3.0  # puts it at about a quarter of SILog
SSIM_WINDOW = 7  # [px]
SSIM_RANGE = 10.0  # [m]

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
    return silog(_full_size(prediction, truth), truth) + 0.1 * chamfer(prediction.centres, truth)


def regression(prediction: Prediction, truth: Tensor) -> Tensor:
    """SILog alone, for networks without bins; arguments as for :func:`adabins`."""
    return silog(_full_size(prediction, truth), truth)


def _full_size(prediction: Prediction, truth: Tensor) -> Tensor:
    """Predicted depth (B, 1, H, W) [m] at the size of the ground truth."""
    return upsample(prediction.depth, truth.shape[-2], truth.shape[-1])


def _means(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of each image over what is counted, 0 where nothing is.

    Args:
        values: (B, 1, H, W), finite wherever ``counted`` is set.
        counted: (B, 1, H, W) bool.

    Returns:
        (B,).
    """
    sums = torch.where(counted, values, 0).flatten(1).sum(dim=1)
    return sums / counted.flatten(1).sum(dim=1).clamp(min=1)


def l1(prediction: Prediction, truth: Tensor) -> Tensor:
    """Mean |depth - truth| [m] over the valid pixels of each image, then over the images.

    Args:
        prediction: its depth is upsampled.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    residual = (_full_size(prediction, truth) - truth).abs()
    return _means(residual, truth > VALID_DEPTH).mean()


def berhu(prediction: Prediction, truth: Tensor) -> Tensor:
    """Reverse Huber loss (Laina et al. 2016, eq. 1): absolute below c, above it quadratic.

    ``|x|`` where |x| <= c and ``(x^2 + c^2) / 2c`` elsewhere, x = depth - truth [m]. As there, c is
    a fifth of the largest |x| of the batch, hence the loss of an image depends on the others; no
    gradient flows through c. Mean over the valid pixels of each image, then over the images.

    Args:
        prediction: its depth is upsampled.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    valid = truth > VALID_DEPTH
    residual = torch.where(valid, (_full_size(prediction, truth) - truth).abs(), 0)
    c = (residual.detach().max() / 5).clamp(min=torch.finfo(residual.dtype).tiny ** 0.5)
    large = (residual**2 + c**2) / (2 * c)
    return _means(torch.where(residual <= c, residual, large), valid).mean()


def eigen(prediction: Prediction, truth: Tensor) -> Tensor:
    """Logarithmic error, half scale-invariant (Eigen et al. 2014, eq. 4 with lambda = 0.5).

    ``mean(d^2) - 0.5 * mean(d)^2`` with d = ln depth - ln truth over the valid pixels of each
    image, then the mean over the images.

    Args:
        prediction: its depth, positive, is upsampled.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    valid = truth > VALID_DEPTH
    depth = torch.where(valid, _full_size(prediction, truth), 1)
    d = depth.log() - torch.where(valid, truth, 1).log()
    return (_means(d**2, valid) - 0.5 * _means(d, valid) ** 2).mean()


def eigen_coarse(prediction: Prediction, truth: Tensor) -> Tensor:
    """:func:`eigen` of the coarse map, for the stage that trains it."""
    assert prediction.coarse is not None, "this loss needs a network with a coarse map"
    return eigen(prediction._replace(depth=prediction.coarse), truth)


def ssim_l1_edges(prediction: Prediction, truth: Tensor) -> Tensor:
    """``0.85 * (1 - SSIM) + 0.1 * L1 + 0.9 * edges``, of each image, then the mean over the images.

    After Basu's example in the documentation of Keras, "Monocular depth estimation" (2021):

    * SSIM (Wang et al. 2004) in windows of 7x7, with the constants ``(0.01 * 10 m)^2`` and
      ``(0.03 * 10 m)^2``; means, variances and covariance are of the valid pixels of a window, and
      the windows around valid pixels count. The example has Gaussian windows, and for the range its
      image's width.
    * L1: mean |depth - truth| [m].
    * edges: mean |change of depth to the right| times ``exp(mean |change of truth to the right|)``,
      and the same downwards, over neighbours that are both valid: a room with more edges pays more
      for each.

    At equality the first two are 0, the third is not.

    Args:
        prediction: its depth is upsampled.
        truth: (B, 1, H, W) [m], 0 where nothing was measured.
    """
    depth, valid = _full_size(prediction, truth), truth > VALID_DEPTH
    structure = _means(1 - _ssim(depth, truth, valid), valid)
    distance = _means((depth - truth).abs(), valid)
    edges = depth.new_zeros(len(depth))
    for dim in (-1, -2):
        pairs = valid.shape[dim] - 1
        both = valid.narrow(dim, 0, pairs) & valid.narrow(dim, 1, pairs)
        weight = _means(truth.diff(dim=dim).abs(), both).exp()
        edges = edges + weight * _means(depth.diff(dim=dim).abs(), both)
    return (0.85 * structure + 0.1 * distance + 0.9 * edges).mean()


def _ssim(depth: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Structural similarity of the valid pixels around each pixel, (B, 1, H, W)."""
    known = valid.to(depth.dtype)

    def mean(values: Tensor) -> Tensor:
        sums = F.avg_pool2d(values * known, SSIM_WINDOW, 1, SSIM_WINDOW // 2)
        return sums / shares

    shares = F.avg_pool2d(known, SSIM_WINDOW, 1, SSIM_WINDOW // 2).clamp(min=SSIM_WINDOW**-3)
    mean_depth, mean_truth = mean(depth), mean(truth)
    spread = mean(depth**2) - mean_depth**2 + mean(truth**2) - mean_truth**2
    shared = mean(depth * truth) - mean_depth * mean_truth
    c1, c2 = (0.01 * SSIM_RANGE) ** 2, (0.03 * SSIM_RANGE) ** 2
    brightness = (2 * mean_depth * mean_truth + c1) / (mean_depth**2 + mean_truth**2 + c1)
    return brightness * (2 * shared + c2) / (spread + c2)


def disparity(prediction: Prediction, answer: Tensor) -> Tensor:
    """Difference of two disparities, each freed of scale and shift; for a teacher's answer.

    Mean ``|n(1 / depth) - n(answer)|`` over the pixels of each image, then over the images, with
    ``n(x) = (x - median) / mean |x - median|`` (Ranftl et al., "Towards robust monocular depth
    estimation", TPAMI 2020, section 5: the scale- and shift-invariant mean absolute error).

    Args:
        prediction: its depth is upsampled.
        answer: (B, 1, H, W) float, larger is nearer, of any scale and shift.
    """
    inverse = 1 / _full_size(prediction, answer).clamp(min=VALID_DEPTH)
    return (_unscaled(inverse) - _unscaled(answer)).abs().mean()


def _unscaled(values: Tensor) -> Tensor:
    """Values (B, 1, H, W) of each image less their median, by their mean distance from it."""
    flat = values.flatten(1)
    centred = flat - flat.median(dim=1, keepdim=True).values
    spread = centred.abs().mean(dim=1, keepdim=True)
    return centred / spread.clamp(min=torch.finfo(spread.dtype).tiny)


def _with_gradient(loss: Loss) -> Loss:
    """The loss plus gradient matching of the upsampled depth."""

    def combined(prediction: Prediction, truth: Tensor) -> Tensor:
        depth = _full_size(prediction, truth)
        upsampled = prediction._replace(depth=depth)  # which the loss leaves as it is
        return loss(upsampled, truth) + GRADIENT_WEIGHT * gradient(depth, truth)

    return combined


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "adabins": adabins,
        "adabins-gradient": _with_gradient(adabins),
        "silog": regression,
        "silog-gradient": _with_gradient(regression),
        "l1": l1,
        "berhu": berhu,
        "eigen": eigen,
        "eigen-coarse": eigen_coarse,
        "ssim-l1-edges": ssim_l1_edges,
    }
)
"""Losses by the name that a recipe's ``loss`` field gives."""
