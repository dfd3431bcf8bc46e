"""Lists of pairs: named or found, relative or absolute, and none that is meant is passed over."""

from __future__ import annotations

import os

import pytest
from pairs_on_disk import check_answer, lay_out

from fastdepth.data import sample_list_hash
from fastdepth.data.nyu.dataset import open_nyu
from fastdepth.data.splits import is_validation_scene
from fastdepth.errors import DataError

LINE = "test/a.jpg test/a.png 518.8579\n"


@pytest.fixture
def base(tmp_path):
    return lay_out(tmp_path)


@pytest.fixture(params=["named", "found"])
def opened(base, request):
    """Opens a list of some bytes, by its own name or by its folder's."""

    def open_list(content, **options):
        path = base / "nyu_test.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_nyu(path if request.param == "named" else base, "test", **options)

    return open_list


@pytest.mark.parametrize(
    "content",
    [
        LINE.encode("utf-8-sig"),
        LINE.replace("\n", "\r\n"),
        LINE.replace(" ", "\t"),
        "\n" + LINE.replace("518.8579", "  519  "),
        "/test/a.jpg /test/a.png\n/test/nothing.jpg None 519",
    ],
)
def test_lists_as_they_are_written(opened, base, content):
    source = opened(content)
    assert source.names == ["test/a"]
    check_answer(source, base)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LINE.encode("utf-16"), "line 1 is UTF-16; save the file as UTF-8"),
        (LINE.encode("utf-16-le"), "line 1 has the control character"),
        ((LINE + LINE.replace("a.png", "é.png")).encode("latin-1"), "line 2 is not UTF-8"),
        ("# image depth focal\n" + LINE, "line 1 is not 'IMAGE DEPTH FOCAL'"),
        (LINE.replace("test/a", "test/b c"), "line 1 is not 'IMAGE DEPTH FOCAL'.*with spaces"),
        (LINE.replace(" ", ","), "line 1 is not 'IMAGE DEPTH FOCAL'"),
        (LINE.replace(" ", ";"), "line 1 is not 'IMAGE DEPTH FOCAL'"),
        (LINE + LINE.replace("\n", " 1 2\n"), "line 2 is not 'IMAGE DEPTH FOCAL'"),
        (LINE.replace("518.8579", "nan"), "line 1 has the focal length nan px"),
        (LINE.replace("518.8579", "inf"), "line 1 has the focal length inf px"),
        (LINE.replace("518.8579", "0"), "line 1 has the focal length 0 px"),
        (LINE.replace("518.8579", "x" * 5000), r"line 1: 'x+\.\.\.' is no focal length"),
        (LINE.replace("a.jpg", "a\0.jpg"), r"line 1 has the control character '\\x00'"),
        (LINE + "x" * 5000 + ".jpg a.png", r"names 2 missing files of 4, first 'x+\.\.\.' in"),
        (LINE.replace("test/a.png", "None"), "holds no test pairs"),
        (LINE + 2**20 * "\n", "has more than 1048576 lines"),
        (".jpg" + " " * 2**24, "(line 1 is not 'IMAGE|holds no test pairs)"),  # at once
    ],
)
def test_what_is_wrong_is_told_with_its_line(opened, content, message):
    with pytest.raises(DataError, match=rf"(nyu_test\.txt|data) ?{message}") as raised:
        opened(content)
    assert len(str(raised.value)) < 600 and "\n" not in str(raised.value)


def test_another_kind_of_text_is_passed_over(base):
    (base / "test_notes.txt").write_bytes("für später".encode("latin-1"))
    (base / "test.txt").mkdir()
    (base / "test/rgb_1.jpg").write_bytes((base / "test/a.jpg").read_bytes())
    (base / "test/sync_depth_1.png").write_bytes((base / "test/a.png").read_bytes())
    assert open_nyu(base, "test").names == ["rgb_1"]
    with pytest.raises(DataError, match=r"test_notes\.txt line 1 is not UTF-8"):
        open_nyu(base / "test_notes.txt", "test")


def test_a_list_that_is_a_pipe_is_not_waited_for(base):
    os.mkfifo(base / "nyu_test.txt")
    for path in (base, base / "nyu_test.txt"):
        with pytest.raises(DataError, match=r"nyu_test\.txt is a named pipe"):
            open_nyu(path, "test")


def test_parts_that_lead_out_are_asked_for(opened, base):
    content = LINE + "../secret.jpg test/../../secret.png\n"
    with pytest.raises(DataError, match=r"'\.\./secret\.jpg', which is outside of"):
        opened(content)
    assert len(opened(content, follow_outside=True)) == 2


def test_whoever_names_a_list_means_its_absolute_paths(base):
    outside = base.parent
    path = base / "nyu_test.txt"
    path.write_text(f"{outside}/secret.jpg {outside}/secret.png 518.8579\n" + LINE)
    assert open_nyu(path, "test").scenes == [outside.name, "test"]
    with pytest.raises(DataError, match=r"secret\.jpg', which is outside of .*--follow-outside"):
        open_nyu(base, "test")
    assert len(open_nyu(base, "test", follow_outside=True)) == 2


@pytest.mark.parametrize("split", ["test", "train"])
def test_names_of_any_bytes_on_the_disk(base, split):
    """A folder in Latin-1, as Linux allows."""
    folder = base / split / os.fsdecode(b"k\xfcche")
    folder.mkdir(parents=True)
    (folder / "rgb_1.jpg").hardlink_to(base / "test/a.jpg")
    (folder / "sync_depth_1.png").hardlink_to(base / "test/a.png")
    source = open_nyu(base, "all-train" if split == "train" else split)
    assert source[0].depth.max() == 3 and len(sample_list_hash(source)) == 12
    assert is_validation_scene(source.scenes[0]) in (True, False)
