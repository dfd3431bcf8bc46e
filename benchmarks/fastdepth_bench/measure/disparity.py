"""Depth in metres of models that answer with disparity alone, by the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastdepth.preprocess import resize
from fastdepth.size import Size


def align_disparity(
    disparity: NDArray[np.floating],
    truth: NDArray[np.floating],
    valid: NDArray[np.bool_],
    farthest: float = 10.0,
) -> NDArray[np.float32]:
    """Depth of a disparity that is right but for an unknown scale and shift.

    Both are fitted to the truth by least squares in inverse depth, over one image, after Ranftl
    et al., "Towards robust monocular depth estimation", TPAMI 2020. Such depth has seen the truth:
    its scores do not compare with those of metres.

    Args:
        disparity: (h, w) float, of any unit; larger is nearer.
        truth: (H, W) float [m].
        valid: (H, W) bool, the pixels of the truth that count, all of them above zero; see
            :meth:`fastdepth.metrics.Protocol.valid`.
        farthest: greatest depth [m], where the fitted inverse depth is as small or negative.

    Returns:
        (H, W) float32 [m]; NaN where the disparity is, and everywhere where no pixel counts.
    """
    size = Size(*truth.shape)
    given = resize(np.asarray(disparity, np.float64), size)
    counted = valid & np.isfinite(given)
    if not counted.any():
        return np.full(size, np.nan, np.float32)
    inverse = 1 / truth[counted].astype(np.float64)
    centred = given[counted] - given[counted].mean()
    spread = float(np.mean(centred**2))
    scale = float(np.mean(centred * (inverse - inverse.mean()))) / spread if spread else 0.0
    fitted = scale * (given - given[counted].mean()) + inverse.mean()
    depth: NDArray[np.float32] = (1 / np.maximum(fitted, 1 / farthest)).astype(np.float32)
    return depth
