from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth_export.compress.winograd import transforms


@given(st.integers(1, 5), st.integers(2, 5), st.integers(0, 1000))
def test_it_is_the_correlation(outputs, taps, seed):
    if outputs + taps - 1 > 8:
        return
    result, weight, data = transforms(outputs, taps)
    generator = np.random.default_rng(seed)
    weights, values = generator.normal(size=taps), generator.normal(size=outputs + taps - 1)
    direct = [values[at : at + taps] @ weights for at in range(outputs)]
    np.testing.assert_allclose(result @ ((weight @ weights) * (data @ values)), direct, atol=1e-12)


def test_it_takes_fewer_products():
    result, weights, data = transforms(4, 5)
    assert result.shape == (4, 8)
    assert weights.shape == (8, 5)
    assert data.shape == (8, 8)


def test_more_points_than_are_good_are_refused():
    with pytest.raises(ValueError, match="at most 8"):
        transforms(5, 5)
