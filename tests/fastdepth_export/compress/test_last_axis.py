"""The baseline whose softmax is not slow: the same function, on another axis."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from fastdepth.data.rooms.dataset import render_room
from fastdepth.models import DepthNetwork, Prediction
from fastdepth.models.adabins import BinsHead
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export
from fastdepth_export.compress.last_axis import softmax_on_last_axis
from fastdepth_export.verify import run_model, run_network

SIZE = Size(96, 128)
# a network that takes a size so small
RECIPE = ExportRecipe("unet-dws", weights="untrained", sizes=(SIZE,), form="last-axis")


class Bins(DepthNetwork):
    """One convolution and a bins head."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 128, 3, stride=2, padding=1)
        self.bins = BinsHead(bins=8, patch=4)
        encoder = self.bins.mini_vit.encoder
        encoder.layers = encoder.layers[:1]

    def predict(self, normalised):
        depth, centres = self.bins(self.conv(normalised))
        return Prediction(normalised, depth, None, centres)


def softmaxes(model):
    """Axes of the softmaxes."""
    nodes = [node for node in model.graph.node if node.op_type == "Softmax"]
    return [onnx.helper.get_node_attr_value(node, "axis") for node in nodes]


@pytest.mark.thorough
def test_only_the_axis_changes(monkeypatch, tmp_path):
    torch.manual_seed(0)
    network = Bins().eval()
    monkeypatch.setattr("fastdepth_export.network.build_network", lambda recipe: network)
    export(RECIPE, tmp_path / "last-axis.onnx")
    model = onnx.load(tmp_path / "last-axis.onnx")
    axes = softmaxes(model)
    assert axes
    assert 1 not in axes  # that of channels
    images = np.stack([render_room(seed, SIZE).image for seed in (1, 2, 3)])
    as_written = run_network(network, images)["depth"]
    assert as_written.std() > 1e-5
    depth = run_model(model, images, ["depth"])["depth"]
    np.testing.assert_allclose(depth, as_written, rtol=0, atol=1e-4)


def test_the_network_itself_stays_as_written():
    network = Bins().eval()
    other = softmax_on_last_axis(network)
    assert other.bins.mix is not network.bins.mix
    assert type(network.bins) is BinsHead
    assert other.bins.conv_out is network.bins.conv_out  # its parts are shared
    assert softmax_on_last_axis(torch.nn.Identity()).__class__ is torch.nn.Identity
