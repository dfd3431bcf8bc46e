from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from an_interval import FACTORS
from hypothesis import given
from hypothesis import strategies as st
from tiny_onnx import METADATA, write_model

from fastdepth.errors import UsageError
from fastdepth.runtime.model import load
from fastdepth.runtime.uncertainty import interval_around


@pytest.fixture
def model(tmp_path):
    """Std is a tenth of the depth."""
    metadata = replace(METADATA, interval=FACTORS)
    return load(write_model(tmp_path / "std.onnx", std=True, metadata=metadata), threads=1)


def test_an_interval_is_symmetric_in_log_depth_and_follows_the_focal_length(model, photo):
    for focal in (None, 300.0):
        depth = model(photo, focal=focal)
        lower, upper = model.interval(photo, 0.9, focal=focal)
        np.testing.assert_allclose(lower, depth * np.exp(-0.17), rtol=1e-5)
        np.testing.assert_allclose(upper, depth * np.exp(0.17), rtol=1e-5)
        assert lower.dtype == upper.dtype == np.float32


@pytest.mark.parametrize("coverage", [0.0, 0.49, 0.96, 1.0, -1.0, float("nan")])
def test_no_interval_beyond_what_was_calibrated(model, photo, coverage):
    with pytest.raises(UsageError, match=r"coverage .* cannot be; give 0\.5 to 0\.95"):
        model.interval(photo, coverage)


def test_files_without_say_so(tiny_model, photo, tmp_path):
    with pytest.raises(UsageError, match=r"depth alone; export it with --outputs depth,std"):
        tiny_model.interval(photo)
    old = load(write_model(tmp_path / "old.onnx", std=True), threads=1)
    with pytest.raises(UsageError, match="not calibrated; export it again"):
        old.interval(photo)


@given(st.floats(0, 100, width=32), st.floats(0, 100, width=32), st.floats(0.01, 1000))
def test_ends_lie_on_both_sides_and_are_finite(depth, std, factor):
    lower, upper = interval_around(np.float32([depth]), np.float32([std]), factor)
    assert 0 <= lower[0] <= np.float32(depth) <= upper[0] < np.inf


def test_a_known_distance_narrows_the_interval_where_it_is(model, photo):
    depth = model(photo)
    points = np.array([[48, 64, depth[48, 64]]])
    lower, upper = model.interval(photo, points=points)
    free_lower, free_upper = model.interval(photo)
    narrowed = (upper / lower)[48, 64] / (free_upper / free_lower)[48, 64]
    assert narrowed < 0.95
    assert lower[48, 64] < depth[48, 64] < upper[48, 64]
