"""Files of distance points: tables and maps, and what is said of those that are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastdepth.anchors.files import find_points, read_points
from fastdepth.errors import DataError
from fastdepth.size import Size

SIZE = Size(96, 128)


def read(tmp_path, text):
    path = tmp_path / "points.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_points(path, SIZE)


@pytest.mark.parametrize(
    "text",
    [
        "10,20,1.5\n30,40,2.5",
        "row,column,metres\r\n10,20,1.5\r\n\r\n30,40,2.5\r\n",
        "\ufeff10; 20; 1.5\n30;40;2.5\n",
        "# by hand\n10\t20\t1.5\n30\t40\t2.5",
    ],
)
def test_tables(tmp_path, text):
    points = read(tmp_path, text)
    assert points.rows.tolist() == [10, 30]
    assert points.depth.tolist() == [1.5, 2.5]


def test_standard_deviations(tmp_path):
    points = read(tmp_path, "row,col,m,std\n10,20,1.5,0.1\n10,21,1.5,nan")
    assert points.std[0] == 0.1
    assert np.isnan(points.std[1])


@pytest.mark.parametrize("text", ["", "\n\n", "row,column,metres\n"])
def test_an_empty_table_is_no_points(tmp_path, text):
    assert len(read(tmp_path, text)) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y,depth\n1,2,3", "columns first"),
        ("col,row,m\n1,2,3", "columns first"),
        ("1,2,3\n1,2", "no table of numbers"),
        ("1,2\n3,4", "shape"),
        ("row,column,m\nrow,column,m", "no table of numbers"),
        ("garbage", "no table of numbers"),
        ("one,2,3\n1,2,3", "no table of numbers"),
        ("100,2,3", "outside the image of 128x96"),
        ("1,2,-3", "no depth"),
        (bytes(range(256)), "no table|shape"),
    ],
)
def test_what_is_no_table(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "points.csv" in str(caught.value)


def test_a_map_in_millimetres(tmp_path):
    sparse = np.zeros((12, 16), np.uint16)
    sparse[3, 4] = 1500
    cv2.imwrite(str(tmp_path / "sparse.png"), sparse)
    points = read_points(tmp_path / "sparse.png", SIZE)
    assert points.depth.tolist() == [1.5]
    assert (points.rows[0], points.columns[0]) == (27.5, 35.5)


def test_no_map_in_millimetres(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.zeros((12, 16), np.uint8))
    with pytest.raises(DataError, match="16 bits"):
        read_points(tmp_path / "grey.png", SIZE)


def test_a_folder_has_a_file_for_each_image(tmp_path):
    for name in ("a.csv", "b.png", "c.png.csv"):
        (tmp_path / name).touch()
    assert find_points(tmp_path, "a").name == "a.csv"
    assert find_points(tmp_path, "a.png").name == "a.csv"
    assert find_points(tmp_path, "b").name == "b.png"
    assert find_points(tmp_path, "c.png").name == "c.png.csv"
    assert find_points(tmp_path / "a.csv", "anything").name == "a.csv"
    with pytest.raises(DataError, match="no points in"):
        find_points(tmp_path, "d")


def test_missing(tmp_path):
    with pytest.raises(DataError):
        read_points(tmp_path / "none.csv", SIZE)
