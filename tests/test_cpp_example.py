"""The example in C++ answers as Python does; built where CMake and ONNX Runtime's headers are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from a_browser import room, shipped

import fastdepth
from fastdepth.preprocess import resize
from fastdepth.size import Size

FOLDER = Path(__file__).parents[1] / "examples" / "cpp"
RUNTIME = os.environ.get("ONNXRUNTIME_ROOT", "")
SIZES = [Size(480, 640), Size(720, 1280), Size(601, 399), Size(241, 333), Size(60, 90)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("cmake"), reason="needs CMake"),
    pytest.mark.skipif(not RUNTIME, reason="needs ONNXRUNTIME_ROOT, an unpacked C++ release"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The program, and a model for it."""
    folder = tmp_path_factory.mktemp("cpp")
    for step in (
        ["cmake", "-S", FOLDER, "-B", folder, f"-DONNXRUNTIME_ROOT={RUNTIME}"],
        ["cmake", "--build", folder],
    ):
        subprocess.run(step, check=True, capture_output=True)
    return folder / "depth", shipped("mnv2-64-dws-70")


def run(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60)


def write_ppm(path, image):
    cv2.imwrite(str(path), image[:, :, ::-1])
    return path


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("focal", [None, 700])
def test_depth_equals_pythons(built, tmp_path, size, focal):
    program, model = built
    image = np.ascontiguousarray(resize(room(5, Size(720, 960)).image, size))
    image ^= np.random.default_rng(0).integers(0, 8, image.shape, np.uint8)  # nothing is smooth
    more = [] if focal is None else [str(focal)]
    done = run(program, model, write_ppm(tmp_path / "i.ppm", image), tmp_path / "d.pfm", *more)
    assert done.returncode == 0, done.stderr
    depth = cv2.imread(str(tmp_path / "d.pfm"), cv2.IMREAD_UNCHANGED)
    expected = fastdepth.load(model, threads=1)(image, focal=focal)
    assert depth.shape == expected.shape
    np.testing.assert_allclose(depth, expected, atol=1e-4, rtol=0)


def test_what_cannot_be_is_one_line(built, tmp_path):
    program, model = built
    image = write_ppm(tmp_path / "i.ppm", np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "broken.onnx").write_bytes(model.read_bytes()[:5000])
    (tmp_path / "cut.ppm").write_bytes(image.read_bytes()[:100])
    out = tmp_path / "d.pfm"
    for words in (
        [tmp_path / "no.onnx", image, out],
        [tmp_path / "broken.onnx", image, out],
        [model, tmp_path / "cut.ppm", out],
        [model, tmp_path / "no.ppm", out],
        [model, image, out, "nan"],
        [model, image, tmp_path / "no" / "d.pfm"],
        [model],
    ):
        done = run(program, *words)
        assert done.returncode == 2, words
        assert len(done.stderr.strip().splitlines()) == 1
    assert not out.exists()
