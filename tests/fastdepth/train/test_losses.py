from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.models import Prediction
from fastdepth.train.losses import (
    GRADIENT_WEIGHT,
    LOSSES,
    adabins,
    chamfer,
    gradient,
    silog,
)

METRES = st.floats(0.01, 10)


def test_silog_by_hand():
    # g = ln 2 and ln 1: mean ln2/2, unbiased variance ln2^2/2.
    depth = torch.tensor([2.0, 3.0, 9.0]).reshape(1, 1, 1, 3)
    truth = torch.tensor([1.0, 3.0, 0.0]).reshape(1, 1, 1, 3)  # the last was not measured
    expected = 10 * math.sqrt(math.log(2) ** 2 / 2 + 0.15 * (math.log(2) / 2) ** 2)
    assert silog(depth, truth).item() == pytest.approx(expected, rel=1e-6)


def test_silog_of_nothing_is_nothing():
    depth = torch.ones(1, 1, 2, 2, requires_grad=True)
    loss = silog(depth, torch.zeros(1, 1, 2, 2))
    loss.backward()
    assert loss.item() == 0
    assert not depth.grad.any()


def test_gradient_by_hand():
    # A step of ln 2 between two columns of 16 x 16: between two of the sixteen on the finest grid,
    # of eight, of four and of two on the coarser ones; the rows do not change.
    truth = torch.ones(1, 1, 16, 16)
    depth = truth.clone()
    depth[..., 8:] = 2
    expected = math.log(2) * (1 / 15 + 1 / 7 + 1 / 3 + 1 / 1)
    assert gradient(depth, truth).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_blind_to_scale_and_to_what_was_not_measured():
    truth = 1 + torch.rand(2, 1, 16, 16)
    assert gradient(3 * truth, truth).item() == pytest.approx(0, abs=1e-4)
    holes = torch.where(torch.rand(2, 1, 16, 16) < 0.3, 0, truth)
    assert gradient(3 * truth, holes).item() == pytest.approx(0, abs=1e-4)
    assert gradient(truth, 0 * truth).item() == 0


def test_gradient_is_added_to_the_loss_it_is_named_with():
    depth, truth = 1 + torch.rand(2, 1, 16, 16), 1 + torch.rand(2, 1, 16, 16)
    prediction = Prediction(torch.empty(0), depth)
    extra = LOSSES["silog-gradient"](prediction, truth) - LOSSES["silog"](prediction, truth)
    torch.testing.assert_close(extra, GRADIENT_WEIGHT * gradient(depth, truth))


def test_chamfer_by_hand():
    centres = torch.tensor([[1.0, 4.0]])
    truth = torch.tensor([2.0, 2.0, 7.0, 0.0]).reshape(1, 1, 2, 2)
    # centres to depths: 1, 4 -> mean 2.5; depths to centres: 1, 1, 9 -> mean 11/3
    assert chamfer(centres, truth).item() == pytest.approx(2.5 + 11 / 3, rel=1e-6)


@settings(deadline=None)
@given(
    st.lists(METRES, min_size=1, max_size=9, unique=True), st.lists(METRES, min_size=1, max_size=30)
)
def test_chamfer_is_the_brute_force_distance_and_gradient(centres, depths):
    own = torch.tensor([sorted(centres)], dtype=torch.float64, requires_grad=True)
    truth = torch.tensor(depths, dtype=torch.float64).reshape(1, 1, 1, -1)
    square = (own[0][:, None] - truth.flatten()[None]) ** 2
    expected = square.min(dim=1).values.mean() + square.min(dim=0).values.mean()
    distance = chamfer(own, truth)
    torch.testing.assert_close(distance, expected)


def test_chamfer_gradient_is_that_of_the_nearest_pairs():
    own = torch.tensor([[1.0, 4.0]], requires_grad=True)
    truth = torch.tensor([2.0, 2.4, 7.0]).reshape(1, 1, 1, 3)
    square = (own[0][:, None] - truth.flatten()[None]) ** 2
    (expected,) = torch.autograd.grad(
        square.min(dim=1).values.mean() + square.min(dim=0).values.mean(), own
    )
    (got,) = torch.autograd.grad(chamfer(own, truth), own)
    torch.testing.assert_close(got, expected)


def test_an_image_without_depth_does_not_count():
    centres = torch.tensor([[1.0, 4.0], [1.0, 4.0]])
    truth = torch.tensor([[2.0, 3.0], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    assert chamfer(centres, truth).item() == chamfer(centres[:1], truth[:1]).item()
    assert chamfer(centres[1:], truth[1:]).item() == 0


def test_adabins_upsamples_the_prediction_to_the_truth():
    truth = torch.full((1, 1, 8, 8), 2.0)
    depth = torch.full((1, 1, 4, 4), 2.0 * math.e)
    prediction = Prediction(truth, depth, None, torch.tensor([[2.0]]))
    # g is 1 everywhere: 10 sqrt(.15), and the one centre lies on every depth
    assert adabins(prediction, truth).item() == pytest.approx(10 * math.sqrt(0.15), rel=1e-4)
    assert LOSSES["adabins"] is adabins
