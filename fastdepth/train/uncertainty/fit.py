"""Fit a head to pixels, by the likelihood of a Laplace distribution of ln depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.console import progress
from fastdepth.models.uncertainty import Cues, UncertaintyHead
from fastdepth.train.uncertainty.pixels import Pixels

STEPS = 600
BATCH = 16  # images of a step
RATE, DECAY, DROPOUT = 3e-3, 0.05, 0.3


def fit_head(pixels: Pixels, seed: int = 0, steps: int = STEPS) -> UncertaintyHead:
    """A head that tells small errors from large ones; its scale is that of these pixels.

    Args:
        pixels: of one network.
        seed: decides initial weights and which images a step sees.
        steps: of AdamW.

    Returns:
        In evaluation mode.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _fit(pixels.head(), pixels, steps).eval()


def _fit(head: UncertaintyHead, pixels: Pixels, steps: int) -> UncertaintyHead:
    means, deviations = _moments(pixels.cues)
    normalised = [
        (cue - mean) / deviation
        for cue, mean, deviation in zip(pixels.cues, means, deviations, strict=True)
    ]
    pixels = pixels._replace(cues=Cues(*normalised))
    optimiser = torch.optim.AdamW(head.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, steps)
    with progress("fitting", steps) as advance:
        for _ in range(steps):
            part = pixels.at(torch.randint(len(pixels.scenes), (BATCH,)))
            cues = Cues(*(F.dropout(cue, DROPOUT) for cue in part.cues))
            loss = laplace_loss(head.unbounded(cues)[:, 0, :, 0], part.error)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            advance()
    _fold(head, means, deviations)
    return head


def laplace_loss(logs: Tensor, error: Tensor) -> Tensor:
    """Mean negative log-likelihood, less ln 2, of errors whose mean size has these logarithms."""
    return (logs + error.abs() * torch.exp(-logs)).mean()


def _moments(cues: Cues) -> tuple[list[Tensor], list[Tensor]]:
    """Mean and standard deviation of each channel, shaped as the cues with one pixel."""
    others = [[axis for axis in range(cue.ndim) if axis != 1] for cue in cues]
    pairs = list(zip(cues, others, strict=True))
    means = [cue.mean(axes, keepdim=True) for cue, axes in pairs]
    return means, [cue.std(axes, keepdim=True).clamp(min=1e-3) for cue, axes in pairs]


@torch.no_grad()
def _fold(head: UncertaintyHead, means: list[Tensor], deviations: list[Tensor]) -> None:
    """Let a head of normalised cues read them as they are."""
    first = head.image[0]
    assert isinstance(first, nn.Linear)
    bias = head.depth.bias
    assert bias is not None
    folded = (head.features.weight, bias), (head.depth.weight, bias), (first.weight, first.bias)
    for (weight, shift), mean, deviation in zip(folded, means, deviations, strict=True):
        weight /= deviation.reshape(1, -1, *(1,) * (weight.ndim - 2))
        shift -= weight.flatten(1) @ mean.flatten()
