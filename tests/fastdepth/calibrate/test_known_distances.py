from __future__ import annotations

from pathlib import Path

import pytest

from fastdepth.calibrate.known_distances import Place, parse_known_distances, read_known_distances
from fastdepth.errors import DataError, UsageError


def written(folder: Path, text: str) -> Path:
    path = folder / "points.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "header", ["", "image,row,column,metres\n", "Image, Row, Column, Metres\n"]
)
@pytest.mark.parametrize("mark", ["", "\N{ZERO WIDTH NO-BREAK SPACE}"])
def test_lines_are_points_of_images_beside_the_file(tmp_path, header, mark):
    text = f"{mark}{header}a.jpg,0,1,2.5\n\nsub/b.jpg, 3 , 4 , 0.5\na.jpg,5,6,7\n"
    assert read_known_distances(written(tmp_path, text)) == {
        tmp_path / "a.jpg": [Place(0, 1, 2.5), Place(5, 6, 7.0)],
        tmp_path / "sub/b.jpg": [Place(3, 4, 0.5)],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no points"),
        ("image,row,column,metres\n", "has no points"),
        ("a.jpg,1,2\n", "line 1 has 3 cells, not image,row,column,metres"),
        ("a.jpg,1,2,3\na.jpg,1,2,3,4\n", "line 2 has 5 cells"),
        ("a.jpg;1;2;3\n", "line 1 has 1 cells"),
        ("a.jpg,1.5,2,3\n", "line 1: '1.5,2,3' is not ROW,COLUMN,METRES"),
        ("a.jpg,x,2,3\n", "not ROW,COLUMN,METRES"),
        ("a.jpg,1,2,far\n", "not ROW,COLUMN,METRES"),
        ("a.jpg,-1,2,3\n", "must be 0 or more"),
        ("a.jpg,1,2,0\n", "must be above 0"),
        ("a.jpg,1,2,-3\n", "must be above 0"),
        ("a.jpg,1,2,nan\n", "must be above 0"),
        ("a.jpg,1,2,inf\n", "must be above 0 and at most 1000; use metres"),
        ("a.jpg,1,2,2500\n", "use metres"),
        (",1,2,3\n", "names no image"),
        ('"a.jpg,1,2,3\n', "is not CSV"),
        ("a.jpg,1,2,3\x00\n", "control character"),
        ("../a.jpg,1,2,3\n", "outside of .* --follow-outside"),
        ("/etc/a.jpg,1,2,3\n", "outside of"),
        ("a.jpg,1,2,3\na.jpg,1,2,4\n", "row 1, column 2 is 3 m and 4 m.* contradict each other"),
        (f"a.jpg,{'9' * 5000},2,3\n", "not ROW,COLUMN,METRES"),
    ],
)
def test_what_is_wrong_is_told_in_a_short_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said) as caught:
        read_known_distances(written(tmp_path, text))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_nearly_the_same_distance_may_be_said_twice(tmp_path):
    assert read_known_distances(written(tmp_path, "a.jpg,1,2,3\na.jpg,1,2,3.1\n"))


def test_images_outside_are_read_where_that_is_asked_for(tmp_path):
    found = read_known_distances(written(tmp_path, "../a.jpg,1,2,3\n"), follow_outside=True)
    assert [*found] == [tmp_path / "../a.jpg"]


def test_known_distances_are_parsed():
    assert parse_known_distances(["120,300,2.5", " 4, 5 ,1"]) == [(120, 300, 2.5), (4, 5, 1.0)]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["1,2"], "'1,2' is not ROW,COL"),
        (["1,2,3,4"], "not ROW"),
        (["1;2;3"], "not ROW"),
        (["a,2,3"], "not ROW"),
        (["1,2,0"], "above 0"),
        (["1,2,3", "1,2,6"], "contradict each other"),
    ],
)
def test_known_distances_that_are_none_are_refused(texts, said):
    with pytest.raises(UsageError, match=said):
        parse_known_distances(texts)


def test_a_pixel_counts_once_however_its_image_is_called(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("a.png,1,2,3\n./a.png,1,2,3.1\nsub/../a.png,4,2,3\na.png,1,2,3\n")
    assert read_known_distances(path) == {tmp_path / "a.png": [Place(1, 2, 3), Place(4, 2, 3)]}
    path.write_text("a.png,1,2,3\n./a.png,1,2,5\n")
    with pytest.raises(DataError, match="contradict each other"):
        read_known_distances(path)
