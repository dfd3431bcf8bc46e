from __future__ import annotations

import numpy as np
import pytest
import torch
from an_uncertainty_head import random_head
from safetensors.torch import load_file, save_file

from fastdepth.errors import WeightsError
from fastdepth.models import create_model
from fastdepth.models.uncertainty import NARROWEST, WIDEST, attach_head, read_cues
from fastdepth.train.checkpoint import save_weights
from fastdepth.weights import WeightsCard, weights_hash


def maps(height=12, width=20, batch=2):
    torch.manual_seed(0)
    depth = 0.1 + 9 * torch.rand(batch, 1, height, width)
    return torch.randn(batch, 4, height, width), torch.randn(batch, 6, 3, 5), depth


def mean_around(numbers, side):
    """Mean of the square around each pixel, one after the other."""
    half, (height, width) = side // 2, numbers.shape
    return np.array(
        [
            [
                numbers[
                    max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1
                ].mean()
                for column in range(width)
            ]
            for row in range(height)
        ]
    )


def test_cues_by_hand():
    features, deepest, depth = maps()
    cues = read_cues(features, deepest, depth)
    logs = np.log(depth[1, 0].numpy()).reshape(6, 2, 10, 2).mean(axis=(1, 3))
    near, far = logs - mean_around(logs, 3), logs - mean_around(logs, 9)
    expected = [
        logs,
        np.full_like(logs, logs.mean()),
        np.full_like(logs, np.abs(logs - logs.mean()).mean()),
        np.tile((np.arange(1, 7) / 3 - 1)[:, None], 10),
        np.tile(np.abs(np.arange(1, 11) / 5 - 1), (6, 1)),
        near,
        mean_around(np.abs(near), 3),
        far,
        mean_around(np.abs(far), 9),
    ]
    np.testing.assert_allclose(cues.depth[1].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(cues.image[1], deepest[1].mean(dim=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(cues.features[1, 3, 2, 5], features[1, 3, 4:6, 10:12].mean())


@pytest.mark.parametrize("factor", [1.0, 1e6])
def test_std_is_a_bounded_share_of_the_depth(factor):
    features, deepest, depth = maps()
    std = random_head(4, 6)(factor * features, factor * deepest, depth)
    share = std / depth
    assert std.shape == depth.shape
    assert ((share > 0.999 * NARROWEST) & (share < 1.001 * WIDEST)).all()
    assert share.std() > 1e-3


def test_an_image_does_not_change_its_neighbours():
    head, (features, deepest, depth) = random_head(4, 6), maps()
    alone = head(features[:1], deepest[:1], depth[:1])
    torch.testing.assert_close(head(features, deepest, depth)[:1], alone)


@pytest.fixture
def saved(tmp_path):
    """Weights with a head, and the network."""
    network = create_model("mnv2-64-dws-70").eval()
    path = tmp_path / "w.safetensors"
    save_weights(path, network, WeightsCard("mnv2-64-dws-70"))
    without = weights_hash(path)
    network.uncertainty = random_head(24, 320)
    save_weights(path, network, WeightsCard("mnv2-64-dws-70"))
    assert weights_hash(path) == without
    return path, network


def test_a_head_is_stored_beside_the_network_and_changes_no_depth(saved):
    path, network = saved
    again = create_model("mnv2-64-dws-70").eval()
    again.load_state_dict({n: v for n, v in load_file(path).items() if "uncertainty" not in n})
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected, plain = network(image), again(image)
        assert attach_head(again, path)
        got = again(image)
    assert plain.std is None
    torch.testing.assert_close(plain.depth, expected.depth, rtol=0, atol=0)
    torch.testing.assert_close(got.std, expected.std, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["features.weight", "image.0.weight", "out.bias"])
@pytest.mark.parametrize("damage", ["missing", "shape", "nan"])
def test_a_damaged_head_is_refused(saved, name, damage):
    path, network = saved
    tensors, key = load_file(path), f"uncertainty.{name}"
    value = tensors.pop(key)
    if damage != "missing":
        tensors[key] = torch.zeros(2, 3, 5) if damage == "shape" else value * float("nan")
    save_file(tensors, path, metadata=WeightsCard("mnv2-64-dws-70").to_header())
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        attach_head(network, path)


@pytest.mark.parametrize("widths", [(23, 320), (24, 319)])
def test_a_head_of_another_network_is_refused(saved, widths):
    _, network = saved
    network.uncertainty = random_head(*widths)
    with pytest.raises(WeightsError, match="another network's"):
        network(torch.rand(1, 3, 64, 64))


def test_weights_without_a_head(tmp_path):
    network = create_model("mnv2-64-dws-70")
    save_weights(tmp_path / "w.safetensors", network, WeightsCard("mnv2-64-dws-70"))
    assert not attach_head(network, tmp_path / "w.safetensors")
    assert network.uncertainty is None
