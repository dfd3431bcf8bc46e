"""What mixed precision leaves in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastdepth.models.pruned import channel_by_channel

MIXED = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Types of mixed precision by name."""

SLOW_BF16 = "--precision bf16: this CPU computes it many times slower than float32; leave it out"


class Float32Conv2d(nn.Conv2d):
    """A convolution in float32, whatever stands around it."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``input`` (B, C, H, W) of any float; the answer is float32."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def keep_float32(network: nn.Module, device: torch.device) -> None:
    """Let mixed precision on a CPU leave strided depthwise convolutions in float32.

    oneDNN has no quick bfloat16 gradient of them: at 96x112x84 it takes four times as long as in
    float32, at 576x14x11 eighteen times, and MobileNetV2 spends a quarter of its step there.

    Args:
        network: changed in place; names and values of its weights stay.
        device: that it is trained on; on others nothing is changed.
    """
    if device.type != "cpu":
        return
    for module in network.modules():
        if type(module) is not nn.Conv2d or max(module.stride) == 1:
            continue
        if channel_by_channel(module):
            module.__class__ = Float32Conv2d
