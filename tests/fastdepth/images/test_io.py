"""Images of every common kind come out as uint8 RGB, and broken ones as one clear line."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from fastdepth.errors import ImageError, OutputError
from fastdepth.images.io import image_from, read_image, write_png
from fastdepth.images.png import START

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
    with pytest.raises(ImageError, match="is a folder, not a file"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# notes\n", r"a\.jpg is not an image"),
        (b"%PDF-1.7", "not an image"),
        (b"GIF89a", "damaged"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"\0\0\0\x18ftypisom" + bytes(99), r"is a video; make images of its frames.*ffmpeg"),
        (b"RIFF\0\0\0\0AVI LIST", "is a video"),
        (b"\0\0\0\x18ftypheic" + bytes(99), "HEIF"),
    ],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=message):
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


def noise(height: int = 120, width: int = 160) -> np.ndarray:
    """A BGR image of smooth noise, whose blocks take many bytes."""
    drawn = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(drawn, (5, 5), 0)


def lossless(kind: str) -> bytes:
    """The noise as a file by Pillow."""
    stream = io.BytesIO()
    tiff = kind.startswith("tiff_")
    image = Image.fromarray(noise()[..., ::-1])
    image.save(stream, "TIFF" if tiff else kind, **({"compression": kind} if tiff else {}))
    return stream.getvalue()


BASELINE = encoded(".jpg", noise())
PROGRESSIVE = cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
RESTARTS = cv2.imencode(".jpg", noise(), [cv2.IMWRITE_JPEG_RST_INTERVAL, 8])[1].tobytes()


@pytest.mark.parametrize("whole", [BASELINE, PROGRESSIVE, RESTARTS])
@pytest.mark.parametrize("spoil", ["cut and ended", "lost", "zeroed", "taller", "shorter"])
def test_a_jpeg_with_a_lost_middle_is_damaged(whole: bytes, spoil: str, capfd) -> None:
    assert image_from(whole, "a.jpg").shape == (120, 160, 3)
    half = len(whole) // 2
    frame = whole.index(b"\xff\xc2" if whole is PROGRESSIVE else b"\xff\xc0")
    height = {"taller": 480, "shorter": 48}.get(spoil, 120).to_bytes(2, "big")
    content = {
        "cut and ended": whole[:half] + b"\xff\xd9",
        "lost": whole[:half] + whole[half + 2000 :],
        "zeroed": whole[:half] + bytes(2000) + whole[half + 2000 :],
    }.get(spoil, whole[: frame + 5] + height + whole[frame + 7 :])
    with pytest.raises(ImageError, match=r"a\.jpg is damaged: .*; copy it again"):
        image_from(content, "a.jpg")
    assert capfd.readouterr() == ("", "")


def test_a_jpeg_is_good_whatever_stands_beside_its_pixels(capfd) -> None:
    whole = image_from(BASELINE, "a.jpg")
    parts = b"\xff\xed\0\5\1\2\3", b"\xff\xe2\0\x10ICC_PROFILE\0\1\1", b"\xff\xfe\0\4\xff\xd9"
    for part in parts:
        np.testing.assert_array_equal(image_from(BASELINE[:2] + part + BASELINE[2:], "a"), whole)
    for behind in (bytes(999), b"\xff\xd8\xff" + bytes(9), PROGRESSIVE, b"\xff"):
        np.testing.assert_array_equal(image_from(BASELINE + behind, "a"), whole)
    for padding in (b"\0", bytes(500), b"\xff\xff"):  # between the data and the end marker
        np.testing.assert_array_equal(image_from(BASELINE[:-2] + padding + b"\xff\xd9", "a"), whole)
    assert capfd.readouterr() == ("", "")


def test_jpegs_of_every_kind_are_what_opencv_makes_of_them() -> None:
    for sampling in (0x411111, 0x221111, 0x211111, 0x111111):
        for progressive in (0, 1):
            given = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
            given += [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
            content = cv2.imencode(".jpg", noise(97, 61), given)[1]
            expected = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1]
            np.testing.assert_array_equal(image_from(content.tobytes(), "a"), expected)
    for mode in ("L", "CMYK"):
        stream = io.BytesIO()
        Image.fromarray(noise()).convert(mode).save(stream, "JPEG")
        expected = cv2.imdecode(np.frombuffer(stream.getvalue(), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(image_from(stream.getvalue(), "a"), expected[..., ::-1])


@pytest.mark.parametrize("orientation", range(11))
def test_every_orientation_is_turned_as_opencv_does(orientation: int) -> None:
    content = with_exif(BASELINE, orientation)
    stored = np.frombuffer(content, np.uint8)
    expected = cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(image_from(content, "a"), expected)
    expected = cv2.imdecode(stored, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]
    np.testing.assert_array_equal(image_from(content, "a", upright=False), expected)


def test_a_block_of_exif_that_makes_no_sense_turns_nothing() -> None:
    for cut in range(22):  # until the one tag is whole
        body = (b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0")[: 6 + cut]
        part = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
        assert image_from(BASELINE[:2] + part + BASELINE[2:], "a").shape == (120, 160, 3)


def test_a_progressive_jpeg_is_refused_without_its_last_scan_or_with_too_many() -> None:
    scan = PROGRESSIVE.rindex(b"\xff\xda")
    for content in (PROGRESSIVE[:scan], PROGRESSIVE[:scan] + PROGRESSIVE[scan:-2] * 200):
        with pytest.raises(ImageError, match="last scan|more than 100 scans"):
            image_from(content + b"\xff\xd9", "a")


def test_a_head_of_a_scan_that_says_what_has_no_meaning_is_put_right(capfd) -> None:
    at = BASELINE.index(b"\0\x3f\0", BASELINE.index(b"\xff\xda"))
    odd = BASELINE[:at] + b"\0\0\0" + BASELINE[at + 3 :]
    np.testing.assert_array_equal(image_from(odd, "a"), image_from(BASELINE, "a"))
    assert capfd.readouterr() == ("", "")


def test_padding_without_end_takes_no_time() -> None:
    for padding in (bytes(50_000_000), b"\xff" * 50_000_000):
        with_padding = BASELINE[:2] + padding + BASELINE[2:]
        assert image_from(with_padding, "a").shape == (120, 160, 3)


def test_every_wrong_byte_of_a_png_is_damage(capfd) -> None:
    whole = encoded(".png", noise(24, 32))
    for place in range(4, len(whole), 7):
        content = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        with pytest.raises(ImageError, match=r"a\.png is damaged"):
            image_from(content, "a.png")
    assert capfd.readouterr() == ("", "")


def png_part(kind: bytes, body: bytes) -> bytes:
    """A part of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_png_is_good_whatever_stands_beside_its_pixels(capfd) -> None:
    whole, at = encoded(".png", noise(24, 32)), 8 + 25
    for part in (png_part(b"iCCP", b"odd"), png_part(b"tEXt", b""), png_part(b"tRNS", b"odd")):
        content = whole[:at] + part + whole[at:] + b"behind the end"
        assert (image_from(content, "a") == noise(24, 32)[..., ::-1]).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["tiff_lzw", "tiff_adobe_deflate", "WEBP", "GIF", "JPEG2000"])
def test_other_kinds_are_read_whole_and_refused_damaged(kind: str, capfd) -> None:
    whole = lossless(kind)
    assert image_from(whole, "a").shape == (120, 160, 3)
    half = len(whole) // 2
    spoilt = [whole[:half], whole[:half] + whole[half + 300 :]]
    if kind not in ("JPEG2000", "WEBP"):  # whose coders take any bits for pixels
        spoilt.append(whole[:half] + bytes(300) + whole[half + 300 :])
    for content in spoilt:
        with pytest.raises(ImageError, match=r"a\.img is damaged"):
            image_from(content, "a.img")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_upright(orientation: int) -> None:
    pixels, exif, stream = cv2.GaussianBlur(noise(), (15, 15), 0), Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(stream, "AVIF", exif=exif, quality=95)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(stream)), np.float32)
    found = image_from(stream.getvalue(), "a")
    assert found.shape == expected.shape and np.abs(found - expected).mean() < 4
    assert image_from(stream.getvalue(), "a", upright=False).shape == pixels.shape


@pytest.mark.parametrize("white", [b"100", b"# a\n1023", b"256"])
def test_a_pnm_of_another_white_is_refused(white: bytes) -> None:
    content = b"P2 32 24\n" + white + b"\n" + b"90 " * 768
    with pytest.raises(ImageError, match="for white, not 255 or 65535; save it as PNG"):
        image_from(content, "a")


def test_a_pnm_of_written_numbers_needs_no_end_of_line() -> None:
    content = b"P2 # ours\n32 24\n255\n" + b" ".join([b"90"] * 768)
    assert (image_from(content, "a") == 90).all()


def test_a_whole_tiff_that_opencv_does_not_read_is_not_called_damaged() -> None:
    stream = io.BytesIO()
    Image.fromarray(noise()).save(stream, "TIFF", compression="lzma")
    with pytest.raises(ImageError, match="a kind that OpenCV does not read; save it as PNG"):
        image_from(stream.getvalue(), "a")


@pytest.mark.filterwarnings("default")
def test_broken_exif_of_a_jpeg_is_passed_over_in_silence(recwarn) -> None:
    for body in (b"\5\0\x12\1\3\0", b"\1\0\x12\1\3\0\xff\xff\xff\x7f\x08\0\0\0"):
        part = b"Exif\0\0II*\0\x08\0\0\0" + body
        exif = b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part
        image_from(BASELINE[:2] + exif + BASELINE[2:], "a")
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM"])
def test_pixels_are_counted_before_memory_is_spent(kind: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (200, 100)).save(stream, kind)
    assert image_from(stream.getvalue(), "a", max_pixels=20_000).shape == (100, 200, 3)
    with pytest.raises(ImageError, match="200x100 px, too large.* 19999 pixels, or .*--max-pixels"):
        image_from(stream.getvalue(), "a", max_pixels=19_999)


def test_a_small_file_of_very_many_pixels_is_refused() -> None:
    header = png_part(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0))
    bomb = START + header + png_part(b"IDAT", b"") + png_part(b"IEND", b"")
    with pytest.raises(ImageError, match="20000x20000 px, too large"):
        image_from(bomb, "a")


def test_memory_that_does_not_suffice_is_one_line(monkeypatch) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("simplejpeg.decode_jpeg", none_left)
    with pytest.raises(ImageError, match="a does not fit into memory"):
        image_from(BASELINE, "a")


def test_opencvs_log_is_as_loud_after_as_it_was_before() -> None:
    level = getattr(cv2, "getLogLevel", None) or cv2.utils.logging.getLogLevel
    before = level()
    image_from(encoded(".png", noise(24, 32)), "a")
    with pytest.raises(ImageError):
        image_from(lossless("GIF")[:500], "a")
    assert level() == before


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


def of_runs(indices: np.ndarray, bits: int) -> bytes:
    """Rows (h, w) of numbers of colours as runs of a BMP, single pixels of each row together."""
    found = b""
    for row in indices[::-1]:
        for run in np.split(row, np.flatnonzero(np.diff(row)) + 1):
            value = int(run[0]) * (17 if bits == 4 else 1)
            found += bytes([len(run), value])
        found += b"\0\0"
    return found + b"\0\1"


def bmp_of(runs: bytes, bits: int, height: int, width: int) -> bytes:
    """A BMP of 16 greys."""
    colours = b"".join(bytes([17 * grey] * 3 + [0]) for grey in range(16))
    start = 54 + len(colours)
    head = struct.pack("<HIHHI", 0x4D42, start + len(runs), 0, 0, start)
    kind = {8: 1, 4: 2}[bits]
    said = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, kind, len(runs), 0, 0, 16, 0)
    return head + said + colours + runs


@pytest.mark.parametrize("bits", [4, 8])
def test_a_bmp_whose_runs_do_not_fill_its_rows_is_damaged(bits: int) -> None:
    indices = np.random.default_rng(0).integers(0, 16, (40, 24)).repeat(2, 1).astype(np.uint8)
    runs = of_runs(indices, bits)
    image = image_from(bmp_of(runs, bits, 40, 48), "a.bmp")
    np.testing.assert_array_equal(image, (indices * 17)[..., None].repeat(3, -1))
    for start in range(0, len(runs) - 64, 2):
        for filling in (b"", bytes(64)):
            content = bmp_of(runs[:start] + filling + runs[start + 64 :], bits, 40, 48)
            with pytest.raises(ImageError, match=r"^a\.bmp is damaged"):
                image_from(content, "a.bmp")


@pytest.mark.parametrize(
    "runs",
    [
        b"\x30\1\0\0" * 39 + b"\x30\1\0\1",
        b"\x30\1\0\0" * 40 + b"\0\1behind",
        b"\x30\1\0\0" * 39 + b"\x20\1\0\3\1\1\1\0\0\x0d" + b"\1" * 13 + b"\0\0\0\0\1",
    ],
)
def test_runs_of_a_bmp_as_programs_write_them(runs: bytes) -> None:
    assert (image_from(bmp_of(runs, 8, 40, 48), "a.bmp") == 17).all()


def test_runs_of_a_bmp_may_skip() -> None:
    runs = b"\x30\1\0\0" * 10 + b"\x10\1\0\2\x10\5" + b"\x10\1\0\0" + b"\x30\1\0\0" * 24 + b"\0\1"
    image = image_from(bmp_of(runs, 8, 40, 48), "a.bmp")
    assert (image[30:] == 17).all() and not image[25:29, :16].any()


def test_runs_of_a_bmp_end() -> None:
    for runs in (b"\0\2\0\0" * 100_000, b"\0\0" * 1000, b"\0\2", b""):
        with pytest.raises(ImageError, match="damaged"):
            image_from(bmp_of(runs, 8, 40, 48), "a.bmp")
    with pytest.raises(ImageError, match="more run-length codes than are read; save it as PNG"):
        image_from(bmp_of(bytes(2**24 + 1), 8, 40, 48), "a.bmp")


def test_a_big_endian_bigtiff_is_not_called_damaged() -> None:
    with pytest.raises(ImageError, match="a big-endian BigTIFF, which is not read; save it as PNG"):
        image_from(b"MM\0+\0\x08\0\0" + bytes(99), "a")
