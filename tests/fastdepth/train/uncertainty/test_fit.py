from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from fastdepth.errors import DataError
from fastdepth.models.uncertainty import CUES, Cues
from fastdepth.train.uncertainty.calibrate import (
    COVERAGES,
    calibrate,
    held_out_factors,
    scale,
    spread,
)
from fastdepth.train.uncertainty.fit import fit_head, laplace_loss
from fastdepth.train.uncertainty.pixels import Pixels
from fastdepth.train.uncertainty.scores import ause, score, spearman


def made_up(images=60, count=100, seed=0, factor=1.0):
    """Pixels whose errors are Laplace's, of a size that one feature and the image decide.

    Returns them and the size.
    """
    generator = torch.Generator().manual_seed(seed)
    features = 5 + 3 * torch.randn(images, 4, count, 1, generator=generator)
    depth = torch.randn(images, CUES, count, 1, generator=generator)
    image = torch.randn(images, 6, generator=generator)
    size = factor * torch.exp(-2.5 + 0.2 * (features[:, 1, :, 0] - 5) + 0.3 * image[:, :1])
    uniform = torch.rand(images, count, generator=generator) - 0.5
    error = -size * uniform.sign() * torch.log1p(-2 * uniform.abs())
    scenes = tuple(f"scene{index // 4}" for index in range(images))
    return Pixels(Cues(features, depth, image), depth[:, 0, :, 0], error, scenes), size.numpy()


@pytest.fixture(scope="module")
def fitted():
    return fit_head(made_up()[0], steps=300)


def test_a_head_learns_what_decides_the_errors_of_others(fitted):
    pixels, size = made_up(seed=1)
    told = spread(fitted, pixels)
    assert spearman(told.ravel(), size.ravel()) > 0.85
    assert np.log(told / size).mean() == pytest.approx(0, abs=0.2)


def test_a_fit_is_repeatable_and_moves_no_generator(fitted):
    before = torch.get_rng_state()
    again = fit_head(made_up()[0], steps=300)
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in fitted.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def test_the_loss_is_least_at_the_mean_size_of_the_errors():
    errors = torch.tensor([0.1, -0.3, 0.2])
    losses = {
        size: float(laplace_loss(torch.tensor(math.log(size)), errors)) for size in (0.1, 0.2, 0.3)
    }
    assert losses[0.2] == min(losses.values())
    assert losses[0.2] == pytest.approx(math.log(0.2) + 1)


def test_scale_makes_the_mean_square_one(fitted):
    head = copy.deepcopy(fitted)
    pixels, _ = made_up(seed=2, factor=2.0)
    scale(head, pixels)
    assert np.square(pixels.error.numpy() / spread(head, pixels)).mean() == pytest.approx(
        1, rel=0.01
    )


def test_factors_of_laplace_errors_are_its_quantiles():
    pixels, size = made_up(images=200, count=200)
    factors = calibrate(size.astype(float), pixels)
    assert factors.coverages == COVERAGES
    assert factors.factors == pytest.approx([-math.log(1 - c) for c in COVERAGES], rel=0.05)
    assert factors.at(0.85) == pytest.approx(-math.log(0.15), rel=0.05)


def test_a_network_without_errors_cannot_be_calibrated(fitted):
    head, (pixels, _) = copy.deepcopy(fitted), made_up()
    perfect = pixels._replace(error=0 * pixels.error)
    scale(head, perfect)
    with pytest.raises(DataError, match="too alike"):
        calibrate(spread(head, perfect), perfect)


def test_no_scene_calibrates_itself():
    pixels, size = made_up(images=8)
    wild = pixels._replace(error=torch.cat([100 * pixels.error[:4], pixels.error[4:]]))
    first, *_, last = held_out_factors(size, wild)
    assert first == calibrate(size[4:], pixels.at(torch.arange(4, 8)))
    assert last.at(0.9) > 20 * first.at(0.9)


def test_scores_of_those_who_know_and_those_who_do_not():
    pixels, size = made_up(images=100)
    known = score(size, pixels, [calibrate(size, pixels)] * 100)
    same = np.ones(size.shape)
    constant = score(same, pixels, [calibrate(same, pixels)] * 100)
    assert known.covered == pytest.approx(0.9, abs=0.01)
    assert constant.covered == pytest.approx(0.9, abs=0.01)
    assert known.images > constant.images
    assert known.spearman > constant.spearman
    assert known.d1_kept > constant.d1_kept + 0.01
    assert constant.d1_kept == pytest.approx(constant.d1, abs=0.02)
    assert 0 < known.ause < constant.ause


def test_scores_by_hand():
    assert spearman(np.array([1.0, 2, 3]), np.array([10.0, 30, 20])) == pytest.approx(0.5)
    assert spearman(np.array([1.0, 1, 2]), np.array([5.0, 5, 9])) == pytest.approx(1)
    assert spearman(np.ones(3), np.array([1.0, 2, 3])) == 0
    error = np.array([3.0, 1, 2])
    assert ause(error, error) == 0
    assert ause(-error, error) > 0.5
