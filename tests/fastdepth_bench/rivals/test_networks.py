"""Networks of others: what libraries have of them, and the files that are timed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fastdepth.size import Size
from fastdepth_bench.results.rivals import RIVALS
from fastdepth_bench.rivals.files import cache_path, export, exported_case
from fastdepth_bench.runners.opening import open_runner

torch = pytest.importorskip("torch")

from fastdepth_bench.rivals import networks  # noqa: E402

DEPTH_ANYTHING = RIVALS["depth-anything-v2-small"]
SIZE = Size(28, 42)


class Config:
    """A configuration of transformers'."""

    def __init__(self, **options):
        self.options = options


class Network(torch.nn.Module):
    """A depth network of transformers': disparity is a line of the colours, and 0 below."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.line = torch.nn.Conv2d(3, 1, 1)
        torch.nn.init.zeros_(self.line.weight)  # as some of timm's begin

    def forward(self, pixel_values):
        return SimpleNamespace(predicted_depth=self.line(pixel_values).relu()[:, 0])


@pytest.fixture
def transformers(monkeypatch):
    """Stands in the place of the package."""
    found = SimpleNamespace(
        Dinov2Config=Config, DepthAnythingConfig=Config, DepthAnythingForDepthEstimation=Network
    )
    monkeypatch.setattr(networks, "require", lambda module, extra: found)


def random_images(number):
    return np.random.default_rng(0).integers(0, 256, (number, 1, *SIZE, 3), np.uint8)


def test_depth_anything_is_built_from_its_configuration(transformers):
    network = networks.build(DEPTH_ANYTHING.name)
    options = network.network.config.options
    assert options["backbone_config"].options["num_hidden_layers"] == 12
    assert options["neck_hidden_sizes"] == [48, 96, 192, 384]
    assert network(torch.rand(1, 3, *SIZE)).depth.shape == (1, 1, *SIZE)
    assert not network.training


def test_random_weights_are_the_same_at_every_call_and_none_is_zero(transformers):
    one, other = (dict(networks.build(DEPTH_ANYTHING.name).named_parameters()) for _ in range(2))
    for name, value in one.items():
        assert torch.equal(value, other[name]) and value.count_nonzero() == value.numel()


def test_what_is_exported_is_timed_and_exported_once(transformers, monkeypatch, tmp_path):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path))
    rival = replace(DEPTH_ANYTHING, library="torch")  # whose version is known here
    said = []
    path = export(said.append, rival, SIZE)
    assert (path, said) == (cache_path(rival, SIZE), [f"{rival.name} 42x28: exporting"])
    assert export(said.append, rival, SIZE) == path and len(said) == 1
    assert cache_path(rival, SIZE) != cache_path(replace(rival, library="numpy"), SIZE)
    with open_runner(exported_case(rival, path, SIZE, 1)) as runner:
        one, other = (runner.infer(images) for images in random_images(2))
    assert one.shape == (1, 1, *SIZE) and not np.array_equal(one, other)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["midas-v2.1-small", "efficientvit-depth-5m"])
def test_encoders_answer_with_a_map_of_all_their_features(name):
    network = networks.build(name)
    image = torch.rand(1, 3, 64, 96)
    depth = network(image).depth
    assert depth.shape[:2] == (1, 1) and depth.std() > 0
    (depth.sum()).backward()
    used = [value.grad is not None for value in network.parameters()]
    assert all(used)


@pytest.mark.slow
def test_depth_anything_itself(monkeypatch, tmp_path):
    """In an environment that has transformers: the extra ``rivals``."""
    pytest.importorskip("transformers", reason="it is no part of the extra test")
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path))
    network = networks.build(DEPTH_ANYTHING.name)
    assert sum(value.numel() for value in network.parameters()) == 24_785_089
    path = export(lambda text: None, DEPTH_ANYTHING, SIZE)
    images = random_images(2)
    with open_runner(exported_case(DEPTH_ANYTHING, path, SIZE, 1)) as runner:
        found = [runner.infer(each) for each in images]
    with torch.inference_mode():
        wanted = [network.predict_bytes(torch.from_numpy(each)).depth.numpy() for each in images]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
