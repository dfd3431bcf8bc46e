"""Mixed precision on a CPU keeps what would be slower in half."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from fastdepth.train.mixed_precision import keep_float32

CPU = torch.device("cpu")


def depthwise(stride: int, groups: int = 4) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(4, 4, 3, stride, 1, groups=groups)


def mixed(network: nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        answer: torch.Tensor = network(image)
    return answer


@pytest.mark.parametrize(
    ("stride", "groups", "device", "kind"),
    [
        (2, 4, "cpu", torch.float32),
        (1, 4, "cpu", torch.bfloat16),
        (2, 1, "cpu", torch.bfloat16),
        (2, 4, "cuda", torch.bfloat16),
    ],
)
def test_only_strided_depthwise_convolutions_on_a_cpu(
    stride: int, groups: int, device: str, kind: torch.dtype
) -> None:
    network = nn.Sequential(depthwise(stride, groups))
    keep_float32(network, torch.device(device))
    assert mixed(network, torch.rand(1, 4, 8, 8)).dtype is kind


def test_weights_names_and_values_stay() -> None:
    network = nn.Sequential(depthwise(2))
    before, image = deepcopy(network), torch.rand(1, 4, 8, 8)
    keep_float32(network, CPU)
    assert list(network.state_dict()) == list(before.state_dict())
    torch.testing.assert_close(network(image), before(image))
    torch.testing.assert_close(mixed(network, image), before(image))


def test_a_copy_convolves_with_its_own_weights() -> None:
    network = nn.Sequential(depthwise(2))
    keep_float32(network, CPU)
    copied, image = deepcopy(network), torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        network[0].weight.zero_()
        network[0].bias.zero_()
    assert mixed(copied, image).abs().sum() > 0
