"""The loop over a camera, with a clip for a camera and a stand-in for the window."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import cv2
import pytest
from some_clips import write_clip
from tiny_onnx import write_model

from fastdepth.size import Size
from fastdepth.video import window

SCRIPT = Path(__file__).parents[1] / "examples" / "webcam" / "webcam.py"


@pytest.fixture
def loop(tmp_path, monkeypatch, capsys):
    """Runs the script on a clip; what was shown, and what it printed."""
    write_model(tmp_path / "model.onnx", Size(48, 64), metres=0.04)
    write_clip(tmp_path / "clip.mp4")
    shown = []
    monkeypatch.setattr(cv2, "imshow", lambda name, image: shown.append(image))
    monkeypatch.setattr(window, "problem", lambda: "")

    def run(*words, key=-1):
        monkeypatch.setattr(cv2, "waitKey", lambda wait: key)
        given = [word.format(folder=tmp_path) for word in words]
        monkeypatch.setattr(sys, "argv", ["webcam.py", *given])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return shown, capsys.readouterr().out

    return run


def test_frames_are_shown_beside_their_depth_and_near_things_counted(loop):
    shown, said = loop("{folder}/model.onnx", "{folder}/clip.mp4", "--near", "100")
    assert shown and all(image.shape == (48, 128, 3) for image in shown)
    assert said.startswith(f"{len(shown)} frames with something nearer than 100.0 m")


def test_nothing_is_near_and_a_key_ends_it(loop):
    shown, said = loop("{folder}/model.onnx", "{folder}/clip.mp4", "--near", "0.01", key=ord("q"))
    assert len(shown) == 1 and said.startswith("0 frames")


def test_ctrl_c_ends_it_as_a_key_does(loop, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cv2, "imshow", interrupt)
    _, said = loop("{folder}/model.onnx", "{folder}/clip.mp4", "--near", "100")
    assert said.startswith("1 frames with something nearer") and not capsys.readouterr().err


@pytest.mark.parametrize("words", [("no.onnx", "0"), ("{folder}/model.onnx", "{folder}/no.mp4")])
def test_what_is_not_there_is_one_line(loop, words, capsys):
    with pytest.raises(SystemExit) as ended:
        loop(*words)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_without_windows_it_says_why(loop, monkeypatch, capsys):
    """OpenCV's own with windows ends the process where there is no display."""
    monkeypatch.setattr(window, "problem", lambda: "install opencv-python")
    with pytest.raises(SystemExit) as ended:
        loop("{folder}/model.onnx", "{folder}/clip.mp4")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "webcam: no window: install opencv-python\n"
