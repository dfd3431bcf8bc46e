"""Differences are found wherever they are, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastdepth.errors import ParityError
from fastdepth.models import DepthNetwork, Prediction
from fastdepth.size import Size
from fastdepth_bench.measure.exactness import depth_in_float64, measure_exactness

SIZE = Size(32, 48)


class Red(DepthNetwork):
    """Depth is the red channel, at half the image's size."""

    def predict(self, normalised):
        assert normalised.dtype == torch.float64
        red = (normalised * self.std + self.mean)[:, :1]
        return Prediction(normalised, torch.nn.functional.avg_pool2d(red, 2))


@pytest.fixture
def network():
    return Red().double().eval()


def as_float32(network, change=lambda depth: None):
    def answer(batch):
        depth = depth_in_float64(network, batch).astype(np.float32)
        change(depth)
        return depth

    return answer


def test_one_pixel_of_the_border_is_enough(fake_runner, network, samples):
    images = []

    def change(depth):
        images.append(0)
        if len(images) == 2:
            depth[0, 0, -1, -1] += 0.25

    runners = {
        "plain": fake_runner(as_float32(network)),
        "folded": fake_runner(as_float32(network, change)),
    }
    told = []
    exact = measure_exactness(runners, network, samples, SIZE, told.append)
    assert exact["plain"].to_first == 0
    assert 0 < exact["plain"].to_float64 < 1e-7  # the rounding of the answer alone
    assert exact["folded"].to_first == pytest.approx(0.25, abs=1e-6)
    assert exact["folded"].to_float64 == pytest.approx(0.25, abs=1e-6)
    assert told == [0, 1, 2]


def test_the_reference_has_the_size_of_the_image(network, samples):
    depth = depth_in_float64(network, samples[0].image[None])
    assert (depth.shape, depth.dtype) == ((1, 1, *SIZE), np.float64)
    corner = samples[0].image[:2, :2, 0].mean() / 255
    assert depth[0, 0, 0, 0] == pytest.approx(corner, rel=1e-6)  # corners are aligned


def test_nan_is_no_small_difference(fake_runner, network, samples):
    nan = fake_runner(lambda batch: np.full((1, 1, *SIZE), np.nan, np.float32))
    with pytest.raises(ParityError, match="NaN"):
        measure_exactness({"plain": nan}, network, samples, SIZE)
