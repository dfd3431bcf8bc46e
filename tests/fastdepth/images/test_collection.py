"""Images come from files, folders, shards and lists: in order, by name, and none is kept."""

from __future__ import annotations

import gc
import io
import os
import pickle
import shutil
import tarfile
import tracemalloc
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastdepth.errors import ImageError, UsageError
from fastdepth.images.collection import open_images, unique_names

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
PNG = cv2.imencode(".png", PIXELS[..., ::-1])[1].tobytes()


def names(*paths: Path, leave_out: Path | None = None) -> list[str]:
    return [image.name for image in open_images(paths, leave_out=leave_out)]


def stems(path: Path) -> list[str]:
    return [image.stem for image in open_images(path)]


def put(folder: Path, *files: str, content: bytes = PNG) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    return folder


def tar(path: Path, *members: str, content: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as shard:
        for name in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
    return path


def test_a_folder_in_order_with_what_lies_below(tmp_path: Path) -> None:
    put(tmp_path, "b.png", "a.jpg", "B.JPG", "z/2.webp", "z/1.png", "c/d/e.tiff")
    put(tmp_path, "notes.txt", ".hidden.jpg", "a.jpg.part", ".git/x.png", "depth.npy")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = ["B.JPG", "a.jpg", "b.png", "c/d/e.tiff", "z/1.png", "z/2.webp"]
    assert names(tmp_path) == found
    assert [image.name for image in open_images(str(tmp_path))] == found


def test_every_source_gives_the_pixels(tmp_path: Path) -> None:
    put(tmp_path / "in", "a.png")
    tar(tmp_path / "in" / "b.tar", "one.png", "two/three.png")
    (tmp_path / "list.txt").write_text("in/a.png\nin/b.tar\n")
    for path in tmp_path / "in", tmp_path / "list.txt":
        images = list(open_images(path))
        assert len(images) == 3
        for image in images:
            sent = pickle.loads(pickle.dumps(image))
            np.testing.assert_array_equal(sent.read(), PIXELS)


def test_only_images_of_a_shard_named_below_it(tmp_path: Path) -> None:
    shard = tar(
        tmp_path / "x-000001.tar",
        *("000.jpg", "000.json", "000.cls", "dir/001.png", "dir/._001.png"),
        *("./002.jpg", "/003.jpg", "../../004.jpg"),
    )
    found = ["000.jpg", "dir/001.png", "002.jpg", "003.jpg", "004.jpg"]
    assert names(shard) == [f"x-000001.tar/{name}" for name in found]
    assert names(tmp_path) == names(shard)


def test_several_sources_are_kept_apart(tmp_path: Path) -> None:
    put(tmp_path / "a", "1.jpg", "2.jpg")
    put(tmp_path / "b", "1.jpg", "a.jpg")
    shards = [tar(tmp_path / folder / "s.tar", "1.jpg") for folder in ("c", "d")]
    found = names(tmp_path / "a", tmp_path / "b", *shards, tmp_path / "b" / "1.jpg")
    singles = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/a.jpg"]
    assert found == [*singles, "c_s.tar/1.jpg", "d_s.tar/1.jpg", "1.jpg"]


def test_stems_stay_unique(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "a.png", "a.png.jpg", "a.JPG", "b.c.jpg", "d/a.jpg")
    found = stems(tmp_path)
    assert found == ["a.JPG", "a", "a.png", "a.png.jpg", "b.c", "d/a"]
    assert stems(tmp_path / "a.png") == ["a"]


def test_a_list_is_relative_to_itself_and_names_what_it_leads_to(tmp_path: Path) -> None:
    put(tmp_path, "in/a.jpg", "in/d/b.jpg", "other/c.jpg", "in/outside/e.jpg")
    lines = ["a.jpg", "", "  ./d/../d/b.jpg ", "../other/c.jpg", str(tmp_path / "in" / "d")]
    path = tmp_path / "in" / "list.txt"
    path.write_bytes("\r\n".join([*lines, "outside/e.jpg"]).encode("utf-8-sig"))
    away = f"outside{tmp_path.as_posix()}"
    found = ["a.jpg", "d/b.jpg", f"{away}/other/c.jpg", "d/b.jpg", f"{away}/in/outside/e.jpg"]
    assert names(path) == found
    images = list(open_images(path, follow_outside=True))
    assert [image.name for image in images] == found
    for image in images:
        image.read()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_leads_out_of_a_list_is_asked_for(tmp_path: Path, encoding: str) -> None:
    put(tmp_path, "in/a.jpg", "in/d/b.jpg", "secret/c.jpg", "in-too/c.jpg")
    tar(tmp_path / "secret" / "s.tar", "1.png")
    inside = ["a.jpg", "d/../d/b.jpg", "../in/d", str(tmp_path / "in" / "a.jpg"), "d/..", "."]
    escape = [
        *("/", "//", "/./", "..", "../", "d/../..", "../secret", "../secret/c.jpg", "../in-too"),
        *("../secret/s.tar", str(tmp_path / "secret"), f"{tmp_path}/in/../secret/c.jpg", "/proc"),
    ]
    path = tmp_path / "in" / "list.txt"
    path.write_bytes("\n".join([*escape, *inside]).encode(encoding))
    images = list(open_images(path))
    for image, line in zip(images, escape, strict=False):
        with pytest.raises(ImageError, match=r"outside of .*in; .* with --follow-outside") as told:
            image.read()
        assert str(told.value).startswith(f"{path} names {line!r}, which is")
    for image in images[len(escape) :]:
        np.testing.assert_array_equal(image.read(), PIXELS)
    assert [image.name for image in images[len(escape) :]] == [
        *("a.jpg", "d/b.jpg", "d/b.jpg", "a.jpg"),
        *("a.jpg", "d/b.jpg") * 2,
    ]
    (gone,) = open_images(put(tmp_path / "in", "list.txt", content=b"none/..") / "list.txt")
    with pytest.raises(ImageError, match="does not exist"):
        gone.read()


def test_what_is_missing_or_broken_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", content=b"no image")
    tar(tmp_path / "b.tar", "1.png", content=b"")
    (tmp_path / "c.tar").write_text("no tar file at all" * 99)
    cut = tar(tmp_path / "d.tar", "1.png", "2.png")
    cut.write_bytes(cut.read_bytes()[: 1024 + len(PNG) + 100])
    spoilt = bytearray(tar(tmp_path / "e.tar", "1.png", "2.png").read_bytes())
    second = 512 + -(-len(PNG) // 512) * 512
    spoilt[second : second + 512] = b"?" * 512
    (tmp_path / "e.tar").write_bytes(spoilt)
    put(tmp_path, "f.png")
    (tmp_path / "list.txt").write_text("gone.jpg\na.jpg\nb.tar\nc.tar\nd.tar\ne.tar\nf.png\n")
    found = []
    for image in open_images(tmp_path / "list.txt"):
        try:
            np.testing.assert_array_equal(image.read(), PIXELS)
            found.append(f"{image.name} is read")
        except ImageError as error:
            found.append(str(error).removeprefix(f"{tmp_path}/"))
    patterns = [
        *("gone.jpg does not exist", "a.jpg is not an image", "b.tar/1.png is empty"),
        *("c.tar is not a whole tar", "d.tar/1.png is read", "d.tar is not a whole tar"),
        *("e.tar/1.png is read", "e.tar is not a whole tar", "f.png is read"),
    ]
    assert len(found) == len(patterns), found
    assert all(line.startswith(start) for line, start in zip(found, patterns, strict=True)), found


def test_a_folder_that_vanishes_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b/1.png", "c/2.png")
    found = iter(open_images(tmp_path))
    assert next(found).name == "a.png"
    shutil.rmtree(tmp_path / "b")
    gone, last = found
    with pytest.raises(ImageError, match="b cannot be read: No such file"):
        gone.read()
    assert last.name == "c/2.png"


def test_what_cannot_work_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no images given"):
        open_images([])
    with pytest.raises(UsageError, match=r"none\.tar does not exist"):
        open_images(tmp_path / "none.tar")
    with pytest.raises(UsageError, match="write to another folder"):
        open_images(tmp_path, leave_out=tmp_path / "x" / "..")


def test_the_output_is_not_walked(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "depth/a_depth.png", "more/depth/b.jpg")
    assert names(tmp_path, leave_out=tmp_path / "depth") == ["a.jpg", "more/depth/b.jpg"]


def test_the_first_of_a_million_listed_images(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"{number // 1000}/{number}.jpg\n" for number in range(1_000_000)))
    tracemalloc.start()
    images = open_images(path)
    assert next(iter(images)).name == "0/0.jpg"
    assert tracemalloc.get_traced_memory()[1] < 1_000_000  # the first waits for no other
    assert [image.name for image in islice(images, 2000)][-1] == "1/1999.jpg"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000  # a million names would take six times as much


def test_members_of_a_shard_are_not_kept(tmp_path: Path) -> None:
    shard = tar(tmp_path / "s.tar", *(f"{number}.jpg" for number in range(1002)))
    images = iter(open_images(shard))
    next(images)
    assert [image.name for image in islice(images, 1000)][-1] == "s.tar/1000.jpg"
    assert sum(type(kept) is tarfile.TarInfo for kept in gc.get_objects()) < 10


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/x/1.jpg", "/y/2.jpg"], ["1", "2"]),
        (["/x/1.jpg", "/y/1.jpg"], ["x_1", "y_1"]),
        (["/x/1.jpg", "/x/1.png"], ["x_1", "x_1_2"]),
        (["/x/A.jpg", "/y/a.jpg"], ["x_A", "y_a"]),
        (["/a/z/1.jpg", "/b/z/1.jpg"], ["z_1", "b_z_1"]),
        (["/a/1.jpg", "/b/1.jpg", "/c/a_1.jpg"], ["a_1", "b_1", "c_a_1"]),
        (["/1.jpg", "/1.jpg", "/1.jpg"], ["1", "1_2", "1_3"]),
    ],
)
def test_unique_names(paths: list[str], expected: list[str]) -> None:
    assert unique_names([Path(path) for path in paths]) == expected


def test_folders_deeper_than_a_stack_are_walked(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(1200):
        folder = folder / "d"
        folder.mkdir()
    put(folder, "a.png")
    try:
        (image,) = open_images(tmp_path)
        assert image.read().shape == PIXELS.shape
    finally:  # pytest would remove it by recursion
        (folder / "a.png").unlink()
        for path in (folder, *list(folder.parents)[:1199]):
            path.rmdir()


def test_a_shard_whose_sizes_lie_is_named(tmp_path: Path) -> None:
    whole = tar(tmp_path / "s.tar", "1.png").read_bytes()
    for size in (b"77777777777\0", b"\x80" + b"\x7f" * 11, b"\xff" * 12, b"-0000000512\0"):
        head = whole[:124] + size + whole[136:148] + b" " * 8 + whole[156:512]
        total = b"%06o\0 " % sum(head)
        (tmp_path / "s.tar").write_bytes(head[:148] + total + head[156:] + whole[512:])
        *_, last = open_images(tmp_path / "s.tar")
        with pytest.raises(ImageError, match=r"s\.tar is not a whole tar file"):
            last.read()


def test_pipes_and_names_that_none_has_are_named(tmp_path: Path) -> None:
    for name in ("p.jpg", "p.tar", "p.txt"):
        os.mkfifo(tmp_path / name)
        (image,) = open_images(tmp_path / name)
        with pytest.raises(ImageError, match="a named pipe"):
            image.read()
    (image,) = open_images(tmp_path / ("n" * 300 + ".jpg"))
    with pytest.raises(ImageError, match="File name too long"):
        image.read()
    for suffix in (".txt", ".tar"):
        with pytest.raises(UsageError, match="does not exist"):
            open_images(tmp_path / ("n" * 300 + suffix))


def test_a_list_with_a_line_without_end_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 100_000)
    (image,) = open_images(tmp_path / "a.txt")
    with pytest.raises(ImageError, match="a line of more than"):
        image.read()
