"""Images of every common kind come out as uint8 RGB, and broken ones as one clear line."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastdepth.errors import ImageError, OutputError
from fastdepth.images.io import read_image, write_png

RED = (0, 0, 200)
"""Red in OpenCV's order: blue, green, red."""


def image(height: int = 24, width: int = 32) -> np.ndarray:
    """A BGR image, red above and black below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = RED
    return pixels


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    """The bytes of an image file."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


def with_exif(jpeg: bytes, orientation: int, thumbnail: bytes = b"") -> bytes:
    """The JPEG with an EXIF block: an orientation, and bytes where a thumbnail is kept."""
    tiff = b"II*\x00" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, orientation, 0)
    body = b"Exif\x00\x00" + tiff + thumbnail
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_channels_come_as_red_green_blue(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), image())
    pixels = read_image(tmp_path / "a.png")
    assert pixels.shape == (24, 32, 3) and pixels.dtype == np.uint8
    assert tuple(pixels[0, 0]) == (200, 0, 0) and tuple(pixels[-1, 0]) == (0, 0, 0)


def test_grey_is_repeated(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20), 77, np.uint8))
    assert (read_image(tmp_path / "a.png") == 77).all()


def test_alpha_is_dropped_not_blended(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((20, 20, 4), (10, 20, 30, 0), np.uint8))
    assert tuple(read_image(tmp_path / "a.png")[3, 3]) == (30, 20, 10)


@pytest.mark.parametrize(("stored", "expected"), [(65535, 255), (257, 1), (128, 0), (129, 1)])
def test_sixteen_bits_are_scaled_and_rounded(tmp_path: Path, stored: int, expected: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((16, 16, 3), stored, np.uint16))
    assert (read_image(tmp_path / "a.png") == expected).all()


def test_exif_orientation_turns_the_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(with_exif(encoded(".jpg", image()), orientation=6))
    pixels = read_image(tmp_path / "a.jpg")
    assert pixels.shape == (32, 24, 3)  # a quarter turn clockwise: the top is now at the right
    assert pixels[16, -3, 0] > 150 and pixels[16, 2, 0] < 50


def test_a_very_wide_image_is_read(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((16, 20_000, 3), np.uint8))
    assert read_image(tmp_path / "a.jpg").shape == (16, 20_000, 3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 400)])
def test_too_small(tmp_path: Path, height: int, width: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((height, width), np.uint8))
    with pytest.raises(ImageError, match=rf"{width}x{height} px, too small.* 16 or more"):
        read_image(tmp_path / "a.png")


def test_too_wide(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((16, 65_536), np.uint8))
    with pytest.raises(ImageError, match="65536x16 px, too large"):
        read_image(tmp_path / "a.png")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png does not exist"):
        read_image(tmp_path / "none.png")


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)


@pytest.mark.parametrize("content", [b"# notes\n", b"GIF89a", b"\xff\xd8\xff\xd9"])
def test_not_a_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.jpg is not an image"):
        read_image(tmp_path / "a.jpg")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageError, match="is empty"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(suffix, noise)
    (tmp_path / "a").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ImageError, match="truncated"):
        read_image(tmp_path / "a")


def test_a_whole_thumbnail_does_not_hide_a_truncated_jpeg(tmp_path: Path) -> None:
    thumbnail = encoded(".jpg", image())
    content = with_exif(encoded(".jpg", image(256, 256)), 1, thumbnail)
    (tmp_path / "whole.jpg").write_bytes(content)
    (tmp_path / "cut.jpg").write_bytes(content[:-20])
    assert read_image(tmp_path / "whole.jpg").shape == (256, 256, 3)
    with pytest.raises(ImageError, match="truncated"):
        read_image(tmp_path / "cut.jpg")


def test_bytes_after_the_image_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(".jpg", image()) + b"appended by a telephone")
    assert read_image(tmp_path / "a.jpg").shape == (24, 32, 3)


def test_written_rgb_is_read_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    write_png(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)


def test_written_millimetres_keep_all_bits(tmp_path: Path) -> None:
    depth = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109
    write_png(tmp_path / "a.png", depth)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png"), -1), depth)


@pytest.mark.parametrize(
    "array", [np.zeros((9, 9), np.float32), np.zeros((9, 9, 4), np.uint8), np.zeros(9, np.uint16)]
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ImageError, match="give"):
        write_png(tmp_path / "a.png", array)
    assert not list(tmp_path.iterdir())


def test_unwritable_place(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write_png(tmp_path, np.zeros((9, 9, 3), np.uint8))
