"""How certain a figure is: bootstrap intervals.

Of medians and their ratios over process restarts: a process that is started anew gets other memory,
other cores and other heat, and its median moves by more than its own times tell. So restarts are
drawn first, with replacement, and then times within each that was drawn (Efron, Tibshirani, "An
Introduction to the Bootstrap", 1993; Davison, Hinkley, "Bootstrap Methods and their Application",
1997, section 3.8). With one restart only times are drawn. Of means over images: see
:func:`mean_interval`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
"""Bootstrap samples."""

CONFIDENCE = 95
"""Of an interval [%]."""

Times = Sequence[Sequence[float]]
"""Times of each restart [s]."""


@dataclass(frozen=True)
class Interval:
    """A figure and the interval in which it lies with ``CONFIDENCE``."""

    value: float
    low: float
    high: float

    def inverse(self, factor: float = 1.0) -> Interval:
        """``factor`` by the figure: frames/s of a latency."""
        return Interval(factor / self.value, factor / self.high, factor / self.low)


def median_interval(restarts: Times, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Median of all times.

    Args:
        restarts: times of each restart, all in one unit, which is that of the answer.
        draws: bootstrap samples.
        seed: of the generator; equal times give equal intervals.
    """
    groups = [np.asarray([times], np.float64) for times in restarts]
    return _interval(groups, lambda drawn: np.median(drawn[0]), draws, seed)


def ratio_interval(slow: Times, fast: Times, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Median of ``slow`` by median of ``fast``: how many times faster ``fast`` is.

    The two were timed in turns, and both times of a round are drawn together, so that what slowed
    a whole round or a whole restart cancels.

    Args:
        slow: times of each restart, one a round [s].
        fast: times in the same rounds [s].
        draws: bootstrap samples.
        seed: of the generator.
    """
    groups = [np.asarray(pair, np.float64) for pair in zip(slow, fast, strict=True)]
    return _interval(groups, lambda drawn: np.median(drawn[0]) / np.median(drawn[1]), draws, seed)


def mean_interval(scores: NDArray[np.float64], *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Mean of scores of the same images, each several times by chance.

    Images and times are drawn independently: an easy image is easy every time.

    Args:
        scores: (T, N) of N images, T times.
        draws: bootstrap samples.
        seed: of the generator; equal scores give equal intervals.
    """
    generator = np.random.default_rng(seed)
    times, images = (
        generator.multinomial(count, np.full(count, 1 / count), draws) / count
        for count in scores.shape
    )
    found = np.einsum("dt,tn,dn->d", times, scores, images, optimize=True)
    return _between(float(scores.mean()), found)


def _interval(
    groups: Sequence[NDArray[np.float64]],
    figure: Callable[[NDArray[np.float64]], np.floating],
    draws: int,
    seed: int,
) -> Interval:
    """A figure of all groups (K, N) joined, and its percentile interval."""
    generator = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        chosen = generator.integers(len(groups), size=len(groups))
        parts = [_drawn(groups[index], generator) for index in chosen]
        found[draw] = figure(np.concatenate(parts, axis=1))
    return _between(float(figure(np.concatenate(groups, axis=1))), found)


def _between(value: float, found: NDArray[np.float64]) -> Interval:
    """A figure with the percentile interval of what was found of bootstrap samples."""
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(found, (tail, 100 - tail)).tolist()
    return Interval(value, low, high)


def _drawn(group: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """As many columns of a group (K, N), drawn with replacement."""
    length = group.shape[1]
    return group[:, generator.integers(length, size=length)]
