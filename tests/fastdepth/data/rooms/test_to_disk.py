from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastdepth.data import open_source
from fastdepth.data.rooms import to_disk
from fastdepth.data.rooms.to_disk import Drawing, draw, main
from fastdepth.errors import OutputError, UsageError


def test_drawn_rooms_read_back_as_the_rooms_they_are(tmp_path):
    manifest = draw(Drawing(tmp_path, count=3, size="64x48", workers=1))
    assert len(manifest.read_text().splitlines()) == 4
    from_disk = open_source(f"nyu:{tmp_path}", "all-train")
    from_seed = open_source("rooms:3", "train")
    assert len(from_disk) == 3
    for index in range(3):
        stored, room = from_disk[index], from_seed[index]
        assert stored.image.shape == (48, 64, 3)
        # The same view, drawn smaller.
        assert np.median(stored.depth) == pytest.approx(np.median(room.depth), rel=0.05)


def test_a_second_call_draws_only_what_is_missing(tmp_path):
    draw(Drawing(tmp_path, count=1, size="64x48", workers=1))
    first = tmp_path / "100000.png"
    stamp = first.stat().st_mtime_ns
    draw(Drawing(tmp_path, count=2, size="64x48", workers=1))
    assert first.stat().st_mtime_ns == stamp
    assert (tmp_path / "100001.jpg").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "0"], "count 0 must be 1 to"),
        (["--workers", "0"], "workers 0 must be 1 to 1024"),
        (["--size", "64"], "64"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(tmp_path, capsys, words, message):
    assert main(["--output", str(tmp_path), *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


@pytest.fixture
def nothing_drawn(monkeypatch):
    """Nothing can be drawn."""

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(to_disk, "_draw_all", fail)


def test_the_manifest_of_other_data_stays(tmp_path, nothing_drawn):
    for text in ("rgb,depth\na.png,b.png\n", "image,depth,split,scene\na.jpg,a.png,train,x\n", ""):
        (tmp_path / "manifest.csv").write_text(text)
        with pytest.raises(UsageError, match="is of other data; give another --output"):
            draw(Drawing(tmp_path, count=1))
        assert (tmp_path / "manifest.csv").read_text() == text


def test_rooms_of_two_sizes_do_not_mix(tmp_path, nothing_drawn):
    for suffix in ("jpg", "png"):
        cv2.imwrite(f"{tmp_path}/100000.{suffix}", np.zeros((48, 64), np.uint16))
    with pytest.raises(UsageError, match="is 64x48, not 80x60; give --size 64x48 or another"):
        draw(Drawing(tmp_path, count=1, size="80x60"))


@pytest.mark.parametrize("size", ["1x1", "15x480", "5000x480"])
def test_sizes_that_no_image_has(tmp_path, nothing_drawn, size):
    with pytest.raises(UsageError, match="sides must be 16 to 4096 px"):
        draw(Drawing(tmp_path / "new", count=1, size=size))
    assert not (tmp_path / "new").exists()


def test_one_process_draws_in_a_folder(tmp_path, nothing_drawn, monkeypatch):
    monkeypatch.setattr("fastdepth.lock._take", lambda _: False)
    with pytest.raises(UsageError, match="another run is writing to"):
        draw(Drawing(tmp_path, count=1))


def test_after_an_error_no_further_room_is_drawn(tmp_path):
    (tmp_path / "100000.jpg").mkdir()
    with pytest.raises(OutputError, match="100000.jpg: it is a folder"):
        draw(Drawing(tmp_path, count=500, size="64x48", workers=1))
    assert len(list(tmp_path.glob("*.png"))) < 10
    assert not (tmp_path / ".lock").exists()


def test_rooms_that_were_drawn_before_stay_in_the_manifest(tmp_path):
    for first in (100_005, 100_000):
        draw(Drawing(tmp_path, count=2, size="64x48", workers=1, first_seed=first))
    lines = (tmp_path / "manifest.csv").read_text().splitlines()[1:]
    assert [line.partition(".")[0] for line in lines] == ["100000", "100001", "100005", "100006"]
