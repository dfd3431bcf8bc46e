"""Each bad input is one clear line, in Python and on the command line, and spoils no file."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import onnx
import pytest
from tiny_onnx import write_model

from fastdepth import load
from fastdepth.errors import DeviceError, ImageError, ModelFileError, OutputError
from fastdepth.images.io import read_image, write_png
from fastdepth.images.points import write_ply
from fastdepth.predict import main
from fastdepth.runtime.model import DepthModel

Fails = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Fails:
    """Run the command, which must fail with status 2 and one line on stderr: return that."""

    def run(*words: object, output: Path | None = None) -> str:
        arguments = [*map(str, words), "--output", str(output or tmp_path / "out")]
        assert main([*arguments, "--threads", "1"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        (line,) = err.splitlines()
        assert line.startswith("fastdepth-predict: ")
        return line

    return run


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels)[1].tobytes()


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)

BAD_IMAGES = {
    "not an image": (b"just text\n" * 20, "not an image"),
    "empty": (b"", "is empty"),
    "truncated JPEG": (jpeg(NOISE)[:2000], "truncated"),
    "1x1": (jpeg(NOISE[:1, :1]), "too small"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images(name: str, tiny_file: Path, tmp_path: Path, fails: Fails) -> None:
    content, message = BAD_IMAGES[name]
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message):
        read_image(path)
    assert message in fails(tiny_file, path)
    assert not (tmp_path / "out").exists()


def test_missing_image(tiny_file: Path, tmp_path: Path, fails: Fails) -> None:
    assert "does not exist" in fails(tiny_file, tmp_path / "none.png")


@pytest.mark.parametrize(
    "pixels",
    [
        NOISE.astype(np.uint16) * 257,
        NOISE[..., 0],
        NOISE[..., 0].astype(np.uint16) * 257,
        np.dstack([NOISE, NOISE[..., :1]]),
    ],
    ids=["16-bit", "grey", "16-bit grey", "RGBA"],
)
def test_other_kinds_of_images_are_converted(
    pixels: np.ndarray, tiny_file: Path, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    words = [tiny_file, tmp_path / "a.png", "--output", tmp_path / "out", "--threads", 1]
    assert main([str(word) for word in words]) == 0
    depth = cv2.imread(str(tmp_path / "out" / "a_depth.png"), cv2.IMREAD_UNCHANGED)
    red = NOISE[..., 2 if pixels.ndim == 3 else 0]  # OpenCV's order is blue, green, red
    assert depth.shape == (64, 64)
    assert depth.mean() == pytest.approx(red.mean() * 40, rel=0.02)


def test_a_image_20000_pixels_wide(tiny_file: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "wide.png", np.full((30, 20_000, 3), 100, np.uint8))
    words = [tiny_file, tmp_path / "wide.png", "--output", tmp_path / "out", "--threads", 1]
    assert main([str(word) for word in words]) == 0
    depth = cv2.imread(str(tmp_path / "out" / "wide_depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.shape == (30, 20_000)
    assert (depth == 4000).all()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((48, 64, 3), np.float32), r"float32.*\* 255"),
        (np.zeros((48, 64, 3), np.uint16), "uint16; give"),
        (np.zeros((48, 64), np.uint8), r"grey.*np\.stack"),
        (np.zeros((48, 64, 4), np.uint8), r"\(48, 64, 4\).*drops alpha"),
        (np.zeros((3, 48, 64), np.uint8), r"\(3, 48, 64\)"),
        (np.zeros((1, 48, 64, 3), np.uint8), r"\(1, 48, 64, 3\)"),
        (np.zeros((1, 1, 3), np.uint8), "1x1 px; both sides"),
        (np.zeros((15, 64, 3), np.uint8), "64x15 px; both sides"),
        ([[0, 0, 0]], "is a list"),
    ],
)
def test_arrays_that_are_no_image(tiny_model: DepthModel, image: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message) as caught:
        tiny_model(image)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "batch", [np.zeros((1, 48, 64, 3), np.float32), np.zeros((1, 3, 48, 64), np.uint8)]
)
def test_batches_that_do_not_fit(tiny_model: DepthModel, batch: Any) -> None:
    with pytest.raises(ImageError, match=r"this model takes uint8 \(B, 48, 64, 3\)"):
        tiny_model.infer(batch)


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def truncated(path: Path) -> None:
    content = write_model(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def no_onnx(path: Path) -> None:
    path.write_text("<html>404: Not Found</html>")


def third_party(path: Path) -> None:
    write_model(path, metadata=None)


def float_input(path: Path) -> None:
    write_model(path, input_type=onnx.TensorProto.FLOAT)


def broken_metadata(path: Path) -> None:
    model = onnx.load(str(write_model(path)))
    model.metadata_props[0].value = "{"
    onnx.save(model, str(path))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing, "does not exist"),
        (truncated, "truncated or not an ONNX model"),
        (no_onnx, "is not an ONNX file"),
        (third_party, "no fastdepth metadata"),
        (float_input, r"tensor\(float\).*but its metadata says uint8"),
        (broken_metadata, "the metadata of .* is not JSON"),
    ],
)
def test_bad_models(
    spoil: Callable[[Path], None], message: str, tmp_path: Path, photo_file: Path, fails: Fails
) -> None:
    path = tmp_path / "bad.onnx"
    spoil(path)
    with pytest.raises(ModelFileError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert "fastdepth-export" in str(caught.value)
    assert str(caught.value) in fails(path, photo_file)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_no_gpu_where_one_was_asked_for(
    provider: str,
    tiny_file: Path,
    photo_file: Path,
    fails: Fails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"pip install 'fastdepth\[gpu\]'"):
        load(tiny_file, provider=provider)
    assert "fastdepth[gpu]" in fails(tiny_file, photo_file, "--provider", provider)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An output of an earlier run."""
    path = tmp_path / "out" / "photo_depth.png"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


def test_output_that_is_a_file(
    tiny_file: Path, photo_file: Path, tmp_path: Path, fails: Fails
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"old")
    assert f"{blocked} is not a folder" in fails(tiny_file, photo_file, output=blocked)
    assert blocked.read_bytes() == b"old"


def test_output_that_may_not_be_written(
    tiny_file: Path, photo_file: Path, old: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkstemp", refuse)  # permissions do not stop root in a container
    assert "Permission denied" in fails(tiny_file, photo_file)
    assert [path.name for path in old.parent.iterdir()] == [old.name]
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk(
    call: str,
    tiny_file: Path,
    photo_file: Path,
    photo: np.ndarray,
    old: Path,
    fails: Fails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    line = fails(tiny_file, photo_file, photo_file, "--npy", "--ply")
    assert "No space left on device" in line
    with pytest.raises(OutputError, match="No space left on device"):
        write_ply(old, photo.astype(np.float32), photo)
    assert [path.name for path in old.parent.iterdir()] == [old.name]
    assert old.read_bytes() == b"old"
