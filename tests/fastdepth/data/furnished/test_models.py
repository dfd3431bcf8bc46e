from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_furniture import write_libraries

from fastdepth.data.furnished import models as module
from fastdepth.data.furnished.catalogue import read_catalogue
from fastdepth.data.furnished.models import Models, smooth_normals, to_linear, to_size
from fastdepth.errors import DataError


@pytest.fixture
def furniture(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    return write_libraries(tmp_path / "furniture")


def test_a_piece_stands_on_the_floor_in_its_size(furniture):
    for piece in read_catalogue(furniture):
        corners = np.concatenate([part.corners for part in Models(furniture).load(piece)])
        low, high = corners.min((0, 1)), corners.max((0, 1))
        assert (high - low).tolist() == pytest.approx(piece.size, rel=1e-5)
        assert low[1] == pytest.approx(0, abs=1e-6)
        assert (low + high)[[0, 2]].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_rotation_turns_before_the_size_is_made(furniture):
    sofa = read_catalogue(furniture)[0]
    turned = replace(sofa, rotation=(1, 0, 0, 0, 0, 1, 0, -1, 0))  # z up becomes y up
    corners = np.array([[[0, 0, 0], [2, 1, 0], [0, 1, 3]]], np.float32)
    upright = to_size(corners, turned)
    assert np.ptp(upright, axis=(0, 1)).tolist() == pytest.approx(sofa.size, rel=1e-5)
    assert upright[0, 2, 1] == pytest.approx(sofa.size[1])


def test_converted_once(furniture, monkeypatch):
    piece = read_catalogue(furniture)[0]
    first = Models(furniture).load(piece)
    monkeypatch.setattr(module, "parse_model", None)
    again = Models(furniture).load(piece)
    for one, other in zip(first, again, strict=True):
        assert one.look == other.look
        assert np.array_equal(one.corners, other.corners)
        assert np.array_equal(one.uv, other.uv)


def test_textures_are_linear_light(furniture):
    models = Models(furniture)
    red = models.texture("Scopia", "tiny/box/print.png")
    assert red.shape == (4, 4, 3)
    assert red[0, 0].tolist() == [1, 0, 0]
    assert models.texture("Scopia", "tiny/box/none.png") is None


def test_a_model_that_cannot_be_read_is_named(furniture):
    piece = replace(read_catalogue(furniture)[0], model="tiny/box/box.mtl")
    with pytest.raises(DataError, match=r"tiny/box/box\.mtl: a model without faces"):
        Models(furniture).load(piece)


def test_edges_of_a_box_are_sharp(furniture):
    parts = Models(furniture).load(read_catalogue(furniture)[0])
    normals = np.concatenate([part.normals for part in parts])
    assert np.allclose(np.abs(normals).max(-1), 1, atol=1e-5)
    assert np.allclose(normals[:, 0], normals[:, 1])


def test_a_sphere_is_smooth():
    theta, phi = np.meshgrid(np.linspace(0.2, np.pi - 0.2, 20), np.linspace(0, 2 * np.pi, 40))
    points = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1)
    a, b, c = points[:-1, :-1], points[1:, :-1], points[1:, 1:]
    corners = np.stack([a, b, c], 2).reshape(-1, 3, 3).astype(np.float32)
    normals = smooth_normals(corners)
    inside = np.abs(corners[..., 1]) < 0.8
    along = np.abs((normals * corners).sum(-1))
    assert along[inside].min() > 0.98


@given(st.floats(0, 1, width=32))
def test_linear_light_is_that_of_srgb(value):
    linear = float(to_linear(np.array([value], np.float32))[0])
    back = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    assert back == pytest.approx(value, abs=1e-4)
