"""Clips as PyAV decodes them: turned, timed, damaged, cut, hostile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from some_clips import REDS, SIZE, of_red, write_clip

from fastdepth.errors import ImageError, MissingExtraError
from fastdepth.video.decoding import open_address, open_clip
from fastdepth.video.frames import Faults, Still


def decoded(path: Path, max_pixels: int = 10**6) -> tuple[list[Still], Faults]:
    faults = Faults()
    return list(open_clip(path, faults, max_pixels)), faults


def packets(path: Path) -> list[tuple[int, int]]:
    """Place and length of each in the file [bytes]."""
    with av.open(str(path)) as container:
        return [(each.pos, each.size) for each in container.demux(video=0) if each.size]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.mov"])
def test_frames_and_their_times(tmp_path: Path, name: str) -> None:
    stills, faults = decoded(write_clip(tmp_path / name))
    assert [still.number for still in stills] == [0, 1, 2, 3, 4, 5]
    assert [still.time for still in stills] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    for still, red in zip(stills, REDS, strict=True):
        assert abs(still.image.astype(int) - of_red(red))[:, 40:].max() <= 4
    assert faults.count == 0


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_varying_rate_is_the_stream_s(tmp_path: Path, suffix: str) -> None:
    times = [2.0, 2.04, 2.5, 2.51, 4.0, 4.001]
    stills, faults = decoded(write_clip(tmp_path / f"a{suffix}", times=times))
    assert [still.time for still in stills] == pytest.approx(np.array(times) - 2, abs=2e-3)
    assert faults.count == 0


def test_times_go_on_where_stamps_begin_anew_or_jump(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{size[0]}.ts", size=size) for size in (SIZE, (96, 128))]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    stills, _ = decoded(both)
    assert [still.image.shape[:2] for still in stills] == [SIZE] * 6 + [(96, 128)] * 6
    assert [still.time for still in stills] == pytest.approx([n / 10 for n in range(12)], abs=1e-3)
    wild = write_clip(tmp_path / "wild.mkv", REDS[:4], [0, 0.1, 1e9, 1e9 + 0.1])
    assert [still.time for still in decoded(wild)[0]] == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_undone_as_opencv_does(tmp_path: Path, rotation: int) -> None:
    clip = write_clip(tmp_path / "a.mp4", rotation=rotation)
    stills, _ = decoded(clip)
    capture = cv2.VideoCapture(str(clip))
    _, expected = capture.read()
    capture.release()
    assert stills[0].image.shape == (SIZE if rotation == 180 else SIZE[::-1]) + (3,)
    np.testing.assert_array_equal(stills[0].image, expected[:, :, ::-1])
    assert stills[0].image.flags.c_contiguous


@pytest.mark.parametrize("codec", ["mpeg4", "ffv1", "mjpeg"])
def test_a_corrupt_frame_is_named_skipped_and_counted(tmp_path: Path, codec: str) -> None:
    clip = tmp_path / "a.mkv"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 1
        if codec == "ffv1":
            stream.codec_context.options = {"level": "3", "slicecrc": "1"}
        for red in REDS:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(of_red(red), format="rgb24")))
        container.mux(stream.encode(None))
    content = bytearray(clip.read_bytes())
    start, length = packets(clip)[2]
    content[start + 24 : start + length - 1] = b"\xff" * (length - 25)
    clip.write_bytes(content)
    stills, faults = decoded(clip)
    assert [still.number for still in stills] == [0, 1, 3, 4, 5]
    assert faults.count == 1
    assert f"{clip}: frame 2 is skipped: " in faults.lines[0]


def test_a_lost_end_is_told(tmp_path: Path) -> None:
    for clip, whole in (
        (write_clip(tmp_path / "a.mkv", range(0, 240, 8)), 30),
        (write_clip(tmp_path / "a.avi", range(0, 240, 8)), 30),
    ):
        content = clip.read_bytes()
        clip.write_bytes(content[: packets(clip)[18][0]])
        stills, faults = decoded(clip)
        assert 10 < len(stills) < whole
        assert faults.count == 1
        assert f"{clip} is cut: it ends after" in faults.lines[0] or "breaks off" in faults.lines[0]


def test_a_frame_too_small_is_skipped_but_not_the_first(tmp_path: Path) -> None:
    """A clip may change its size; here a camera's JPEG files one after the other."""
    parts = [cv2.imencode(".jpg", of_red(90, size))[1].tobytes() for size in (SIZE, (10, 10))]
    clip = tmp_path / "a.mjpeg"
    clip.write_bytes(parts[0] + parts[1] + parts[0])
    stills, faults = decoded(clip)
    assert [still.number for still in stills] == [0, 2]
    (line,) = faults.lines
    assert line.endswith(
        "frame 1 is skipped: it is 10x10 px, too small; both sides must be 16 or more"
    )
    clip.write_bytes(parts[1] + parts[0])
    with pytest.raises(ImageError, match="10x10 px, too small"):
        decoded(clip)


def write(content: bytes):
    return lambda path: path.write_bytes(content)


def sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def cut(path: Path) -> None:
    write_clip(path)
    path.write_bytes(path.read_bytes()[:700])


def no_pixels(path: Path) -> None:
    write_clip(path)
    content = bytearray(path.read_bytes())
    for start, length in packets(path):
        content[start : start + length] = bytes(length)
    path.write_bytes(content)


SECRET = "ffconcat version 1.0\nfile secret.mp4\n"
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.ts\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (write(b""), "is empty; copy it again"),
        (write(b"hello"), "is no video, or cut short"),
        (write(SECRET.encode()), "is no video"),
        (write(PLAYLIST.encode()), "is no video"),
        (cut, "cut"),
        (sound, "is it sound alone"),
        (no_pixels, "has no frame that can be decoded"),
    ],
)
def test_what_has_no_frames_is_one_line(tmp_path: Path, make, says: str) -> None:
    write_clip(tmp_path / "secret.mp4")
    write_clip(tmp_path / "secret.ts")
    make(tmp_path / "a.mp4")
    with pytest.raises(ImageError, match=says) as caught:
        decoded(tmp_path / "a.mp4")
    assert "\n" not in str(caught.value)


def test_a_large_frame_is_refused_by_the_header(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    with pytest.raises(ImageError, match="64x48 px, too large"):
        open_clip(clip, Faults(), 1000)


def test_without_pyav_the_line_for_pip_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mp4")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[video\]'"):
        open_clip(clip, Faults(), 10**6)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_may_lead_to_others_but_not_to_files(tmp_path: Path, served: str) -> None:
    clip = write_clip(tmp_path / "secret.ts")
    write_clip(tmp_path / "a.mp4")
    (tmp_path / "near.m3u8").write_text(PLAYLIST)
    (tmp_path / "far.m3u8").write_text(PLAYLIST.replace("secret.ts", f"file://{clip}"))
    for name in ("a.mp4", "near.m3u8"):
        faults = Faults()
        assert len(list(open_address(f"{served}/{name}", faults, 10**6))) == 6
        assert faults.count == 0
    for name in ("far.m3u8", "none.mp4"):
        with pytest.raises(ImageError, match="cannot be opened"):
            open_address(f"{served}/{name}", Faults(), 10**6)
