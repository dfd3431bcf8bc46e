"""A head with random weights that follow its cues, for networks of tests."""

from __future__ import annotations

import torch

from fastdepth.models.uncertainty import UncertaintyHead


def random_head(features: int, deepest: int) -> UncertaintyHead:
    """A head whose answers differ from pixel to pixel and lie between its bounds."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = UncertaintyHead(features, deepest)
        torch.nn.init.normal_(head.out.weight, std=0.3)
        torch.nn.init.constant_(head.out.bias, -2.0)
    return head.eval()
