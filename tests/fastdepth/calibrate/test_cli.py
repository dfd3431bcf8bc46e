"""The command, on cameras that are wrong in a known way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from tiny_onnx import METADATA, rewrite, write_model, write_third_party

from fastdepth.calibrate import network as network_module
from fastdepth.calibrate.cli import main
from fastdepth.calibrate.correction import Correction
from fastdepth.errors import UsageError
from fastdepth.metadata import METADATA_KEY, UNCORRECTED
from fastdepth.predict import main as predict
from fastdepth.runtime.model import load
from fastdepth.runtime.third_party import ThirdPartyFile
from fastdepth.runtime.third_party_model import ThirdPartyModel

HEIGHT, WIDTH = 48, 64
METRES = 0.04

Truth = Callable[[np.ndarray], np.ndarray]


def camera(pixels: np.ndarray) -> np.ndarray:
    """A camera of which the network's metres are wrong by a scale and a slope."""
    return 1.3 * (pixels * METRES) ** 0.9


def image_of(seed: int) -> np.ndarray:
    """(48, 64, 3) uint8 RGB, grey blocks."""
    blocks = np.random.default_rng(seed).integers(15, 250, (6, 8), np.uint8)
    return np.repeat(np.kron(blocks, np.ones((8, 8), np.uint8))[..., None], 3, -1)


def lay_out(folder: Path, truth: Truth = camera, *, images: int = 20, points: int = 12) -> Path:
    """Images, and a file of points of them with 5 % noise."""
    rng = np.random.default_rng(7)
    lines = []
    for number in range(images):
        image = image_of(number)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        for row, column in zip(
            rng.integers(0, HEIGHT, points), rng.integers(0, WIDTH, points), strict=True
        ):
            metres = truth(image[row, column, 0].astype(float)) * np.exp(rng.normal(0, 0.05))
            lines.append(f"{number}.png,{row},{column},{metres:.4f}\n")
    path = folder / "points.csv"
    path.write_text("image,row,column,metres\n" + "".join(lines))
    return path


def run(*words: object) -> int:
    return main([*map(str, words), "--threads", "1"])


def known(place: str) -> list[str]:
    """Six known distances, the first one this."""
    places = [place, *(f"{row},9,3" for row in range(5))]
    return [word for each in places for word in ("--known-distance", each)]


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("fastdepth-calibrate: ") and error.count("\n") == 1
    return error


def test_a_camera_is_recovered_and_kept_in_a_copy(tmp_path, capsys):
    model, points = write_model(tmp_path / "m.onnx"), lay_out(tmp_path)
    before = model.read_bytes()
    assert run(model, "--points", points) == 0
    told = capsys.readouterr()
    assert "20 held-out images" in told.out and "scale and slope of 20 images, 240" in told.out
    copy = tmp_path / "m.calibrated.onnx"
    assert f"{copy} written" in told.err and "takes the place" not in told.err
    assert model.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir() if p.suffix != ".png"} == {
        "m.onnx", "m.calibrated.onnx", "points.csv"
    }  # fmt: skip
    image = image_of(99)
    expected = camera(image[..., 0].astype(float))
    np.testing.assert_allclose(load(copy, threads=1)(image), expected, rtol=0.03)
    assert np.abs(load(model, threads=1)(image) / expected - 1).max() > 0.1
    metadata = load(copy.read_bytes()).metadata
    assert metadata.unit == UNCORRECTED != METADATA.unit  # which who knows of none refuses
    correction = metadata.correction
    assert correction and correction.evidence
    assert correction.evidence.d1_after > correction.evidence.d1_before
    third = ThirdPartyModel(ThirdPartyFile(copy), threads=1)
    np.testing.assert_allclose(third.infer(image[None])[0, 0], expected, rtol=0.03)


def test_nothing_else_of_the_file_changes(tmp_path):
    """Fields of a later version stay as well, and a key that stands twice goes."""

    def change(model: onnx.ModelProto) -> None:
        text = json.dumps(json.loads(METADATA.to_json()) | {"colour": "blue"})
        model.metadata_props[0].value = text
        model.metadata_props.add(key="other", value="kept")
        model.metadata_props.add(key=METADATA_KEY, value=text)

    model = rewrite(write_model(tmp_path / "m.onnx"), change)
    assert run(model, "--points", lay_out(tmp_path), "--output", tmp_path / "c.onnx") == 0
    old, new = onnx.load(model), onnx.load(tmp_path / "c.onnx")
    texts = [(entry.key, entry.value) for entry in new.metadata_props]
    assert [key for key, _ in texts] == [METADATA_KEY, "other"]
    assert json.loads(texts[0][1])["colour"] == "blue"
    del old.metadata_props[:], new.metadata_props[:]
    assert old == new


def test_std_is_scaled_with_the_depth(tmp_path):
    model = write_model(tmp_path / "m.onnx", std=True)
    points = lay_out(tmp_path, lambda pixels: 1.5 * METRES * pixels)
    assert run(model, "--points", points) == 0
    image = image_of(99)
    depth, std = load(tmp_path / "m.calibrated.onnx", threads=1).depth_and_std(image)
    np.testing.assert_allclose(depth, image[..., 0] * METRES * 1.5, rtol=0.03)
    np.testing.assert_allclose(std, depth / 10, rtol=0.01)


def test_a_new_correction_takes_the_place_of_the_old(tmp_path, capsys):
    wrong = replace(METADATA, correction=Correction(0.5))
    model, points = write_model(tmp_path / "m.onnx", metadata=wrong), lay_out(tmp_path)
    assert run(model, "--points", points) == 0
    assert "takes the place of the one that was there" in capsys.readouterr().err
    image = image_of(99)
    answer = load(tmp_path / "m.calibrated.onnx", threads=1)(image)
    np.testing.assert_allclose(answer, camera(image[..., 0].astype(float)), rtol=0.03)
    again = run(tmp_path / "m.calibrated.onnx", "--points", points, "--output", tmp_path / "2.onnx")
    assert again == 2
    assert "would not help" in refusal(capsys)
    assert run(tmp_path / "m.calibrated.onnx", "--points", points) == 2
    assert "is an input and would be written over; give another output" in refusal(capsys)


def test_a_correction_that_does_harm_is_undone(tmp_path, capsys):
    wrong = replace(METADATA, correction=Correction(0.5))
    model = write_model(tmp_path / "m.onnx", metadata=wrong)
    assert run(model, "--points", lay_out(tmp_path, lambda pixels: METRES * pixels)) == 0
    assert "none of 20 images, 240 points: depth = 1.000 * (the" in capsys.readouterr().out
    image = image_of(99)
    answer = load(tmp_path / "m.calibrated.onnx", threads=1)(image)
    np.testing.assert_allclose(answer, METRES * image[..., 0], rtol=1e-5)


def test_known_distances_of_a_fixed_camera(tmp_path, capsys):
    model = write_model(tmp_path / "m.onnx")
    cv2.imwrite(str(tmp_path / "a.png"), image_of(0))
    cv2.imwrite(str(tmp_path / "b.png"), image_of(0))
    words: list[object] = []
    for number, row in enumerate(range(4, HEIGHT, 5)):
        column = 8 * (number % 8) + 4
        metres = 1.4 * METRES * image_of(0)[row, column, 0]
        words += ["--known-distance", f"{row},{column},{metres:.3f}"]
    images = [tmp_path / "a.png", tmp_path / "b.png"]
    assert run(model, *images, *words) == 0
    told = capsys.readouterr().out
    assert "9 held-out places" in told and "scale of 2 images, 18 points" in told
    answer = load(tmp_path / "m.calibrated.onnx", threads=1)(image_of(1))
    np.testing.assert_allclose(answer, 1.4 * METRES * image_of(1)[..., 0], rtol=0.01)
    assert run(model, *images, *words[:8]) == 2
    assert "of 4 pixel(s) are too few" in refusal(capsys)
    assert run(model, *images, *words[:2], *["--known-distance", words[1]] * 6) == 2
    assert "of 1 pixel(s) are too few" in refusal(capsys)


def test_places_that_stand_in_several_images_are_a_fixed_camera(tmp_path, capsys):
    model = write_model(tmp_path / "m.onnx")
    lines = []
    for number in range(10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image_of(0))
        lines += [f"{number}.png,{row},5,{METRES * image_of(0)[row, 5, 0]}\n" for row in (4, 12)]
    (tmp_path / "points.csv").write_text("".join(lines))
    assert run(model, "--points", tmp_path / "points.csv") == 2
    assert "2 places are too few" in refusal(capsys)


def lay_out_depth(folder: Path) -> str:
    """14 images with depth, 1.4 times that of the network; the name of the data."""
    lines = ["image,depth,split,scene\n"]
    for number in range(14):
        image = np.kron(image_of(number)[..., 0], np.ones((10, 10), np.uint8))[:480, :640]
        cv2.imwrite(str(folder / f"{number}.png"), image)
        depth = 1400 * METRES * image.astype(float)
        cv2.imwrite(str(folder / f"{number}_d.png"), depth[::2, ::2].astype(np.uint16))
        lines.append(f"{number}.png,{number}_d.png,test,room\n")
    (folder / "manifest.csv").write_text("".join(lines))
    return f"nyu:{folder}"


def test_images_with_depth_by_halves(tmp_path, capsys):
    model, data = write_model(tmp_path / "m.onnx"), lay_out_depth(tmp_path)
    assert run(model, "--data", data) == 0
    told = capsys.readouterr()
    assert "7 held-out images" in told.out
    assert "of 7 images, 14336 points: depth = 1.4" in told.out
    assert run(model, "--data", data, "--limit", "11") == 2
    assert "11 images are too few" in refusal(capsys)


def test_one_bad_image_with_depth_is_left_out(tmp_path, capsys):
    model, data = write_model(tmp_path / "m.onnx"), lay_out_depth(tmp_path)
    (tmp_path / "0.png").write_bytes((tmp_path / "0.png").read_bytes()[:99])
    cv2.imwrite(str(tmp_path / "5_d.png"), np.zeros((240, 320), np.uint16))
    assert run(model, "--data", data) == 2
    told = capsys.readouterr()
    damaged, none, counted, written = told.err.splitlines()
    assert "0.png is damaged" in damaged and "5" in none
    assert counted == "2 of 14 images cannot be used and are left out"
    assert "m.calibrated.onnx written" in written and "6 held-out images" in told.out


def test_bad_images_are_named_and_counted_and_the_others_go_on(tmp_path, capsys):
    model, points = write_model(tmp_path / "m.onnx"), lay_out(tmp_path)
    (tmp_path / "3.png").write_bytes(b"no image")
    (tmp_path / "4.png").unlink()
    with points.open("a") as stream:
        stream.write("5.png,48,3,2.5\n")
    assert run(model, "--points", points) == 2
    told = capsys.readouterr()
    *named, counted, written = told.err.splitlines()
    assert [f"{number}.png" in line for number, line in zip((3, 4, 5), named, strict=True)]
    assert all(line.startswith("fastdepth-calibrate: ") for line in named)
    assert counted == "3 of 20 images cannot be used and are left out"
    assert written.startswith(str(tmp_path / "m.calibrated.onnx")) and "17 held-out" in told.out


def test_where_no_image_can_be_used_nothing_is_written(tmp_path, capsys):
    model, points = write_model(tmp_path / "m.onnx"), lay_out(tmp_path, images=2)
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(b"")
    assert run(model, "--points", points) == 2
    assert capsys.readouterr().err.count("is empty") == 2
    assert not (tmp_path / "m.calibrated.onnx").exists()


def test_an_image_of_another_size_is_not_of_the_fixed_camera(tmp_path, capsys):
    model = write_model(tmp_path / "m.onnx")
    cv2.imwrite(str(tmp_path / "a.png"), image_of(0))
    cv2.imwrite(str(tmp_path / "b.png"), image_of(0)[:40])
    metres = 1.5 * METRES * image_of(0)[..., 0]
    places = [(row, column) for row in (4, 20, 36) for column in (4, 28, 52)]
    words = [f"--known-distance={row},{column},{metres[row, column]}" for row, column in places]
    assert run(model, tmp_path / "a.png", tmp_path / "b.png", *words) == 2
    told = capsys.readouterr()
    assert "b.png is 64x40 px" in told.err and "1 of 2 images cannot be used" in told.err
    assert "scale of 1 images, 9 points: depth = 1.5" in told.out


def test_a_focal_length_scales_before_the_correction(tmp_path):
    model, points = write_model(tmp_path / "m.onnx"), lay_out(tmp_path)
    assert run(model, "--points", points, "--focal", "80") == 0
    copy, image = load(tmp_path / "m.calibrated.onnx", threads=1), image_of(99)
    expected = camera(image[..., 0].astype(float))
    np.testing.assert_allclose(copy(image, focal=80.0), expected, rtol=0.03)


def disparity_camera(pixels: np.ndarray) -> np.ndarray:
    return 1 / (2e-4 * 10 * pixels + 0.1)


@pytest.mark.parametrize("shape", [("B", 3, HEIGHT, WIDTH), (1, 3, "H", "W")])
def test_disparity_of_another_program_becomes_metres(tmp_path, capsys, shape):
    other = write_third_party(tmp_path / "other.onnx", shape)
    before, points = other.read_bytes(), lay_out(tmp_path, disparity_camera)
    words = ["--normalise", "raw", "--answer", "disparity"]
    words += ["--input-size", f"{WIDTH}x{HEIGHT}"] if "H" in shape else []
    assert run(other, "--points", points, *words) == 0
    assert "scale and offset of disparity" in capsys.readouterr().out
    assert other.read_bytes() == before
    image, copy = image_of(99), tmp_path / "other.calibrated.onnx"
    expected = disparity_camera(image[..., 0].astype(float))
    model = load(copy, threads=1)
    np.testing.assert_allclose(model(image), expected, rtol=0.03)
    assert (model.metadata.variant, model.size) == ("other.calibrated", (HEIGHT, WIDTH))
    third = ThirdPartyModel(ThirdPartyFile(copy), threads=1)
    np.testing.assert_allclose(third.infer(image[None])[0, 0], expected, rtol=0.03)
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    out = tmp_path / "out"
    assert predict([str(copy), str(tmp_path / "photo.png"), "--output", str(out), "--npy"]) == 0
    np.testing.assert_array_equal(np.load(out / "photo_depth.npy"), model(image))
    with pytest.raises(UsageError, match="is calibrated, .* leave --normalise"):
        ThirdPartyModel(ThirdPartyFile(copy, normalise="raw", output="metres"))
    capsys.readouterr()
    assert run(copy, "--points", points, "--output", tmp_path / "2.onnx") == 2
    assert "would not help" in refusal(capsys)


def test_metres_of_another_program_are_corrected(tmp_path):
    other = write_third_party(tmp_path / "other.onnx", ("B", HEIGHT, WIDTH, 3))
    points = lay_out(tmp_path, lambda pixels: 0.5 * 10 * pixels / 255)
    assert run(other, "--points", points, "--normalise", "unit", "--answer", "metres") == 0
    image, model = image_of(99), load(tmp_path / "other.calibrated.onnx", threads=1)
    np.testing.assert_allclose(model(image), 5 / 255 * image[..., 0], rtol=0.03)
    assert model.metadata.correction and model.metadata.correction.evidence
    third = ThirdPartyModel(ThirdPartyFile(tmp_path / "other.calibrated.onnx"), threads=1)
    np.testing.assert_allclose(third.infer(image[None])[0, 0], model(image), rtol=1e-5)


def test_weights_beside_the_file_stay_there(tmp_path, capsys):
    model, points = tmp_path / "m.onnx", lay_out(tmp_path, lambda pixels: 0.05 * pixels)
    proto = onnx.load(write_third_party(tmp_path / "whole.onnx", (1, 3, HEIGHT, WIDTH)))
    onnx.save(proto, model, save_as_external_data=True, size_threshold=0, location="weights.bin")
    words = ["--points", points, "--normalise", "unit", "--answer", "metres"]
    assert run(model, *words, "--output", tmp_path / "sub" / "c.onnx") == 2
    assert "keeps its weights in a file beside it; write the copy there" in refusal(capsys)
    assert run(model, *words) == 0
    assert load(tmp_path / "m.calibrated.onnx", threads=1)(image_of(0)).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of --known-distance, --points and --data"),
        (["--data", "rooms", "--points", "points.csv"], "give one of"),
        (["--known-distance", "1,2,3"], "needs images"),
        (["0.png", "--points", "points.csv"], "images are for --known-distance"),
        (["0.png", "--known-distance", "1,2"], "'1,2' is not ROW,COLUMN"),
        (["0.png", *known("48,2,3")], "outside of 0.png, which has 48 rows and 64"),
        (["none.png", *known("1,2,3")], "none.png does not exist"),
        (["0.png", "--known-distance", "1,2,3"], "give 6 or more, far apart"),
        (["--points", "none.csv"], "none.csv does not exist"),
        (["--points", "points.csv", "--split", "train"], "--split is for --data"),
        (["--points", "points.csv", "--output", "m.onnx"], "is an input"),
        (["--points", "points.csv", "--output", "points.csv"], "end its name in .onnx"),
        (["--points", "points.csv", "--normalise", "unit"], "is a fastdepth file"),
        (["--points", "points.csv", "--input-size", "9x9"], "takes 64x48, not 9x9"),
        (["--points", "points.csv", "--focal", "nan"], "focal nan"),
        (["--data", "rooms:0"], "rooms"),
    ],
)
def test_what_cannot_work_is_one_line_and_writes_nothing(
    tmp_path, monkeypatch, capsys, words, said
):
    write_model(tmp_path / "m.onnx")
    lay_out(tmp_path, images=1)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert run("m.onnx", *words) == 2
    assert said in refusal(capsys)
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    ("shape", "words", "said"),
    [
        (("B", 3, "H", "W"), ["--input-size", "64000x48"], "--input-size 64000x48 is too large"),
        (("B", 3, "H", "W"), [], "leaves its size open; say --input-size"),
        ((4, 3, HEIGHT, WIDTH), [], "takes 4 images at once, and is given one"),
    ],
)
def test_a_third_party_file_that_cannot_be_called_is_one_line(tmp_path, capsys, shape, words, said):
    model = write_third_party(tmp_path / "m.onnx", shape)
    words = [*words, "--normalise", "raw", "--answer", "metres"]
    assert run(model, "--points", lay_out(tmp_path, images=1), *words) == 2
    assert said in refusal(capsys)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08\x12" + b"x" * 99])
def test_damaged_files_are_one_line(tmp_path, capsys, content):
    (tmp_path / "m.onnx").write_bytes(content)
    assert run(tmp_path / "m.onnx", "--points", lay_out(tmp_path, images=1)) == 2
    assert "m.onnx is " in refusal(capsys)


def test_what_stood_there_stays_where_the_copy_does_not_answer_right(tmp_path, capsys, monkeypatch):
    model, points, copy = write_model(tmp_path / "m.onnx"), lay_out(tmp_path), tmp_path / "c.onnx"
    copy.write_text("mine")
    original = network_module._with_metadata

    def other(network, stored, output):
        return original(network, replace(stored, shift=stored.shift + 0.1), output)

    monkeypatch.setattr(network_module, "_with_metadata", other)
    before = sorted(os.listdir(tmp_path))
    assert run(model, "--points", points, "--output", copy) == 1
    assert "does not answer as it was calibrated to; not written" in refusal(capsys)
    assert copy.read_text() == "mine" and sorted(os.listdir(tmp_path)) == before


def test_without_onnx_the_pip_line_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert run(write_model(tmp_path / "m.onnx"), "--points", lay_out(tmp_path, images=1)) == 2
    assert "pip install 'fastdepth[calibrate]'" in refusal(capsys)
