"""Driven by the table of variants: whatever is in it must hold these."""

from __future__ import annotations

import pytest
import torch

from fastdepth.models import count_parameters, create_model
from fastdepth.size import Size
from fastdepth.variants import VARIANTS

SMALL = {variant.name: variant.sizes.nearest(Size(320, 416))[0] for variant in VARIANTS.values()}


@pytest.fixture(scope="module", params=VARIANTS)
def network(request):
    torch.manual_seed(0)
    return request.param, create_model(request.param).eval()


def test_parameter_counts_are_exact(network):
    name, built = network
    assert count_parameters(built) == VARIANTS[name].params


def test_pictures_in_metres_out(network):
    name, built = network
    size = SMALL[name]
    with torch.inference_mode():
        prediction = built(torch.rand(1, 3, *size))
    depth, centres = prediction.depth, prediction.centres
    assert depth.shape == (1, 1, size.height // 2, size.width // 2)
    assert depth.dtype == torch.float32
    least, greatest = VARIANTS[name].depth_range
    assert least < depth.min()
    assert depth.max() < greatest
    if centres is not None:
        assert (centres.diff() > 0).all()


@pytest.mark.parametrize(
    ("name", "part", "params"),
    [
        ("effb5-256", "encoder", 28_340_784),
        ("effb5-256", "decoder", 43_993_472),
        ("effb5-256", "bins.mini_vit", 5_890_048),
        ("effb5-256", "bins.conv_out", 33_024),
        ("effb0-256", "encoder", 4_007_548),
        ("unet256", "unet", 4_937_248),
        ("unet256", "bins.mini_vit", 5_890_048),
        ("unet128", "bins.mini_vit", 5_857_152),
        ("unet128", "bins.conv_out", 16_512),
        ("unet128-dws", "unet", 599_280),
        ("unet128-dws-75", "bins.mini_vit", 4_022_144),
    ],
)
def test_parts_have_the_counts_that_the_seeds_report(name, part, params):
    with torch.device("meta"):
        built = create_model(name)
    assert count_parameters(built.get_submodule(part)) == params
