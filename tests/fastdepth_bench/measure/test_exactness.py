"""Differences are found wherever they are, in float64."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tiny_onnx import write_model

from fastdepth.errors import ParityError
from fastdepth.models import DepthNetwork, Prediction
from fastdepth.size import Size
from fastdepth_bench.case import ThirdPartyNetwork
from fastdepth_bench.measure.exactness import (
    Differences,
    compare_depths,
    depth_in_float64,
    has_reference,
    largest_differences,
)

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

    plain = as_float32(network)
    references = {"plain": plain, "float64": partial(depth_in_float64, network)}
    told = []
    for runner, expected in ((plain, [0, 0]), (as_float32(network, change), [0.25, 0.25])):
        found = largest_differences(fake_runner(runner), references, samples, SIZE, told.append)
        assert list(found.values()) == pytest.approx(expected, abs=1e-6)
    assert largest_differences(fake_runner(plain), references, samples, SIZE)["float64"] > 0
    assert told == [0, 1, 2] * 2


def test_few_samples_of_many_are_compared_evenly_spread(fake_runner, network, samples):
    asked = []

    class Many:
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            asked.append(index)
            return samples[0]

    largest_differences(fake_runner(as_float32(network)), {}, Many(), SIZE)
    assert asked == [0, 111, 222, 333, 444, 555, 666, 777, 888, 999]


def test_the_reference_has_the_size_of_the_image(network, samples):
    depth = depth_in_float64(network, samples[0].image[None])
    assert (depth.shape, depth.dtype) == ((1, 1, *SIZE), np.float64)
    corner = samples[0].image[:2, :2, 0].mean() / 255
    assert depth[0, 0, 0, 0] == pytest.approx(corner, rel=1e-6)  # corners are aligned


def test_nan_is_no_small_difference(fake_runner, network, samples):
    nan = partial(np.full, (1, 1, *SIZE), np.nan, np.float32)
    with pytest.raises(ParityError, match="NaN"):
        largest_differences(fake_runner(lambda batch: nan()), {}, samples, SIZE)
    whole = fake_runner(as_float32(network))
    with pytest.raises(ParityError, match="to compare with is NaN or infinite"):
        largest_differences(whole, {"other": lambda batch: nan()}, samples, SIZE)


@pytest.fixture
def opened(monkeypatch, fake_runner, network):
    """Cases that are opened; each answers with the red channel, and a hundredth for each letter."""
    cases = []

    def open_runner(case):
        cases.append(case)
        depth = as_float32(network)
        return fake_runner(lambda batch: depth(batch) + np.float32(0.01 * len(case.name)))

    monkeypatch.setattr("fastdepth_bench.measure.exactness.open_runner", open_runner)
    monkeypatch.setattr("fastdepth_export.network.build_network", lambda recipe: Red().eval())
    return cases


def test_depth_is_compared_with_the_other_and_with_float64(case, samples, opened):
    small = replace(case, variant="unet-dws", size=SIZE, scenario="offline", batch=64)
    before = torch.get_num_threads()
    found = compare_depths([].append, small, replace(small, form="plain"), samples)
    assert found.to_against == pytest.approx(0.06, abs=1e-6)
    assert found.to_float64 == pytest.approx(0.08, abs=1e-6)
    assert [each.batch for each in opened] == [1, 1]
    assert torch.get_num_threads() == before
    assert compare_depths([].append, small, None, samples) == replace(found, to_against=None)


def test_what_cannot_be_compared_is_none(case, samples, opened, tmp_path):
    small = replace(case, variant="unet-dws", size=SIZE)
    path = write_model(tmp_path / "their.onnx", SIZE, metadata=None)
    metric, relative = (
        replace(small, variant="their", model=ThirdPartyNetwork(path, SIZE, "raw", output))
        for output in ("metres", "disparity")
    )
    larger = compare_depths([].append, small, replace(small, size=Size(64, 64)), samples)
    assert larger.to_against is None and larger.to_float64 is not None
    assert compare_depths([].append, small, relative, samples).to_against is None
    assert has_reference(small, relative) and has_reference(metric, small)
    assert not has_reference(relative, small) and not has_reference(metric, None)
    found = compare_depths([].append, metric, small, samples)
    assert found == Differences(to_against=pytest.approx(0.03, abs=1e-6), to_float64=None)
