from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_furniture import BOX, MATERIALS

from fastdepth.data.furnished.wavefront import Look, parse_materials, parse_model


def box():
    return parse_model(BOX, "tiny/box", {"tiny/box/box.mtl": MATERIALS}.get)


def test_a_box_is_twelve_triangles_of_two_materials():
    soup = box()
    assert soup.corners.shape == (12, 3, 3)
    assert soup.corners.dtype == np.float32
    assert soup.look.tolist() == [0] * 8 + [1] * 4
    assert soup.looks[0] == Look((0.5, 0.25, 0.1), gloss=50)
    assert soup.looks[1].texture == "tiny/box/print.png"


def test_negative_indices_count_from_the_end():
    soup = box()
    last = soup.corners[10:]
    assert (last[..., 0] == 0).all()  # the side at x = 0
    assert soup.uv[10].tolist() == [[0, 0], [1, 0], [1, 1]]


def test_corners_without_texture_have_none():
    assert (box().uv[:8] == 0).all()


@given(st.integers(3, 30))
def test_a_polygon_keeps_its_area(corners):
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    points = [f"v {np.cos(a)} {np.sin(a)} 0" for a in angles]
    face = "f " + " ".join(str(index + 1) for index in range(corners))
    soup = parse_model("\n".join([*points, face]), "", lambda name: "")
    assert len(soup.corners) == corners - 2
    edges = soup.corners[:, 1:] - soup.corners[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2
    assert area == pytest.approx(corners / 2 * np.sin(2 * np.pi / corners), rel=1e-5)


@pytest.mark.parametrize("line", ["Kd red 0 0", "Kd 0.1", "Ns", "d", "map_Kd", "d x"])
def test_what_cannot_be_read_of_a_material_keeps_its_default(line):
    assert parse_materials(f"newmtl a\n{line}\n") == {"a": Look()}


def test_colours_stay_in_range():
    assert parse_materials("newmtl a\nKd 2 -1 0.5\n")["a"].colour == (1, 0, 0.5)


def test_textures_are_found_beside_the_file():
    look = parse_materials("newmtl a\nmap_Kd ..\\maps\\wood.jpg\n", "lib/desk")["a"]
    assert look.texture == "lib/maps/wood.jpg"


@pytest.mark.parametrize("text", ["", "v 0 0 0\n", "f a b c\n", "v 0 0 0\nf 1 2 3\n", "v x y z\n"])
def test_no_model_is_an_error_that_the_caller_knows(text):
    with pytest.raises((ValueError, IndexError)):
        parse_model(text, "", lambda name: "")
