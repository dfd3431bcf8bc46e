"""A network in PyTorch whose products are computed in bfloat16."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fastdepth.models.adabins import MiniViT
from fastdepth_export.compress.early import EARLY

JOINED = (nn.MultiheadAttention, nn.TransformerEncoderLayer)
"""Modules that read the matrices of their parts themselves."""


def to_bf16(network: nn.Module) -> None:
    """Let convolutions and linear maps be computed in bfloat16, from weights of that type.

    What stands between them follows the type of its inputs; the bins' arithmetic is float32, which
    the networks ask for themselves. float32 stay the first ``EARLY`` products, as in OpenVINO's
    files, and transformers with what is multiplied by their answer.

    Args:
        network: in evaluation mode; it is changed.
    """
    parts = [
        part for each in network.modules() if isinstance(each, JOINED) for part in each.modules()
    ]
    products = [
        module
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not any(module is part for part in parts)
    ]
    for number, module in enumerate(products):
        kind = torch.float32 if number < EARLY else torch.bfloat16
        module.to(kind)
        module.register_forward_pre_hook(_caster(kind))
    for head in network.modules():
        if isinstance(head, MiniViT):
            head.pixel_conv.register_forward_hook(lambda _module, _inputs, output: output.float())


def _caster(kind: torch.dtype) -> Any:
    """A hook that hands a module its input in a type."""

    def cast(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(each.to(kind) for each in inputs)

    return cast
