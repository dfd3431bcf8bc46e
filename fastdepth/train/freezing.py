"""Which parameters are trained, and which modules train with them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def freeze(network: nn.Module, trained: Sequence[str], frozen: Sequence[str]) -> None:
    """Let only some parameters be trained.

    Args:
        network: changed in place.
        trained: prefixes of parameter names; an empty prefix fits all.
        frozen: prefixes of those among them that are not trained nevertheless.
    """
    for name, parameter in network.named_parameters():
        fits = name.startswith(tuple(trained)) and not name.startswith(tuple(frozen))
        parameter.requires_grad_(fits)
        parameter.grad = None  # the gradient of an earlier stage must not count when clipping


def set_training(network: nn.Module) -> None:
    """Put a network into training mode, but what is frozen into evaluation mode.

    A module all of whose parameters are frozen neither drops out nor moves its batch statistics.
    """
    network.train()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
