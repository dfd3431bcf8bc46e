"""Folded equals plain in float64 over the whole map, border included."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest
import torch
from an_uncertainty_head import random_head
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.data.rooms.dataset import render_room
from fastdepth.models import create_model
from fastdepth.models.adabins import BinsHead
from fastdepth.models.efficientnet import AdaBinsEfficientNet
from fastdepth.models.unet import AdaBinsUNet
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export
from fastdepth_export.compress import bins_logits
from fastdepth_export.compress.fold import FoldedEfficientNet, FoldedUNet, fold
from fastdepth_export.cost import graph_cost

OTHERS = ("unet256", "unet128", "unet128-dws-75")


@pytest.fixture(autouse=True)
def _seed():
    """Networks begin with the same weights in any order of tests; some seeds make dead ones."""
    torch.manual_seed(0)


def lively(network, factor=1.0):
    """Biases that are not zero and features that follow the image, in float64."""
    torch.manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.bias.normal_()
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        network.double().unet(torch.rand(2, 3, 128, 128, dtype=torch.float64))  # statistics
        network.bins.mini_vit.pixel_conv.weight *= factor
    return network.eval()


def efficientnet():
    """An AdaBins with the smallest encoder, and patches for small images, in float64."""
    network = AdaBinsEfficientNet("tf_efficientnet_b0.ap_in1k", bins=8)
    network.bins = BinsHead(bins=8, patch=4)
    return network.double().eval()


def both(network, image, **options):
    with torch.inference_mode():
        return network(image), fold(network, **options)(image)


@pytest.mark.parametrize("merge", [True, pytest.param(False, marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    "name",
    ["unet128-dws", *(pytest.param(n, marks=pytest.mark.thorough) for n in OTHERS)],
)
def test_networks_of_the_table_on_a_room(name, merge):
    image = render_room(5, Size(320, 416)).image
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255
    plain, folded = both(lively(create_model(name)), pixels, merge=merge)
    assert plain.depth.std() > 1e-4  # a constant would prove nothing
    torch.testing.assert_close(folded.depth, plain.depth, rtol=0, atol=1e-9)
    torch.testing.assert_close(folded.centres, plain.centres, rtol=0, atol=1e-9)


@pytest.mark.thorough
@settings(deadline=None, max_examples=8)
@given(st.integers(96, 120), st.integers(14, 16), st.integers(1, 3), st.booleans(), st.booleans())
def test_any_size_and_batch(height, eighth, batch, separable, merge):
    network = lively(AdaBinsUNet(bins=8, separable=separable, patch=4))
    image = torch.rand(batch, 3, height, 8 * eighth, dtype=torch.float64)
    plain, folded = both(network, image, merge=merge)
    torch.testing.assert_close(folded.depth, plain.depth, rtol=0, atol=1e-9)


@pytest.mark.thorough
def test_the_efficientnets_fold_too():
    network = efficientnet()
    folded = fold(network)
    assert isinstance(folded, FoldedEfficientNet)
    image = torch.rand(1, 3, 96, 128, dtype=torch.float64)
    plain, folded = both(network, image)
    assert plain.depth.std() > 1e-4
    torch.testing.assert_close(folded.depth, plain.depth, rtol=0, atol=1e-9)


@pytest.mark.parametrize("merge", [True, False])
def test_std_is_that_of_the_plain_network(merge):
    network = lively(AdaBinsUNet(bins=8, separable=True, patch=4))
    image = torch.rand(2, 3, 128, 128, dtype=torch.float64)
    assert fold(network, merge=merge)(image).std is None
    network.uncertainty = random_head(16, 256).double()
    plain, folded = both(network, image, merge=merge)
    assert (plain.std / plain.depth).std() > 1e-3  # a constant would prove nothing
    torch.testing.assert_close(folded.std, plain.std, rtol=0, atol=1e-6)


@pytest.mark.parametrize("pixels", [1, 100, 500])
def test_strips_of_any_height_are_one_map(monkeypatch, pixels):
    network = lively(AdaBinsUNet(bins=8, separable=True, patch=4))
    image = torch.rand(2, 3, 102, 128, dtype=torch.float64)
    monkeypatch.setattr(bins_logits, "STRIP", pixels)
    assert len(bins_logits.strips(51, 64)) == {1: 51, 100: 51, 500: 8}[pixels]
    plain, folded = both(network, image)
    torch.testing.assert_close(folded.depth, plain.depth, rtol=0, atol=1e-9)


def test_without_its_corrections_the_ring_would_be_wrong():
    network = lively(AdaBinsUNet(bins=8, separable=True, patch=4))
    image = torch.rand(1, 3, 96, 128, dtype=torch.float64)
    folded = fold(network)
    folded.bins.edges.zero_()
    with torch.inference_mode():
        difference = (folded(image).depth - network(image).depth).abs()[0, 0]
    assert difference[1:-1, 1:-1].max() < 1e-9
    for line in (difference[0], difference[-1], difference[:, 0], difference[:, -1]):
        assert line.max() > 1e-4


@pytest.mark.parametrize("merge", [True, False])
def test_depth_survives_logits_of_ten_thousand(merge):
    network = lively(AdaBinsUNet(bins=8, separable=True, patch=4), factor=1e5)
    plain, folded = both(network, torch.rand(1, 3, 96, 128, dtype=torch.float64), merge=merge)
    vit = network.bins.mini_vit
    with torch.inference_mode():
        features = network.unet.head(network.unet(plain.normalised))
        _, queries = vit.tokens(features)
        logits = network.bins.conv_out((queries @ vit.pixel_conv(features).flatten(2))[..., None])
    assert logits.abs().max() > 1e4
    assert torch.isfinite(folded.depth).all()
    torch.testing.assert_close(folded.depth, plain.depth, rtol=0, atol=1e-6)


def test_the_network_itself_stays_as_it_was():
    network = lively(AdaBinsUNet(bins=8, separable=True, patch=4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold(network)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_does_not_fold_comes_back_as_it_is():
    network = create_model("unet-dws")
    assert fold(network) is network


@pytest.mark.slow
def test_the_exported_file_is_the_folded_network_unless_asked_otherwise(tmp_path):
    recipe = ExportRecipe("unet128-dws", sizes=(Size(320, 416),))
    export(recipe, tmp_path / "folded.onnx")
    export(replace(recipe, form="plain"), tmp_path / "plain.onnx")
    folded, plain = (graph_cost(tmp_path / f"{name}.onnx") for name in ("folded", "plain"))
    assert folded.params <= 2_900_000 < plain.params
    assert folded.bytes <= 11_600_000 < plain.bytes
    assert folded.macs < 0.4 * plain.macs
    operators = {node.op_type for node in onnx.load(tmp_path / "folded.onnx").graph.node}
    assert not {"BatchNormalization", "Dropout"} & operators


def test_a_folded_network_answers_like_any_other():
    network = AdaBinsUNet(bins=8, separable=True, patch=4).eval()
    folded = fold(network)
    assert isinstance(folded, FoldedUNet)
    prediction = folded(torch.rand(2, 3, 96, 128))
    assert prediction.depth.shape == (2, 1, 48, 64)
    assert prediction.centres.shape == (2, 8)


@pytest.mark.parametrize("merge", [True, False])
def test_a_folded_network_lies_where_the_network_lies(merge):
    """The device named meta computes nothing, but refuses to be mixed with another."""
    network = AdaBinsUNet(bins=8, separable=True, patch=4).eval().to("meta")
    folded = fold(network, merge=merge)
    assert {t.device.type for t in (*folded.parameters(), *folded.buffers())} == {"meta"}
    image = torch.empty((1, 96, 128, 3), dtype=torch.uint8, device="meta")
    assert folded.predict_bytes(image).depth.device.type == "meta"
