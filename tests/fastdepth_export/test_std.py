"""Files that answer with the standard deviation of the error, against PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from an_interval import FACTORS
from torch.nn import functional as F

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth.weights import read_card, shipped_weights
from fastdepth_export.cli import main
from fastdepth_export.compress.fold import fold
from fastdepth_export.compress.fp16 import to_half
from fastdepth_export.compress.int8 import Quantiser
from fastdepth_export.formats.onnx_graph import to_onnx
from fastdepth_export.verify import run_model

pytestmark = pytest.mark.thorough

WITH_HEAD = [tag for tag, path in shipped_weights().items() if read_card(path).interval]


@pytest.fixture(
    scope="module",
    params=[
        "merged",
        pytest.param("plain", marks=pytest.mark.slow),
        pytest.param("unmerged", marks=pytest.mark.slow),
    ],
)
def graph(request, with_std, tiny):
    """It as a graph in each of its forms."""
    form = request.param
    network = with_std if form == "plain" else fold(with_std, merge=form == "merged")
    return to_onnx(network, (tiny.size,), 20)


@pytest.fixture(scope="module")
def expected(with_std, images):
    """Std of the plain network in float64, at the images' size."""
    exact = copy.deepcopy(with_std).double()
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    with torch.inference_mode():
        std = exact(pixels).std
    return F.interpolate(std, images.shape[1:3], mode="bilinear", align_corners=True).numpy()


def test_every_form_and_precision_border_included(graph, expected, images, tiny):
    got = run_model(graph, images, ["depth", "std"])
    assert got["std"].shape == got["depth"].shape == expected.shape
    assert got["std"].dtype == np.float32
    assert (expected / got["depth"]).std() > 1e-3  # a constant share would prove nothing
    np.testing.assert_allclose(got["std"], expected, atol=1e-4)
    eighth = Quantiser(graph, tiny.size, "rooms:2", "u8s8").quantise([])
    for reduced, bound in ((to_half(graph), 0.02), (eighth, 0.2)):
        std = run_model(reduced, images, ["std"])["std"]
        assert std.dtype == np.float32
        assert 0 < np.abs(std - expected).mean() < bound * expected.mean()


def test_a_file_through_the_runtime(weights_with_std, tmp_path, capsys):
    path, given = tmp_path / "std.onnx", ["--weights", str(weights_with_std)]
    words = ["--variant", "tiny", "--outputs", "depth,std", "--output", str(path)]
    assert main([*words, *given]) == 0
    model = fastdepth.load(path, threads=1)
    assert model.metadata.interval == FACTORS
    image = render_room(3, Size(120, 200)).image
    depth, std = model.depth_and_std(image)
    assert depth.shape == std.shape == (120, 200)
    assert ((std > 0) & (std <= depth * 1.0001)).all()
    lower, upper = model.interval(image, 0.9)
    np.testing.assert_allclose(upper, depth * np.exp(1.7 * std / depth), rtol=1e-5)
    assert ((lower < depth) & (depth < upper)).all()
    assert main(["--verify", str(path), *given]) == 0
    assert "std at the image's size" in capsys.readouterr().out


def test_depth_alone_has_no_intervals(weights_with_std, tmp_path):
    path = tmp_path / "depth.onnx"
    words = ["--variant", "tiny", "--weights", str(weights_with_std), "--output", str(path)]
    assert main([*words, "--batch", "1"]) == 0  # half the time of any batch
    assert fastdepth.load(path, threads=1).metadata.interval is None


def test_the_small_networks_ship_with_a_head():
    assert {"mnv2-64-dws.nyu-furnished", "mnv2-64-dws-70.nyu-furnished"} <= set(WITH_HEAD)


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param(tag, marks=pytest.mark.thorough if "-70" in tag else pytest.mark.slow)
        for tag in WITH_HEAD
    ],
)
def test_shipped_weights_tell_it(tag, tmp_path):
    path = tmp_path / "std.onnx"
    size = "" if tag.startswith("unet") else "--size 64x64"
    asked = f"--variant {tag.rpartition('.')[0]} {size} --batch 1 --outputs depth,std"
    assert main([*asked.split(), "--output", str(path)]) == 0
    model = fastdepth.load(path, threads=1)
    assert model.metadata.interval is not None
    depth, std = model.depth_and_std(render_room(3, Size(60, 80)).image)
    share = std / depth
    assert ((share > 0.01) & (share < 1.01)).all()
    assert share.std() > 1e-3
