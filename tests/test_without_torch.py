"""An app's environment: the core and ONNX Runtime, no torch anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export

ROOT = Path(__file__).parents[1]

APP = """
import importlib.util
import sys

import cv2
import numpy as np

import fastdepth

assert importlib.util.find_spec("torch") is None
model = fastdepth.load(sys.argv[1])
depth = model(cv2.imread(sys.argv[2])[..., ::-1])
np.save(sys.argv[3], depth)
"""


@pytest.mark.slow
def test_the_runtime_embeds_where_torch_is_not_installed(tmp_path):
    import cv2

    from fastdepth.runtime.model import load

    model, photo = tmp_path / "m.onnx", tmp_path / "photo.png"
    export(ExportRecipe("unet128-dws", sizes=(Size(320, 416),)), model)
    image = render_room(1, Size(240, 320)).image
    cv2.imwrite(str(photo), image[..., ::-1])
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python, pip = venv / "bin" / "python", [venv / "bin" / "python", "-m", "pip", "install", "-q"]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", f"{ROOT}[cpu]"], check=True)
    subprocess.run([python, "-c", APP, model, photo, tmp_path / "depth.npy"], check=True)
    done = subprocess.run(
        [venv / "bin" / "fastdepth-predict", model, photo, "--output", tmp_path / "out"],
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "out" / "photo_colour.png").exists()
    by_name = [venv / "bin" / "fastdepth-predict", "mnv2-64-dws", photo, "--output"]
    subprocess.run([*by_name, tmp_path / "by-name"], check=True, cwd=tmp_path)
    assert (tmp_path / "by-name" / "photo_depth.png").exists()
    expected = load(model)(image)
    np.testing.assert_allclose(np.load(tmp_path / "depth.npy"), expected, atol=1e-4)
