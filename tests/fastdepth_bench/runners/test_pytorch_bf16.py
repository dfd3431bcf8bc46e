"""bfloat16 in PyTorch: products are computed in it, depth is not."""

from __future__ import annotations

import pytest
import torch
from tiny_network import tiny_variant
from torch import nn

from fastdepth.models import create_model
from fastdepth.variants import get_variant
from fastdepth_bench.runners.pytorch_bf16 import to_bf16


@pytest.mark.parametrize("variant", [get_variant("mnv2-32-dws-70"), tiny_variant()])
def test_depth_stays_near_and_float32(variant):
    torch.manual_seed(0)
    network = create_model(variant).eval()
    image = torch.rand(1, 3, 96, 128)
    seen = []
    with torch.inference_mode():
        expected = network(image)
        to_bf16(network)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].dtype))
        got = network(image)
    assert got.depth.dtype == got.centres.dtype == torch.float32
    assert seen[:3] == 3 * [torch.float32]
    assert set(seen[3:]) == {torch.bfloat16}
    assert 0 < (got.depth - expected.depth).abs().mean() < 0.02 * expected.depth.mean()
