from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.models import create_model
from fastdepth.models.adabins import BinsHead, bin_centres, mix_bins


def test_two_bins_by_hand():
    # Range 0..10, widths .2 and .8: edges 0, 2, 10, centres 1 and 6.
    centres = bin_centres(torch.tensor([[0.2, 0.8]]), 0.0, 10.0)
    torch.testing.assert_close(centres, torch.tensor([[1.0, 6.0]]))
    # Equal logits mix them half and half; log 3 apart by 3 : 1.
    logits = torch.tensor([[0.0, 0.0], [torch.log(torch.tensor(3.0)), 0.0]])
    depth = mix_bins(logits.T[None, :, None, :], centres)
    torch.testing.assert_close(depth.flatten(), torch.tensor([3.5, (3 * 1 + 6) / 4]))


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=40), st.floats(0, 1), st.floats(2, 80))
def test_bins_tile_the_range(widths, least, greatest):
    shares = torch.tensor([widths], dtype=torch.float64)
    centres = bin_centres(shares / shares.sum(), least, greatest)[0]
    assert (centres.diff() > 0).all()
    assert least < centres[0]
    assert centres[-1] < greatest


def test_depth_survives_any_logits():
    centres = bin_centres(torch.full((1, 8), 1 / 8), 0.0, 8.0)
    logits = torch.full((1, 8, 1, 1), -1e4)
    logits[0, 5] = 1e4
    torch.testing.assert_close(mix_bins(logits, centres).item(), 5.5)


@settings(deadline=None, max_examples=10)
@given(st.integers(5, 14), st.integers(24, 30), st.integers(1, 3))
def test_the_merged_form_is_the_same_function_border_included(height, width, batch):
    torch.manual_seed(height * width)
    head = BinsHead(bins=16, patch=1).double().eval()
    last = torch.nn.Conv2d(8, 128, 3, padding=1).double()
    trunk = torch.randn(batch, 8, height, width, dtype=torch.float64)
    if not 129 <= height * width <= 500:
        return
    with torch.inference_mode():
        depth, centres = head(last(trunk))
        merged, merged_centres = head.forward_merged(trunk, last)
    torch.testing.assert_close(merged, depth, rtol=0, atol=1e-12)
    torch.testing.assert_close(merged_centres, centres, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [
        ("unet128-dws-75", 264, 288),
        pytest.param("unet128-dws", 320, 416, marks=pytest.mark.thorough),
    ],
)
def test_a_whole_network_trains_in_the_form_in_which_it_predicts(name, height, width):
    torch.manual_seed(0)
    network = create_model(name).double().eval()
    image = torch.rand(1, 3, height, width, dtype=torch.float64)
    plain = network(image)
    plain.depth.log().mean().backward()
    gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    network.training = True  # the flag of the network alone: batch norm and dropout stay at rest
    merged = network(image)
    merged.depth.log().mean().backward()
    torch.testing.assert_close(merged.depth, plain.depth, rtol=0, atol=1e-12)
    assert len(gradients) > 100
    for name_, parameter in network.named_parameters():
        if name_ in gradients:
            torch.testing.assert_close(parameter.grad, gradients[name_], rtol=1e-6, atol=1e-12)
