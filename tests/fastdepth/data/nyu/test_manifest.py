"""Manifests as other programs and hands write them: read, or refused with the line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pairs_on_disk import check_answer, lay_out

from fastdepth.camera import TRAINING_FOCAL_LENGTH, TRAINING_WIDTH
from fastdepth.data.nyu.dataset import open_nyu
from fastdepth.errors import DataError

HEADER = "image,depth,split,scene"
ROW = "test/a.jpg,test/a.png,test,hall"


@pytest.fixture
def base(tmp_path):
    return lay_out(tmp_path)


def opened(base, text, encoding="utf-8", **options):
    (base / "manifest.csv").write_bytes(text.encode(encoding))
    return open_nyu(base, "test", **options)


def lines(*rows, header=HEADER, end="\n"):
    return end.join([header, *rows]) + end


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_marks_ends_of_lines_and_spaces_in_names(base, encoding, end):
    text = lines(ROW, 'test/b c.jpg,"./test/../test/a.png",test,café', end=end)
    source = opened(base, text, encoding)
    assert source.scenes == ["hall", "café"]
    check_answer(source, base)


def test_columns_in_another_order(base):
    text = lines("hall,test,test/a.png,test/a.jpg", header="scene,split,depth,image")
    assert opened(base, text).names == ["test/a"]


def test_a_comment_above_the_columns_and_the_end_as_dos_wrote_it(base):
    above = '# made by hand,"x\n\n'
    assert opened(base, above + lines(ROW) + "\x1a").names == ["test/a"]
    with pytest.raises(DataError, match="line 4 has 1 of 4 cells"):
        opened(base, above + lines("test/a.jpg"))


def test_paths_of_windows(base):
    assert opened(base, lines(ROW.replace("/", "\\"))).names == ["test/a"]
    with pytest.raises(DataError, match="outside of"):
        opened(base, lines("..\\a.jpg,test/a.png,test,hall"))


def test_other_columns_are_ignored(base):
    text = lines(f"518.9,{ROW},", header=f"index,{HEADER},kind")
    assert opened(base, text).names == ["test/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines(ROW).replace(",", ";"), "line 1 is separated by ';'; separate by commas"),
        (lines(ROW).replace(",", "\t"), r"line 1 is separated by '\\t'"),
        (lines(ROW).replace(",", ", "), "line 1 has spaces about ' depth'; remove them"),
        (lines(ROW, header=HEADER + ",focal"), "line 2 has 4 of 5 cells"),
        (lines(ROW, header=HEADER + ",image"), "line 1 has the column 'image' twice"),
        (lines(header="image,depth"), "line 1 lacks columns: scene, split; add them"),
        ("", "line 1 lacks columns"),
        (lines(ROW, "test/a.jpg,test/a.png,test"), "line 3 has 3 of 4 cells"),
        (lines(ROW, "", ROW + ",x"), "line 4 has 5 cells for 4 columns"),
        (lines("# mine", ROW), "line 2 has 1 of 4 cells"),
        (lines(ROW, "test/a.jpg,,test,hall"), "line 3 has no depth; fill it in"),
        (lines(ROW, "test/a.jpg,test/a.png,test, "), "line 3 has no scene; fill it in"),
        (lines(ROW, "test/a.jpg,test/a.png,Test,x"), "line 3 has the split 'Test'; write train"),
        (lines(ROW, '"test/a.jpg'), "line 3 is not CSV: .*; correct it"),
        (lines(ROW, "a" * 200_000), "line 3 is not CSV: field larger"),
        (lines(ROW, "a\0.jpg,b,test,x"), r"line 3 has the control character '\\x00'"),
        (lines(ROW, "\x1b[31m,b,test,x"), r"line 3 has the control character '\\x1b'"),
        (lines("x" * 5000 + ",test/a.png,test,x"), r"missing files of 2, first 'x+\.\.\.' in"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(base, text, message):
    with pytest.raises(DataError, match=rf"manifest\.csv .*{message}") as raised:
        opened(base, text)
    assert len(str(raised.value)) < 600 and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", "line 1 is UTF-16; save the file as UTF-8"),
        ("latin-1", "line 3 is not UTF-8; save the file as UTF-8"),
        ("utf-16-le", "line 3 is not UTF-8"),
    ],
)
def test_other_encodings(base, encoding, message):
    with pytest.raises(DataError, match=message):
        opened(base, lines(ROW, ROW.replace("hall", "café")), encoding)


@pytest.mark.parametrize("name", ["../secret.jpg", "test/../../secret.jpg", "{base}/../secret.jpg"])
def test_what_leads_out_of_the_folder_is_asked_for(base, name):
    name = name.format(base=base)
    text = lines(f"{name},test/a.png,test,hall")
    with pytest.raises(DataError, match=r"secret\.jpg', which is outside of .*--follow-outside"):
        opened(base, text)
    assert len(opened(base, text, follow_outside=True)) == 1


def test_depth_of_another_folder_by_its_absolute_path(base):
    text = lines(f"test/a.jpg,{base.parent}/secret.png,test,hall")
    with pytest.raises(DataError, match="is outside of"):
        opened(base, text)
    assert opened(base, text, follow_outside=True)[0].depth.max() == 3


def test_absolute_paths_of_the_folder_itself(base):
    check_answer(opened(base, lines(f"{base}/test/a.jpg,/test/a.png,test,hall")), base)


def test_a_link_is_the_doing_of_whoever_made_it(base):
    (base / "linked").symlink_to(base.parent)
    assert opened(base, lines("linked/secret.jpg,linked/secret.png,test,hall"))[0].depth.max() == 3


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("none")])
def test_a_manifest_that_is_no_file_is_not_passed_over(base, make):
    make(base / "manifest.csv")
    with pytest.raises(DataError, match=r"manifest\.csv (is|does not exist)"):
        open_nyu(base, "test")


def test_a_manifest_too_large_to_be_one(base):
    with (base / "manifest.csv").open("wb") as stream:
        stream.truncate(2**27)  # holds nothing
    with pytest.raises(DataError, match="is larger than"):
        open_nyu(base, "test")


def test_very_many_columns_take_no_time(base):
    with pytest.raises(DataError, match="line 1 lacks columns"):
        opened(base, ",".join(map(str, range(100_000))))


@pytest.mark.parametrize("text", ["5e2", " 1038 "])
def test_depth_of_another_camera_is_what_the_training_camera_would_see_so(base, text):
    alone = opened(base, lines(ROW))[0]
    seen = opened(base, lines(f"{text},{ROW}", header=f"focal,{HEADER}"))[0]
    trained = TRAINING_FOCAL_LENGTH * alone.image.shape[1] / TRAINING_WIDTH
    np.testing.assert_allclose(seen.depth, alone.depth * trained / float(text), rtol=1e-6)


def test_an_empty_focal_length_is_the_training_camera(base):
    alone = opened(base, lines(ROW))[0]
    seen = opened(base, lines(f"{ROW}, ", header=f"{HEADER},focal"))[0]
    np.testing.assert_array_equal(seen.depth, alone.depth)


@pytest.mark.parametrize("text", ["0", "-3", "nan", "inf", "wide", "1e9"])
def test_a_focal_length_that_no_camera_has(base, text):
    with pytest.raises(DataError, match="line 2 has the focal length"):
        opened(base, lines(f"{ROW},{text}", header=f"{HEADER},focal"))


def test_rooms_that_fastdepth_draws_are_called_so(base):
    drawn = "test/a.jpg,test/a.png,test,furnished-000020"
    assert opened(base, lines(drawn)).depth_kind == "drawn, exact"
    assert (
        opened(base, lines(drawn, "test/b c.jpg,test/a.png,test,hall")).depth_kind == "in-painted"
    )
