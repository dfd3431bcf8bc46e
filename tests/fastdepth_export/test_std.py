"""Files that answer with the standard deviation of the bins, against a direct computation."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from bins_by_hand import std_by_hand
from torch.nn import functional as F

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth_export.cli import main
from fastdepth_export.compress.fold import fold
from fastdepth_export.compress.fp16 import to_half
from fastdepth_export.compress.int8 import Quantiser
from fastdepth_export.formats.onnx_graph import to_onnx
from fastdepth_export.verify import run_model

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def with_std(network):
    """The tiny network, asked for std."""
    other = copy.deepcopy(network)
    other.bins.with_std = True
    return other


@pytest.fixture(
    scope="module",
    params=[
        "merged",
        "plain",
        "unmerged",
    ],
)
def graph(request, with_std, tiny):
    """It as a graph in each of its forms."""
    form = request.param
    network = with_std if form == "plain" else fold(with_std, merge=form == "merged")
    return to_onnx(network, (tiny.size,), 20)


@pytest.fixture(scope="module")
def expected(network, images):
    """sqrt(E[c^2] - E[c]^2) of the plain network's softmax in float64, at the images' size."""
    exact = copy.deepcopy(network).double()
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    std = std_by_hand(exact, pixels)
    return F.interpolate(std, images.shape[1:3], mode="bilinear", align_corners=True).numpy()


def test_every_form_and_precision_border_included(graph, expected, images, tiny):
    got = run_model(graph, images, ["depth", "std"])
    assert got["std"].shape == got["depth"].shape == expected.shape
    assert got["std"].dtype == np.float32
    assert expected.std() > 1e-3  # a constant would prove nothing
    np.testing.assert_allclose(got["std"], expected, atol=1e-4)
    eighth = Quantiser(graph, tiny.size, "rooms:2", "u8s8").quantise([])
    for reduced, bound in ((to_half(graph), 0.02), (eighth, 0.2)):
        std = run_model(reduced, images, ["std"])["std"]
        assert std.dtype == np.float32
        assert 0 < np.abs(std - expected).mean() < bound  # of up to 5 m


def test_a_file_through_the_runtime(weights, tmp_path, capsys):
    path, given = tmp_path / "std.onnx", ["--weights", str(weights)]
    words = ["--variant", "tiny", "--outputs", "depth,std", "--output", str(path)]
    assert main([*words, *given]) == 0
    model = fastdepth.load(path, threads=1)
    depth, std = model.depth_and_std(render_room(3, Size(120, 200)).image)
    assert depth.shape == std.shape == (120, 200)
    assert (std >= 0).all()
    assert std.max() < 5
    assert main(["--verify", str(path), *given]) == 0
    assert "std at the image's size" in capsys.readouterr().out


@pytest.mark.parametrize(
    "precision", ["fp32", pytest.param("fp16 --data rooms:4", marks=pytest.mark.slow)]
)
def test_bins_of_log_depth(precision, tmp_path, capsys):
    path = tmp_path / "std.onnx"
    asked = f"--variant mnv2-64-dws-70 --size 64x64 --outputs depth,std --precision {precision}"
    assert main([*asked.split(), "--output", str(path)]) == 0
    depth, std = fastdepth.load(path, threads=1).depth_and_std(render_room(3, Size(60, 80)).image)
    assert (std > 0).all()
    assert (std < 10).all()
    assert std.std() > 1e-3
    assert ((depth > 0.1) & (depth < 10)).all()
    assert main(["--verify", str(path)]) == 0
    assert "std at the image's size" in capsys.readouterr().out
