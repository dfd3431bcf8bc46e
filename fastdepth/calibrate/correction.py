"""What calibration stores: how a network's answer becomes the metres of one camera and its room.

Both kinds are applied to every pixel after the network, at the network's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

LARGEST_SCALE = 5.0
"""A correction by more than this, or by less than its inverse, is a mistake in unit or place."""

STEEPEST = 2.0
"""Greatest slope in log depth; its inverse is the least."""

Array = NDArray[np.float32]

_Share = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=1, le=10**9)]
_Metres = Annotated[float, Meta(ge=1e-4, le=1e6)]


@dataclass(frozen=True)
class Evidence:
    """On what a correction was fitted, and what it gains on frames that it was not fitted on.

    Attributes:
        images: number of images.
        points: number of known distances in them.
        d1_before: d1 of held-out frames without the correction ...
        d1_after: ... and with it.
    """

    images: _Count
    points: _Count
    d1_before: _Share
    d1_after: _Share


@dataclass(frozen=True)
class Correction:
    """A straight line in log depth: ln d' = shift + slope * ln d, with depth d [m].

    Attributes:
        shift: natural logarithm of the factor at 1 m.
        slope: 1 where all depth is scaled alike.
        evidence: what it was fitted on; None where that is not known.
    """

    shift: Annotated[float, Meta(ge=-math.log(LARGEST_SCALE), le=math.log(LARGEST_SCALE))]
    slope: Annotated[float, Meta(ge=1 / STEEPEST, le=STEEPEST)] = 1.0
    evidence: Evidence | None = None

    def apply(self, depth: Array) -> Array:
        """Corrected depth [m] of depth [m], both float32 of one shape; what is negative becomes 0.

        0, NaN and infinity stay what they are.
        """
        scale = np.float32(math.exp(self.shift))
        positive: Array = np.maximum(depth, np.float32(0))
        return scale * (positive if self.slope == 1 else positive ** np.float32(self.slope))

    def apply_std(self, std: Array, depth: Array) -> Array:
        """Standard deviation [m] of corrected depth.

        Args:
            std: float32 [m], of depth before the correction.
            depth: float32 of the same shape [m], before the correction.
        """
        if self.slope == 1:
            return std * np.float32(math.exp(self.shift))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(depth > 0, self.apply(depth) / depth, 0)
        steep: Array = std * ratio * np.float32(self.slope)
        return steep


@dataclass(frozen=True)
class DisparityCorrection:
    """Depth of disparity: d = 1 / (scale * x + offset), within the distances that were seen.

    Attributes:
        scale: inverse metres per unit of the disparity x, which is larger where it is nearer.
        offset: inverse metres where the disparity is 0; 0 where the data bear no more than a scale.
        nearest: least depth [m] that is answered.
        farthest: greatest depth [m] that is answered, also where scale * x + offset is negative.
        evidence: what it was fitted on; None where that is not known.
    """

    scale: Annotated[float, Meta(gt=0, le=1e12)]
    offset: Annotated[float, Meta(ge=-1e4, le=1e4)]
    nearest: _Metres
    farthest: _Metres
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        if not self.nearest < self.farthest:
            raise ValueError(
                f"`nearest` {self.nearest:g} and `farthest` {self.farthest:g} disagree"
            )

    def apply(self, disparity: Array) -> Array:
        """Depth [m] of disparity, both float32 of one shape."""
        inverse = disparity.astype(np.float64) * self.scale + self.offset
        within = np.clip(inverse, 1 / self.farthest, 1 / self.nearest)
        depth: Array = (1 / within).astype(np.float32)
        return depth


Stored = Correction | DisparityCorrection
"""What a file may hold."""


def corrected(
    correction: Correction | None, outputs: Sequence[str], answers: list[Array]
) -> list[Array]:
    """A file's answers after its correction, if it has one.

    Args:
        correction: of the file's metadata.
        outputs: names of the answers; ``depth`` is among them where there is a correction.
        answers: float32 [m], ``depth`` and maybe ``std``, of one shape.
    """
    if correction is None:
        return answers
    depth = dict(zip(outputs, answers, strict=True))["depth"]
    return [
        correction.apply(depth) if name == "depth" else correction.apply_std(answer, depth)
        for name, answer in zip(outputs, answers, strict=True)
    ]
