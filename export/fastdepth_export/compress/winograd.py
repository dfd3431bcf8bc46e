"""Short correlations in fewer multiplications (Winograd 1980; Lavin and Gray 2016).

``outputs`` values of a correlation with ``taps`` weights take outputs + taps - 1 multiplications
instead of outputs * taps: transform data and weights, multiply value by value, transform back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)
"""Where the polynomials are evaluated, infinity besides: small powers, so little is rounded."""

Matrix = NDArray[np.float64]


def transforms(outputs: int, taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """Matrices A (outputs, n), G (n, taps) and D (n, n) with n = outputs + taps - 1.

    ``A @ ((G @ weights) * (D @ data))`` is ``[data[i : i + taps] @ weights for i in outputs]``:
    the transpose of a polynomial product by evaluation and interpolation (Toom 1963, Cook 1966).
    Rows of G and D that are multiplied with each other are scaled to alike magnitudes by powers of
    two.

    Raises:
        ValueError: more points than there are good ones, 8.
    """
    count = outputs + taps - 1
    if count > len(POINTS) + 1:
        raise ValueError(f"{count} points; at most {len(POINTS) + 1} keep single precision")
    result, weights = _evaluate(outputs, count).T, _evaluate(taps, count)
    data = np.linalg.inv(_evaluate(count, count)).T
    ratio = np.abs(weights).sum(axis=1) / np.abs(data).sum(axis=1)
    scale = 2.0 ** np.round(np.log2(ratio) / 2)[:, None]
    return result, weights / scale, data * scale


def _evaluate(coefficients: int, count: int) -> Matrix:
    """Values of a polynomial at the first ``count`` - 1 points, and its leading coefficient."""
    finite = np.vander(POINTS[: count - 1], coefficients, increasing=True)
    return np.vstack([finite, np.eye(coefficients)[-1]])
