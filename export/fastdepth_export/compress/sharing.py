"""Copies of modules that share what they do not change."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def sharing(module: Module, **parts: nn.Module | nn.Parameter | None) -> Module:
    """A copy that shares everything with the module but these parts."""
    other = copy.copy(module)
    other._modules, other._parameters = dict(module._modules), dict(module._parameters)
    for name, part in parts.items():
        setattr(other, name, part)
    return other
