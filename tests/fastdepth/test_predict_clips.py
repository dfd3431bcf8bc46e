"""The command on what has frames: what is written, said, refused, and left by an interrupt."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from some_clips import REDS, SIZE, of_red, write_clip
from tiny_onnx import write_model

from fastdepth.images.io import write_png
from fastdepth.predict import main
from fastdepth.runtime.model import DepthModel
from fastdepth.video import window
from fastdepth.video.sources import open_source
from fastdepth.video.writing import ClipWriter


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "a.mp4", times=[0, 0.1, 0.15, 0.6, 1.0, 1.1])


def run(*words: object) -> int:
    return main([*map(str, words), "--threads", "1"])


def frames_of(path: Path, pixels: str = "rgb24") -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [frame.to_ndarray(format=pixels) for frame in frames]


def test_a_clip_becomes_a_clip(
    tiny_file: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_file, clip, "--output", tmp_path / "out.mp4") == 0
    times, images = frames_of(tmp_path / "out.mp4")
    assert times == pytest.approx([0, 0.1, 0.15, 0.6, 1.0, 1.1], abs=1e-3)
    assert images[0].shape[0] == SIZE[0]
    assert images[0].shape[1] > SIZE[1]  # the bar
    lightness = [int(image[30:, 4:60].mean()) for image in images]
    assert lightness == sorted(lightness, reverse=True)  # near is bright
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith(
        f"6 frames of {clip} written to {tmp_path}/out.mp4, 0 dropped, 0 skipped"
    )
    assert "colours from 0.5 m to 10 m, as given (tiny on cpu)" in line


def test_depth_without_loss_and_side_by_side(
    tiny_file: Path, tiny_model: DepthModel, clip: Path, tmp_path: Path
) -> None:
    words = "--depth16", "--side-by-side"
    assert run(tiny_file, clip, "--output", tmp_path / "new" / "out", *words) == 0
    output = tmp_path / "new" / "out"
    assert sorted(os.listdir(output)) == ["a_colour.mp4", "a_depth.mkv"]
    times, stored = frames_of(output / "a_depth.mkv", "gray16le")
    stills = list(open_source(clip))
    expected = [np.rint(tiny_model(still.image) * 1000) for still in stills]
    np.testing.assert_array_equal(stored, expected)
    assert times == pytest.approx([still.time for still in stills], abs=1e-3)
    _, images = frames_of(output / "a_colour.mp4")
    beside = images[3][:, : SIZE[1]].astype(int)
    assert abs(beside - stills[3].image)[4:20, 40:60].max() <= 12


def test_a_folder_of_clips(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "b.mkv"):
        write_clip(folder / name)
    (folder / "c.mp4").write_bytes(b"")
    assert run(tiny_file, folder, "--output", tmp_path / "out") == 2
    assert sorted(os.listdir(tmp_path / "out")) == ["a_colour.mp4", "b_colour.mp4"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" written")[0] for line in lines[:2]] == [
        f"6 frames of {folder / 'a.mp4'}",
        f"6 frames of {folder / 'b.mkv'}",
    ]
    assert lines[2:] == [f"fastdepth-predict: {folder / 'c.mp4'} is empty; copy it again"]


def test_clips_of_the_same_stem_keep_their_suffixes(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.mp4", "a/1.mkv", "b/2.mp4", "c/2.mp4"):
        Path(name).parent.mkdir(exist_ok=True)
        write_clip(Path(name))
    assert run(tiny_file, "a", "b", "c/2.mp4", "c/2.mp4", "--output", "out") == 0
    names = ["1.mkv", "1.mp4", "b_2", "c_2"]
    assert sorted(os.listdir("out")) == [f"{name}_colour.mp4" for name in names]


def test_images_become_a_clip(tiny_file: Path, tmp_path: Path) -> None:
    for number in (9, 10):
        write_png(tmp_path / "images" / f"{number}.png", of_red(number * 10))
    words = "--rate", 5, "--output"
    for source in ("images", "images/%d.png", "images/*.png"):
        assert run(tiny_file, tmp_path / source, *words, tmp_path / "out.mkv") == 0
        times, images = frames_of(tmp_path / "out.mkv")
        assert times == pytest.approx([0, 0.2], abs=1e-3)
        assert images[0][30:, 4:60].mean() > images[1][30:, 4:60].mean()


def test_a_folder_of_images_is_one_of_images_still(tiny_file: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "images" / "a.png", of_red(90))
    write_clip(tmp_path / "images" / "b.mp4")
    assert run(tiny_file, tmp_path / "images", "--output", tmp_path / "out") == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png_colour.png", "a.png_depth.png"]


def test_a_range_that_suits_the_clip(
    tiny_file: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_file, clip, "--output", tmp_path / "out.mp4", "--fit-range") == 0
    said = capsys.readouterr().err
    low, high = map(float, re.findall(r"colours from ([\d.]+) m to ([\d.]+) m", said)[0])
    assert low == pytest.approx(0.04 * REDS[0] / 2, rel=0.1)
    assert high == pytest.approx(0.04 * REDS[-1], rel=0.05)
    assert "by a first pass" in said


def test_a_corrupt_frame_gives_its_line_and_status(
    tiny_file: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with av.open(str(clip)) as container:
        spans = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(clip.read_bytes())
    content[spans[2][0] : sum(spans[2])] = b"\xff" * spans[2][1]
    clip.write_bytes(content)
    assert run(tiny_file, clip, "--output", tmp_path / "out.mp4") == 2
    bad, line = capsys.readouterr().err.splitlines()
    assert bad.startswith(f"fastdepth-predict: {clip}: frame 2 is skipped: ")
    assert line.startswith(f"5 frames of {clip} written")
    assert "0 dropped, 1 skipped" in line


def test_many_problems_are_counted_not_told(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    write_png(folder / "0.png", of_red(90))
    for number in range(1, 31):
        (folder / f"{number}.png").write_bytes(b"none")
    assert run(tiny_file, folder, "--output", tmp_path / "out.mp4") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert "counted and not told" in lines[-2]
    assert "30 skipped" in lines[-1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.mp4", "p.png", "--output", "out"], "p.png has no frames, a.mp4 has; give them apart"),
        (["a.mp4", "b.mp4", "--output", "c.mp4"], "2 clips do not fit into c.mp4; give a folder"),
        (["a.mp4", "--output", "a.mp4"], "a.mp4 is an input and would be written over"),
        (["a.mp4", "--output", "out", "--npy"], "--npy is for images"),
        (["a.mp4", "--output", "out", "--workers", "2"], "--workers is for images"),
        (["p.png", "--output", "out", "--smooth"], "--smooth is for clips, cameras and addresses"),
        (["p.png", "--output", "out", "--rate", "5"], "--rate is for clips"),
        (["a.mp4", "--output", "out.avi"], "out.avi cannot be written; end it in .mp4, .mov"),
        (["a.mp4", "--output", "out.gif"], "out.gif cannot be written; end it in .mp4, .mov"),
        (["p.png", "--output", "out.mp4"], "out.mp4 is a clip, and p.png is one image; give a"),
        (["none.mp4", "--output", "out"], "none.mp4 does not exist"),
        (["empty.mp4", "--output", "out"], "empty.mp4 is empty; copy it again"),
        (["97", "--output", "out"], "camera 97 cannot be opened"),
        (["rtsp://u:secret@127.0.0.1:1/a", "--output", "out"], "rtsp://127.0.0.1:1/a cannot be"),
        (["a.mp4", "--output", "out", "--rate", "0"], "rate 0.0 must be above 0"),
        (["a.mp4", "--output", "p.png/out"], "cannot write to p.png"),
    ],
)
def test_what_cannot_be_is_one_line(
    tiny_file: Path,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(clip.parent)
    write_clip(Path("b.mp4"))
    write_png("p.png", of_red(90))
    Path("empty.mp4").touch()
    before = Path("a.mp4").read_bytes()
    assert run(tiny_file, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fastdepth-predict: {says}")
    assert "secret" not in line
    assert Path("a.mp4").read_bytes() == before
    assert not Path("out").exists() or os.listdir("out") == []


def test_a_model_without_depth_is_named(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "none.onnx", metres=0.0)
    assert run(model, clip, "--output", tmp_path / "out.mp4") == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out.mp4").exists()


def test_no_window_is_told_and_the_clip_written(
    tiny_file: Path,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:    NONE\n")
    assert run(tiny_file, clip, "--output", tmp_path / "out.mp4", "--window") == 0
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("fastdepth-predict: no window is shown: this OpenCV has no windows")
    assert last.startswith("6 frames")


def test_a_window_that_is_closed_ends_the_clip(
    tiny_file: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(window, "problem", lambda: "")
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q") if len(shown) == 3 else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: shown.clear())
    assert run(tiny_file, clip, "--output", tmp_path / "out.mp4", "--window") == 0
    assert len(frames_of(tmp_path / "out.mp4")[0]) == 3
    assert shown == []


CAMERA = """
import itertools, sys, time
import numpy as np
from fastdepth.predict import main
from fastdepth.video import sources
from fastdepth.video.frames import Still

class Camera:
    name, rate, count, live = "camera 0", 30.0, None, True
    def __init__(self, *_): pass
    def __iter__(self):
        for number in itertools.count():
            if number == 20:
                print("begun", flush=True)
            time.sleep(0.005)
            yield Still(np.full((48, 64, 3), 90, np.uint8), number / 30, number)

sources.Camera = Camera
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)]
)
def test_an_interrupt_leaves_a_clip_that_plays(
    tiny_file: Path, tmp_path: Path, number: int
) -> None:
    words = [sys.executable, "-c", CAMERA, str(tiny_file), "0", "--output", str(tmp_path / "o.mp4")]
    words += ["--depth16", "--threads", "1"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    line, last = said.splitlines()
    assert last == "fastdepth-predict: interrupted"
    for name, pixels in (("o.mp4", "rgb24"), ("o_depth.mkv", "gray16le")):
        times, _ = frames_of(tmp_path / name, pixels)
        assert abs(len(times) - int(line.split()[0])) <= 1
        assert len(times) >= 1
    assert sorted(os.listdir(tmp_path)) == ["o.mp4", "o_depth.mkv", "tiny.onnx"]


@pytest.mark.parametrize("frames", [0, 3, len(REDS)])
def test_a_second_interrupt_does_not_lose_the_clip(
    tiny_file: Path,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    frames: int,
) -> None:
    """One comes while frames are written or at their end, another while the file is finished."""
    monkeypatch.chdir(clip.parent)
    add, leave = ClipWriter.add, ClipWriter.__exit__

    def add_some(self: ClipWriter, image: np.ndarray, time: float) -> None:
        if self.frames == frames:
            raise KeyboardInterrupt
        add(self, image, time)

    def leave_late(self: ClipWriter, *error: object) -> None:
        signal.raise_signal(signal.SIGINT)
        leave(self, *error)  # type: ignore[arg-type]

    monkeypatch.setattr(ClipWriter, "add", add_some)
    monkeypatch.setattr(ClipWriter, "__exit__", leave_late)
    assert run(tiny_file, clip.name, "--output", "o.mp4") == 130
    line, last = capsys.readouterr().err.splitlines()
    assert last == "fastdepth-predict: interrupted"
    assert Path("o.mp4").exists() == bool(frames)
    if frames:
        assert len(frames_of(Path("o.mp4"))[0]) == int(line.split()[0]) == frames
    else:
        assert line == "fastdepth-predict: no frame of a.mp4 came to be written"
    assert sorted(os.listdir()) == ["a.mp4", *(["o.mp4"] if frames else []), "tiny.onnx"]


def test_frames_of_another_size_are_brought_to_the_first_s_and_told(
    tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, size in enumerate([(48, 64), (64, 48), (48, 64)]):
        write_png(tmp_path / "images" / f"{number}.png", of_red(90, size))
    words = "--output", tmp_path / "o.mp4", "--depth16"
    assert run(tiny_file, tmp_path / "images", *words) == 0
    assert ", 1 brought to the size of the first, 0 dropped" in capsys.readouterr().err
    _, images = frames_of(tmp_path / "o_depth.mkv", "gray16le")
    assert {image.shape for image in images} == {(48, 64)}


@pytest.mark.thorough
def test_a_killed_run_s_leavings_go_with_the_next(
    tiny_file: Path, clip: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", CAMERA, str(tiny_file), "0", "--output", str(tmp_path / "o.mp4")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
    assert [name for name in os.listdir(tmp_path) if name.startswith(".fastdepth-")]
    assert run(tiny_file, clip, "--output", tmp_path / "o.mp4") == 0
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "o.mp4", "tiny.onnx"]


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from fastdepth.predict import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("room", [pytest.param(0, marks=pytest.mark.thorough), 2000])
def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(
    tiny_file: Path, tmp_path: Path, room: int
) -> None:
    noise = np.random.default_rng(0)
    for number in range(20):
        image = noise.integers(0, 256, (*SIZE, 3), np.uint8)
        write_png(tmp_path / "images" / f"{number}.png", image)
    words = [sys.executable, "-c", FULL, str(room), str(tiny_file), str(tmp_path / "images")]
    words += ["--output", str(tmp_path / "out" / "o.mp4"), "--threads", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"fastdepth-predict: cannot write {tmp_path}/out/o.mp4: ")
    assert done.returncode == 2
    assert os.listdir(tmp_path / "out") == []
