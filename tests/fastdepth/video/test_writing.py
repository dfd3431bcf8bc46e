"""Written clips: times, sizes, what is lossless, and that they are whole or not there."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from some_clips import of_red

from fastdepth.errors import OutputError
from fastdepth.video.writing import ENCODERS, FFV1, ClipWriter, add_depth

TIMES = [0.0, 0.04, 0.5, 0.51, 2.0]


def read(path: Path, pixels: str) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [frame.to_ndarray(format=pixels) for frame in frames]


@pytest.mark.parametrize("suffix", ENCODERS)
def test_frames_at_their_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with ClipWriter(path, ENCODERS[suffix], 25) as writer:
        for number, time in enumerate(TIMES):
            writer.add(of_red(40 * number), time)
    times, images = read(path, "rgb24")
    assert times == pytest.approx(TIMES, abs=1e-3)
    for number, image in enumerate(images):
        assert abs(image.astype(int) - of_red(40 * number))[4:20, 40:, 0].max() <= 6
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_depth_is_lossless(tmp_path: Path) -> None:
    depth = np.random.default_rng(0).uniform(0, 70, (3, 33, 47)).astype(np.float32)
    depth[:, 0, 0] = np.nan
    with ClipWriter(tmp_path / "a.mkv", FFV1, 30) as writer:
        for number, each in enumerate(depth):
            add_depth(writer, each, number / 30)
    _, stored = read(tmp_path / "a.mkv", "gray16le")
    expected = np.clip(np.rint(np.nan_to_num(depth) * 1e3), 0, 65_535)
    np.testing.assert_array_equal(stored, expected)


@pytest.mark.parametrize("size", [(33, 47), (16, 16), (48, 65)])
def test_odd_sizes_repeat_their_last_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    with ClipWriter(tmp_path / "a.mp4", ENCODERS[".mp4"], 30) as writer:
        writer.add(of_red(200, size), 0.0)
        writer.add(of_red(200, (size[0] * 2, size[1])), 0.1)
    _, images = read(tmp_path / "a.mp4", "rgb24")
    even = tuple(side + side % 2 for side in size)
    assert [image.shape for image in images] == [(*even, 3)] * 2
    assert abs(images[0][-1, -1].astype(int) - (200, 0, 0)).max() <= 12


def test_times_that_stand_still_go_on(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "a.mp4", ENCODERS[".mp4"], 30) as writer:
        for time in (0.0, 0.0, 0.5, 0.2):
            writer.add(of_red(90), time)
    times, _ = read(tmp_path / "a.mp4", "rgb24")
    assert len(times) == 4
    assert np.all(np.diff(times) > 0)


def test_of_no_frame_and_after_an_error_what_stood_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with ClipWriter(path, ENCODERS[".mp4"], 30):
        pass
    with pytest.raises(ZeroDivisionError), ClipWriter(path, ENCODERS[".mp4"], 30) as writer:
        writer.add(of_red(90), 0.0)
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError),
        ClipWriter(tmp_path / "file" / "a.mp4", ENCODERS[".mp4"], 30),
    ):
        pass
    with (
        pytest.raises(OutputError, match=r"too large for MPEG-4; give \.webm"),
        ClipWriter(tmp_path / "a.mp4", ENCODERS[".mp4"], 30) as writer,
    ):
        writer.add(np.zeros((16, 9000, 3), np.uint8), 0.0)
    with (
        pytest.raises(OutputError),
        ClipWriter(tmp_path / "a.mp4", ENCODERS[".mp4"], 30) as writer,
    ):
        writer.add(np.zeros((16, 16), np.uint8), 0.0)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file"]
