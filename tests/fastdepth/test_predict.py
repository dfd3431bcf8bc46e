"""The command writes what it says, keeps going past a bad image, and overwrites nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_onnx import METADATA, write_model

from fastdepth.camera import TRAINING_FOCAL_LENGTH, TRAINING_WIDTH
from fastdepth.images.io import to_millimetres
from fastdepth.metadata import UNTRAINED
from fastdepth.predict import main
from fastdepth.runtime.model import DepthModel


def run(*words: object) -> int:
    return main([*map(str, words), "--threads", "1"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_depth_in_millimetres_and_in_colour(
    tiny_file: Path, tiny_model: DepthModel, photo_file: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    output = tmp_path / "new" / "folder"
    assert run(tiny_file, photo_file, "--output", output) == 0
    assert names(output) == ["photo_colour.png", "photo_depth.png"]
    stored = cv2.imread(str(output / "photo_depth.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, np.rint(tiny_model(photo) * 1000.0))
    colour = cv2.imread(str(output / "photo_colour.png"))
    assert colour.shape[0] == 96
    assert colour.shape[1] > 128


def test_all_that_can_be_written(
    tiny_file: Path, tiny_model: DepthModel, photo_file: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    other = write_model(tmp_path / "other.onnx", metres=0.02)
    words = "--npy", "--ply", "--compare", other, other
    assert run(tiny_file, photo_file, "--output", tmp_path / "out", *words) == 0
    assert names(tmp_path / "out") == [
        "photo_colour.png",
        "photo_compare.png",
        "photo_depth.npy",
        "photo_depth.png",
        "photo_points.ply",
    ]
    depth = np.load(tmp_path / "out" / "photo_depth.npy")
    np.testing.assert_array_equal(depth, tiny_model(photo))
    page = cv2.imread(str(tmp_path / "out" / "photo_compare.png"))
    assert page.shape[1] > 4 * 128


def test_compare_without_a_model_is_refused(
    tiny_file: Path, photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_file, photo_file, "--output", tmp_path / "out", "--compare") == 2
    assert "--compare names no model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("others", [[], ["photo_depth.png"]], ids=["model", "compared"])
def test_no_model_is_written_over(
    tiny_file: Path, photo_file: Path, tmp_path: Path, others: list[str]
) -> None:
    model = tmp_path / "photo_depth.png"
    shutil.copy(tiny_file, model)
    words = ["--compare", *(tmp_path / name for name in others)] if others else []
    assert run(tiny_file if others else model, photo_file, "--output", tmp_path, *words) == 2
    assert model.read_bytes() == tiny_file.read_bytes()


def test_compare_may_be_repeated(tiny_file: Path, photo_file: Path, tmp_path: Path) -> None:
    widths = []
    for words in ("--compare", tiny_file, "--compare", tiny_file), ("--compare", tiny_file):
        assert run(tiny_file, photo_file, "--output", tmp_path / "out", *words) == 0
        widths.append(cv2.imread(str(tmp_path / "out" / "photo_compare.png")).shape[1])
    assert 128 <= widths[0] - widths[1] < 140


def test_points_are_seen_by_the_given_camera(
    tiny_file: Path, photo_file: Path, tmp_path: Path
) -> None:
    def extent(*words: object) -> np.ndarray:
        assert run(tiny_file, photo_file, "--output", tmp_path / "out", "--ply", *words) == 0
        body = (tmp_path / "out" / "photo_points.ply").read_bytes().partition(b"end_header\n")[2]
        vertices = np.frombuffer(body, np.dtype([("p", "<f4", 3), ("c", "u1", 3)]))["p"]
        return vertices.max(axis=0)

    focal = TRAINING_FOCAL_LENGTH * 128 / TRAINING_WIDTH
    np.testing.assert_allclose(extent(), extent("--focal", focal), rtol=1e-5)
    # Twice the focal length sees the same width at twice the distance.
    np.testing.assert_allclose(extent("--focal", 2 * focal), extent() * (1, 1, 2), rtol=1e-5)


def test_vmin_and_vmax_change_colours_not_depth(
    tiny_file: Path, photo_file: Path, tmp_path: Path
) -> None:
    assert run(tiny_file, photo_file, "--output", tmp_path / "a") == 0
    assert run(tiny_file, photo_file, "--output", tmp_path / "b", "--vmin", 1, "--vmax", 80) == 0
    same = [
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for name in ("photo_depth.png", "photo_colour.png")
    ]
    assert same == [True, False]


def test_a_bad_image_does_not_stop_the_rest(
    tiny_file: Path, photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    assert run(tiny_file, bad, photo_file, "--output", tmp_path / "out") == 2
    assert names(tmp_path / "out") == ["photo_colour.png", "photo_depth.png"]
    out, err = capsys.readouterr()
    error, summary = err.splitlines()
    assert error.startswith(f"fastdepth-predict: {bad} is not an image")
    assert summary.startswith("1 of 2 images written")
    assert out == ""


def test_images_of_the_same_name_are_kept_apart(
    tiny_file: Path, photo_file: Path, tmp_path: Path
) -> None:
    copies = [tmp_path / folder / "photo.png" for folder in "ab"]
    for copy in copies:
        copy.parent.mkdir()
        shutil.copy(photo_file, copy)
    assert run(tiny_file, *copies, "--output", tmp_path / "out") == 0
    assert names(tmp_path / "out") == [
        "a_photo_colour.png",
        "a_photo_depth.png",
        "b_photo_colour.png",
        "b_photo_depth.png",
    ]


def test_millimetres_saturate_and_invalid_is_zero() -> None:
    depth = np.array([[1.2344, 65.6, 1e9, 0.0, -3.0, np.nan, np.inf]], np.float32)
    assert to_millimetres(depth).tolist() == [[1234, 65535, 65535, 0, 0, 0, 0]]


def test_untrained_weights_are_named(
    photo_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "x.onnx", metadata=replace(METADATA, weights=UNTRAINED))
    assert run(model, photo_file, "--output", tmp_path / "out") == 0
    assert "untrained weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--focal", "0"], "focal 0.0 must be above 0"),
        (["--vmin", "5", "--vmax", "2"], "0 < vmin < vmax"),
        (["--provider", "gpu"], "unknown provider 'gpu'"),
    ],
)
def test_options_that_cannot_work(
    tiny_file: Path,
    photo_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    assert run(tiny_file, photo_file, "--output", tmp_path / "out", *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_no_images(tiny_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tiny_file, "--output", tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no images given" in line


def test_depth_is_anchored_at_points(
    tiny_file: Path, tiny_model: DepthModel, photo_file: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    known = tmp_path / "known.csv"
    known.write_text("row,column,metres,std\n48,64,8.0,0.01\n10,20,9.0,0.01\n")
    words = ("--output", tmp_path / "out", "--npy", "--points", known)
    assert run(tiny_file, photo_file, *words) == 0
    depth = np.load(tmp_path / "out" / "photo_depth.npy")
    np.testing.assert_array_equal(
        depth, tiny_model(photo, points=[[48, 64, 8, 0.01], [10, 20, 9, 0.01]])
    )
    assert depth[48, 64] > 1.2 * tiny_model(photo)[48, 64]


def test_a_folder_of_points(tiny_file: Path, photo_file: Path, tmp_path: Path, capsys) -> None:
    known = tmp_path / "known"
    known.mkdir()
    shutil.copy(photo_file, photo_file.with_name("other.png"))
    shutil.copy(photo_file, photo_file.with_name("third.png"))
    (known / "photo.csv").write_text("48,64,8.0")
    (known / "third.csv").write_text("48,64,8000")
    assert run(tiny_file, photo_file.parent, "--output", tmp_path / "out", "--points", known) == 2
    errors = capsys.readouterr().err
    assert "no points in" in errors and "in metres" in errors
    assert names(tmp_path / "out") == ["photo.png_colour.png", "photo.png_depth.png"]


@pytest.mark.parametrize("points", ["none.csv", ""])
def test_points_that_cannot_be(
    tiny_file: Path, photo_file: Path, tmp_path: Path, points: str, capsys
) -> None:
    assert run(tiny_file, photo_file, "--output", tmp_path, "--points", tmp_path / points) == 2
    assert "points" in capsys.readouterr().err
    assert not (tmp_path / "photo_depth.png").exists()
