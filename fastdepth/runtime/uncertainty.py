"""How far the depth of an open file may be off: standard deviations, and intervals in ln depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.covariance import NEAREST
from fastdepth.anchors.field import anchored_with_std
from fastdepth.anchors.points import Points, as_points
from fastdepth.arguments import checked
from fastdepth.errors import UsageError
from fastdepth.metadata import IntervalFactors, ModelMetadata

Pair: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]

MOST = 20.0  # of the exponent: beyond it nothing is known


class _Model(Protocol):
    """What is asked of :class:`fastdepth.runtime.model.DepthModel`."""

    session: Any
    metadata: ModelMetadata

    def preprocess(self, image: NDArray[np.uint8], *, focal: float | None = None) -> Any: ...
    def postprocess(self, depth: NDArray[np.float32], prepared: Any) -> NDArray[np.float32]: ...
    def _run(
        self, outputs: Sequence[str], batch: NDArray[np.uint8]
    ) -> list[NDArray[np.float32]]: ...
    def depth_and_std(
        self,
        image: NDArray[np.uint8],
        *,
        focal: float | None = None,
        points: Points | None = None,
    ) -> Pair: ...


class AnswersWithStd:
    """What a model can tell beside depth, of a file by ``fastdepth-export --outputs depth,std``."""

    @checked
    def depth_and_std(
        self: _Model,
        image: NDArray[np.uint8],
        *,
        focal: float | None = None,
        points: Points | None = None,
    ) -> Pair:
        """Depth of one image, and the standard deviation of its error.

        Args:
            image: (H, W, 3) uint8 RGB, as for a call.
            focal: focal length [px in ``image``] of the camera; it scales both.
            points: distances that are known, as for a call; deviation is less where they are.

        Returns:
            Depth and standard deviation, both (H, W) float32 [m] and new arrays.

        Raises:
            ImageError: ``image`` is something else.
            UsageError: the file answers with depth alone, ``focal`` is not positive, or ``points``
                are none of this image.
            ModelFileError: the file fails at it, or answers with anything but depth.
        """
        _check_std(self)
        prepared = self.preprocess(image, focal=focal)
        known = None if points is None else as_points(points, prepared.size)
        answers = self._run(["depth", "std"], prepared.batch)
        depth, std = (self.postprocess(each, prepared) for each in answers)
        if known is None:
            return depth, std
        return anchored_with_std(depth, std, known, image, prior=self.metadata.anchor_prior)

    @checked
    def interval(
        self: _Model,
        image: NDArray[np.uint8],
        coverage: float = 0.9,
        *,
        focal: float | None = None,
        points: Points | None = None,
    ) -> Pair:
        """Between what depths the truth lies, for such a share of the pixels.

        The share was measured on scenes like those of the training data; images of another kind
        can lie outside far more often. With points it holds about as often: `docs/anchors.md`.

        Args:
            image: (H, W, 3) uint8 RGB, as for a call.
            coverage: share of the pixels, in files by fastdepth-export 0.5 to 0.95.
            focal: focal length [px in ``image``] of the camera; it scales both.
            points: distances that are known, as for a call; the interval is narrower near them.

        Returns:
            Lower and upper depth, both (H, W) float32 [m] and new arrays.

        Raises:
            ImageError: ``image`` is something else.
            UsageError: the file answers with depth alone or was not calibrated, the coverage lies
                beyond those that it was calibrated for, ``focal`` is not positive, or ``points``
                are none of this image.
            ModelFileError: the file fails at it, or answers with anything but depth.
        """
        factor = _factors_of(self).at(coverage)
        return interval_around(*self.depth_and_std(image, focal=focal, points=points), factor)


def interval_around(depth: NDArray[np.float32], std: NDArray[np.float32], factor: float) -> Pair:
    """Ends of an interval around depth, symmetric in ln depth.

    Args:
        depth: (H, W) float32 [m], 0 or more.
        std: (H, W) float32 [m], standard deviation of its error.
        factor: of a coverage, see :class:`fastdepth.metadata.IntervalFactors`.

    Returns:
        Lower and upper end, both (H, W) float32 [m] and new arrays.
    """
    share = std / np.maximum(depth, np.float32(NEAREST))
    ratio: NDArray[np.float32] = np.exp(np.minimum(np.float32(factor) * share, np.float32(MOST)))
    lower: NDArray[np.float32] = depth / ratio
    return lower, depth * ratio


def _check_std(model: _Model) -> None:
    """Raise UsageError unless the file answers with std as well."""
    if all(output.name != "std" for output in model.session.get_outputs()):
        raise UsageError(
            f"this file of {model.metadata.variant} answers with depth alone; "
            "export it with --outputs depth,std"
        )


def _factors_of(model: _Model) -> IntervalFactors:
    """The factors of a file's intervals.

    Raises:
        UsageError: the file answers with depth alone, or was not calibrated.
    """
    _check_std(model)
    if model.metadata.interval is None:
        raise UsageError(
            f"the std of this file of {model.metadata.variant} is not calibrated; "
            "export it again with --outputs depth,std"
        )
    return model.metadata.interval
