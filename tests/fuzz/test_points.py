from __future__ import annotations

import cv2
import numpy as np
import pytest
from hostile import HOSTILE_TEXT, Family, damaged
from hypothesis import strategies as st

from fastdepth.anchors.field import anchored
from fastdepth.anchors.files import read_points
from fastdepth.size import Size

SIZE = Size(24, 32)
DEPTH = np.linspace(1, 4, 24 * 32, dtype=np.float32).reshape(SIZE)
SPARSE = cv2.imencode(".png", np.full((4, 6), 2000, np.uint16))[1].tobytes()
TABLE = b"row,column,metres,std\n1,2,1.5,0.1\n20.5,30,3,nan\n"
NUMBERS = st.one_of(
    st.floats(0, 24),
    st.floats(),
    st.sampled_from(("1e308", "1e-308", "5e-324", "-0", "nan", "inf", "", " ", "1_0", "0x1")),
)
CELLS = st.one_of(NUMBERS.map(str), HOSTILE_TEXT)


@st.composite
def tables(draw):
    """Lines of good and hostile numbers, with all separators."""
    width = draw(st.integers(3, 4))
    lines = draw(st.lists(st.lists(NUMBERS.map(str), min_size=width, max_size=width), max_size=9))
    lines += draw(st.lists(st.lists(CELLS, max_size=5), max_size=1))
    separator = draw(st.sampled_from((",", ";", "\t", ", ")))
    text = draw(st.sampled_from(("\n", "\r\n", "\r"))).join(map(separator.join, lines))
    return text.encode(draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16"))), "replace")


def read(data, folder):
    path = folder / ("points.png" if data.startswith(SPARSE[:4]) else "points.csv")
    path.write_bytes(data)
    answer = anchored(DEPTH, read_points(path, SIZE))
    assert answer.shape == SIZE
    assert np.isfinite(answer).all() and (answer > 0).all()


@pytest.mark.thorough
def test_points(try_to_break):
    inputs = st.one_of(damaged([TABLE, SPARSE]), tables(), st.binary(max_size=200))
    try_to_break(Family("points", inputs, read))
