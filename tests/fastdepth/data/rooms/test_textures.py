"""Surfaces are coloured at every point, within what a colour can be, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from fastdepth.data.rooms.textures import TEXTURES, Face, Material, surface_colour


@pytest.fixture
def face():
    """Points on a face of 2 m by 1 m."""
    u, v = np.random.default_rng(0).uniform((-1, -0.5), (1, 0.5), (500, 2)).astype(np.float32).T
    return Face(u, v, np.full(500, 1, np.float32), np.full(500, 0.5, np.float32))


@pytest.mark.parametrize("texture", TEXTURES)
def test_every_texture_colours_every_point(face, texture):
    material = Material(texture, (0.8, 0.4, 0.2), (0.1, 0.3, 0.6), shift=0.3)
    colour = surface_colour(material, face)
    assert colour.shape == (500, 3)
    assert np.isfinite(colour).all()
    assert colour.min() >= 0
    np.testing.assert_array_equal(colour, surface_colour(material, face))
