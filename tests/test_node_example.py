"""The example in Node.js answers as Python does; its packages are installed where npm is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from a_browser import room, shipped
from PIL import Image

import fastdepth
from fastdepth.images.io import read_image
from fastdepth.preprocess import resize
from fastdepth.size import Size

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "node"
SIZES = [Size(480, 640), Size(601, 399), Size(60, 90)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("npm"), reason="needs node and npm"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example with its packages, and a page for it."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "depth.mjs"):
        shutil.copy(FOLDER / name, folder)
    subprocess.run(
        ["npm", "install", "--silent", "--ignore-scripts"], cwd=folder, check=True, timeout=300
    )
    shutil.copytree(ROOT / "export" / "fastdepth_export" / "web_page", folder / "page")
    shutil.copyfile(shipped("mnv2-64-dws-70"), folder / "page" / "model.onnx")
    return folder


def run(folder, *words):
    command = ["node", "depth.mjs", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("focal", [None, 700])
def test_depth_equals_pythons(installed, tmp_path, size, focal):
    image = np.ascontiguousarray(resize(room(5, Size(240, 320)).image, size))
    cv2.imwrite(str(tmp_path / "i.png"), image[:, :, ::-1])
    more = [] if focal is None else ["--focal", focal]
    done = run(installed, "page", tmp_path / "i.png", tmp_path / "d.png", *more)
    assert done.returncode == 0, done.stderr
    depth = cv2.imread(str(tmp_path / "d.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16
    expected = fastdepth.load(installed / "page" / "model.onnx", threads=1)(image, focal=focal)
    np.testing.assert_allclose(depth / 1000, expected, atol=5e-4 + 1e-4, rtol=0)  # millimetres


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(installed, tmp_path, orientation):
    """As :func:`read_image` does; the decoders differ by a grey level or two."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = cv2.resize(room(5, Size(60, 80)).image, (160, 120))
    Image.fromarray(image).save(tmp_path / "i.jpg", exif=exif, quality=95)
    done = run(installed, "page", tmp_path / "i.jpg", tmp_path / "d.png")
    assert done.returncode == 0, done.stderr
    depth = cv2.imread(str(tmp_path / "d.png"), cv2.IMREAD_UNCHANGED)
    model = fastdepth.load(installed / "page" / "model.onnx", threads=1)
    expected = model(read_image(tmp_path / "i.jpg"))
    np.testing.assert_allclose(depth / 1000, expected, atol=0.15, rtol=0)


def test_what_cannot_be_is_one_line(installed, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    for words, said in (
        (["page"], "give PAGE"),
        (["no", "i.png", "d.png"], "no"),
        (["page", tmp_path / "no.png", "d.png"], "no.png"),
        (["page", tmp_path / "broken.png", "d.png"], "broken.png cannot be read as PNG or JPEG"),
    ):
        done = run(installed, *words)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
        assert said in done.stderr
