"""Which words lead to which source, and what is said of those that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from some_clips import of_red, write_clip

from fastdepth.errors import DeviceError, FastDepthError, ImageError, UsageError
from fastdepth.images.io import write_png
from fastdepth.video import sources
from fastdepth.video.camera import Camera
from fastdepth.video.frames import Faults
from fastdepth.video.sources import clips_in, open_source, shown


def reds(source) -> list[int]:
    return [int(still.image[-1, -1, 0]) for still in source]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for number in (1, 2, 9, 10, 100):
        write_png(folder / f"f{number}.png", of_red(number))
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.mark.parametrize("pattern", ["", "f%d.png", "f*.png", "f?*.png"])
def test_images_come_by_their_numbers(images: Path, pattern: str) -> None:
    source = open_source(str(images / pattern), rate=4)
    stills = list(source)
    assert [still.image[-1, -1, 0] for still in stills] == [1, 2, 9, 10, 100]
    assert [still.time for still in stills] == [0, 0.25, 0.5, 0.75, 1]
    assert (source.count, source.live) == (5, False)


def test_a_width_counts_digits(images: Path) -> None:
    assert reds(open_source(str(images / "f%03d.png"))) == [100]


def test_a_bad_image_is_named_skipped_and_counted(images: Path) -> None:
    (images / "f9.png").write_bytes(b"none")
    faults = Faults()
    stills = list(open_source(images, faults))
    assert [still.number for still in stills] == [0, 1, 3, 4]
    assert faults.count == 1
    assert "frame 2 is skipped" in faults.lines[0]
    assert "f9.png" in faults.lines[0]


def test_a_file_of_a_camera_s_name_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a.mp4").rename("7")
    assert len(reds(open_source("7"))) == 6


def test_a_camera_is_timed_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: capture(str(clip)))
    faults = Faults()
    source = open_source("3", faults)
    assert isinstance(source, Camera)
    assert (source.name, source.live, source.count) == ("camera 3", True, None)
    stills = list(source)
    assert [still.number for still in stills] == [0, 1, 2, 3, 4, 5]
    assert stills[0].time == 0
    assert np.all(np.diff([still.time for still in stills]) > 0)
    assert stills[-1].time < 60
    assert list(faults.lines) == ["camera 3 gives no more frames after 6; was it unplugged?"]


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        (99, DeviceError, "camera 99 cannot be opened"),
        (True, UsageError, "no camera"),
        (-1, UsageError, "no camera"),
        ("12345678901234567890", UsageError, "no camera"),
        ("", UsageError, "no source"),
        ("a\0b", UsageError, "no source"),
        ("gopher://host/a", UsageError, "addresses begin with rtsp"),
        ("rtsp://user:secret@127.0.0.1:1/a", ImageError, "rtsp://127.0.0.1:1/a cannot be opened"),
        ("http://[::1/a", ImageError, "cannot be opened"),
        ("nowhere/%d.png", ImageError, "nowhere"),
        ("*.nothing", ImageError, "leads to no images"),
        ("none.mp4", ImageError, "does not exist"),
    ],
)
def test_what_leads_nowhere_is_one_line(source, error, says, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FastDepthError, match=says) as caught:
        open_source(source)
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_show_no_password() -> None:
    assert shown("rtsp://user:pa@ss@host:554/a?b") == "rtsp://host:554/a?b"
    assert shown("0") == "camera 0"
    assert shown("a.mp4") == "a.mp4"


def test_a_folder_of_clips_is_one_without_images(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MOV", ".hidden.mp4", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in clips_in(tmp_path)] == ["a.MOV", "b.mp4"]
    (tmp_path / "d.jpg").touch()
    assert clips_in(tmp_path) == []


def test_a_number_that_no_machine_has_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "Camera", lambda *_: pytest.fail("tried"))
    with pytest.raises(UsageError):
        open_source(100)
