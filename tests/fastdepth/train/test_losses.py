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
    disparity,
    gradient,
    l1,
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


SINGLE = ("l1", "berhu", "eigen", "eigen-coarse", "ssim-l1-edges")
PER_IMAGE = tuple(name for name in SINGLE if name != "berhu")


def loss_of(name, depth, truth):
    """A loss of a map, given both as depth and as the coarse map."""
    return LOSSES[name](Prediction(None, depth, coarse=depth), truth)


def row(*metres):
    return torch.tensor(metres).reshape(1, 1, 1, -1)


def test_l1_by_hand():
    # residuals 1 and 0; 9 - 0 was not measured
    assert l1(Prediction(None, row(2.0, 3.0, 9.0)), row(1.0, 3.0, 0.0)).item() == 0.5


def test_berhu_by_hand():
    # residuals 5 and .5, c = 1: (25 + 1) / 2 above it, .5 below
    loss = loss_of("berhu", row(6.0, 2.5, 9.0), row(1.0, 3.0, 0.0))
    assert loss.item() == pytest.approx((13 + 0.5) / 2)


def test_berhu_takes_its_threshold_from_the_whole_batch():
    depth, truth = row(2.0).expand(2, 1, 1, 1), torch.stack([row(1.0)[0], row(7.0)[0]])
    # residuals 1 and 5, c = 1; alone an image of residual 1 has c = .2
    assert loss_of("berhu", depth, truth).item() == pytest.approx((1 + 13) / 2)
    assert loss_of("berhu", depth[:1], truth[:1]).item() == pytest.approx((1 + 0.04) / 0.4)


def test_eigen_by_hand():
    # d = ln 2 and 0: mean of squares ln2^2 / 2, half the squared mean ln2^2 / 8
    loss = loss_of("eigen", row(2.0, 3.0, 9.0), row(1.0, 3.0, 0.0))
    assert loss.item() == pytest.approx(math.log(2) ** 2 * (1 / 2 - 1 / 8))


@given(st.floats(0.1, 10))
def test_eigen_forgives_half_of_a_wrong_scale(scale):
    truth = torch.linspace(1, 5, 12, dtype=torch.float64).reshape(1, 1, 3, 4)
    expected = math.log(scale) ** 2 / 2
    assert loss_of("eigen", scale * truth, truth).item() == pytest.approx(expected, abs=1e-12)


def test_eigen_coarse_looks_at_the_coarse_map_alone():
    truth = row(1.0, 3.0)
    prediction = Prediction(None, row(7.0, 7.0), coarse=row(2.0, 3.0))
    assert LOSSES["eigen-coarse"](prediction, truth) == loss_of("eigen", row(2.0, 3.0), truth)


def test_ssim_l1_edges_of_flat_walls_by_hand():
    # No variance: SSIM is its brightness term with c1 = .01; L1 is 1 m; there are no edges.
    depth, truth = torch.full((1, 1, 9, 9), 2.0), torch.full((1, 1, 9, 9), 1.0)
    expected = 0.85 * (1 - (4 + 0.01) / (5 + 0.01)) + 0.1
    assert loss_of("ssim-l1-edges", depth, truth).item() == pytest.approx(expected, rel=1e-4)


def test_ssim_l1_edges_at_equality_is_its_edges_alone():
    # A ramp of .5 m a column: weight exp(.5), change .5; the rows do not change.
    truth = (1 + 0.5 * torch.arange(9.0)).expand(1, 1, 9, 9).contiguous()
    loss = loss_of("ssim-l1-edges", truth, truth)
    assert loss.item() == pytest.approx(0.9 * math.exp(0.5) * 0.5, rel=1e-4)


def test_ssim_falls_with_the_correlation():
    truth = (3 + torch.rand(1, 1, 16, 16)).double()
    flat = torch.full_like(truth, truth.mean().item())
    close, mirrored = truth + 0.05 * torch.rand_like(truth), 2 * flat - truth
    losses = [loss_of("ssim-l1-edges", d, truth).item() for d in (close, mirrored)]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("name", ["l1", "berhu", "eigen", "eigen-coarse"])
def test_nothing_is_lost_at_equality(name):
    truth = 1 + torch.rand(2, 1, 8, 8)
    truth[:, :, 2:4] = 0
    depth = truth.clamp(min=0.5).requires_grad_()
    loss = loss_of(name, depth, truth)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(depth.grad).all()


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(SINGLE), st.integers(0, 1000), st.floats(0.01, 10))
def test_what_was_not_measured_changes_neither_loss_nor_gradient(name, seed, other):
    generator = torch.Generator().manual_seed(seed)
    truth = 1 + torch.rand(2, 1, 9, 11, generator=generator)
    truth[torch.rand(truth.shape, generator=generator) < 0.3] = 0
    depth = 1 + torch.rand(truth.shape, generator=generator)
    changed = torch.where(truth > 0, depth, other)
    results = []
    for values in (depth, changed):
        values.requires_grad_()
        loss = loss_of(name, values, truth)
        (own,) = torch.autograd.grad(loss, values)
        results.append((loss, own))
        assert not own[truth == 0].any()
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("name", SINGLE)
def test_no_valid_pixel_is_no_loss(name):
    depth = torch.full((2, 1, 8, 8), 2.0, requires_grad=True)
    loss = loss_of(name, depth, torch.zeros(2, 1, 8, 8))
    loss.backward()
    assert loss.item() == 0
    assert not depth.grad.any()


@pytest.mark.parametrize("name", ["l1", "berhu", "ssim-l1-edges"])
def test_a_depth_of_zero_is_finite(name):
    depth = torch.zeros(1, 1, 8, 8, requires_grad=True)
    loss = loss_of(name, depth, torch.full((1, 1, 8, 8), 3.0))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(depth.grad).all()


@pytest.mark.parametrize("name", PER_IMAGE)
def test_the_loss_of_a_batch_is_the_mean_of_its_images(name):
    torch.manual_seed(0)
    truth, depth = 1 + torch.rand(3, 1, 8, 8), 1 + torch.rand(3, 1, 8, 8)
    truth[0, :, :5] = 0  # images of different weight, one without any
    truth[1] = 0
    alone = [loss_of(name, d, t) for d, t in zip(depth.split(1), truth.split(1), strict=True)]
    torch.testing.assert_close(loss_of(name, depth, truth), torch.stack(alone).mean())


@pytest.mark.parametrize("name", SINGLE)
def test_predictions_are_upsampled_to_the_truth(name):
    small = torch.tensor([[1.0, 3.0], [1.0, 3.0]]).reshape(1, 1, 2, 2)
    large = torch.tensor([1.0, 2.0, 3.0]).expand(1, 1, 3, 3).contiguous()
    truth = 1 + torch.rand(1, 1, 3, 3)
    torch.testing.assert_close(loss_of(name, small, truth), loss_of(name, large, truth))


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_truth_has_no_loss(name):
    depth = torch.rand(2, 1, 8, 8).add(0.5).requires_grad_()
    centres = torch.tensor([[1.0, 4.0], [1.0, 4.0]], requires_grad=True)
    prediction = Prediction(None, depth, centres=centres, coarse=depth)
    loss = LOSSES[name](prediction, torch.zeros(2, 1, 16, 16))
    loss.backward()
    assert loss.item() == 0
    assert not depth.grad.any()


def disparity_of(depth, answer):
    return disparity(Prediction(None, depth), answer).item()


def test_disparity_by_hand():
    # 1 / depth is 1, .5, .25 about .5 by .25; the answer 1, 2, 6 about 2 by 5/3
    loss = disparity_of(row(1.0, 2.0, 4.0), row(1.0, 2.0, 6.0))
    assert loss == pytest.approx((abs(2 + 0.6) + 0 + abs(-1 - 2.4)) / 3, rel=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.01, 100), st.floats(-10, 10), st.integers(0, 99))
def test_disparity_knows_neither_scale_nor_shift(scale, shift, seed):
    generator = torch.Generator().manual_seed(seed)
    depth, answer = torch.rand(2, 2, 1, 6, 8, generator=generator, dtype=torch.float64) + 0.1
    loss = disparity_of(depth, answer)
    assert disparity_of(depth, scale * answer + shift) == pytest.approx(loss, rel=1e-6)
    assert disparity_of(depth, scale / depth + shift) == pytest.approx(0, abs=1e-6)
    assert disparity_of(depth, -scale / depth + shift) == pytest.approx(2)  # far is not near


def test_each_image_has_a_scale_and_shift_of_its_own():
    depth = torch.rand(2, 1, 6, 8) + 0.1
    scales = torch.tensor([3.0, 0.2]).reshape(2, 1, 1, 1)
    assert disparity_of(depth, scales / depth + scales) == pytest.approx(0, abs=1e-4)


def test_a_flat_answer_is_finite():
    depth = torch.full((1, 1, 4, 4), 2.0, requires_grad=True)
    loss = disparity(Prediction(None, depth), torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == 0 and depth.grad.isfinite().all()
