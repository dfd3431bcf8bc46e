"""Which validation was the best, and how long ago."""

from __future__ import annotations

import math
from collections.abc import Mapping

HIGHER_IS_BETTER = ("d1", "d2", "d3")
"""Of all that is measured; of the others less is better."""


class Improvement:
    """Follows one figure of the validations.

    Attributes:
        monitor: ``loss`` or a metric's name.
        patience: validations without a better one until it is time to stop; None for never.
        best: the best value so far, infinitely bad before the first.
        stale: validations since then.
    """

    def __init__(self, monitor: str, patience: int | None) -> None:
        self.monitor, self.patience, self.stale = monitor, patience, 0
        self.best = -math.inf if monitor in HIGHER_IS_BETTER else math.inf

    def update(self, scores: Mapping[str, float]) -> bool:
        """Count a validation in; whether it is the best so far."""
        value = scores[self.monitor]
        higher = self.monitor in HIGHER_IS_BETTER
        better = value > self.best if higher else value < self.best
        self.best, self.stale = (value, 0) if better else (self.best, self.stale + 1)
        return better

    @property
    def exhausted(self) -> bool:
        """Whether patience is at its end."""
        return self.patience is not None and self.stale >= self.patience
