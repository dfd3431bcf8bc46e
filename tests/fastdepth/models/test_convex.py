"""Enlarging depth by learnt weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from fastdepth.models.convex import ConvexUpsampling


def inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)
    depth = torch.rand(2, 1, 6, 8, generator=generator) * 5 + 1
    return depth, torch.randn(2, 4, 6, 8, generator=generator)


@pytest.mark.parametrize("factor", [2, 4])
def test_it_begins_as_bilinear_interpolation(factor):
    depth, features = inputs()
    large = ConvexUpsampling(4, factor).eval()(depth, features)
    usual = F.interpolate(depth, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(large, usual, atol=0.03, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_weights_a_pixel_lies_between_its_neighbours(seed):
    depth, features = inputs(seed)
    enlarge = ConvexUpsampling(4, 2).eval()
    torch.nn.init.normal_(enlarge.weights.weight, std=20)
    large = enlarge(depth, features)
    padded = F.pad(depth, (1, 1, 1, 1), mode="replicate")
    most, least = F.max_pool2d(padded, 3, 1), -F.max_pool2d(-padded, 3, 1)
    assert (large <= F.interpolate(most, scale_factor=2) + 1e-5).all()
    assert (large >= F.interpolate(least, scale_factor=2) - 1e-5).all()


def test_a_jump_of_depth_can_be_learnt():
    """Bilinear interpolation puts pixels half way; learnt weights choose a side."""
    torch.manual_seed(0)
    features = torch.zeros(1, 4, 4, 8)
    features[..., 4:] = 1
    depth = 1 + 4 * features[:, :1]
    truth = F.interpolate(depth, scale_factor=2)
    enlarge = ConvexUpsampling(4, 2)
    before = (enlarge(depth, features) - truth).abs().max()
    optimiser = torch.optim.Adam(enlarge.parameters(), 0.1)
    for _ in range(60):
        optimiser.zero_grad()
        (enlarge(depth, features) - truth).abs().mean().backward()
        optimiser.step()
    assert before > 0.9 and (enlarge(depth, features) - truth).abs().max() < 0.2
