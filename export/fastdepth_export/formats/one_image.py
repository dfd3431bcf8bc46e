"""The network for converters that take PyTorch's own operators: one image of one size, in metres.

What they drop or lack is written in other operators, with the same result: PNNX leaves a cumulative
sum out without a word, ncnn has no slice with a step, TFLite takes other pixels for the nearest
where a side is not enlarged by a whole factor, and Core ML does not say which it takes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from fastdepth.models import DepthNetwork
from fastdepth_export.network import CameraToDepth


class PlainOperators(TorchFunctionMode):
    """Exact rewrites of single operators while a network is called.

    ``cumsum`` along rows is the product with a triangular matrix of ones; a slice with a step is
    the stack of what it takes. Where asked for, the nearest pixels are those of an enlargement by
    whole factors, of which what is too much is cut off; ncnn, which needs no such thing, cuts off
    something else.
    """

    def __init__(self, *, nearest: bool) -> None:
        """Say whether enlargements by the nearest pixels are rewritten."""
        super().__init__()
        self._nearest = nearest

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call an operator, or what stands for it."""
        kwargs = kwargs or {}
        if func is Tensor.cumsum:
            return _sum_up(*args, **kwargs)
        if func is Tensor.__getitem__ and isinstance(args[1], tuple):
            return _take(*args)
        if func is functional.interpolate and self._nearest:
            return _enlarge(*args, **kwargs)
        return func(*args, **kwargs)


def _sum_up(values: Tensor, dim: int) -> Tensor:
    """Cumulative sum along the rows of (B, n)."""
    assert values.ndim == 2 and dim % 2 == 1
    count = values.shape[1]
    return values @ torch.ones(count, count, dtype=values.dtype).triu()


def _take(values: Tensor, at: tuple[Any, ...]) -> Tensor:
    """``values[at]``, where at most one slice has a step, and the others take all."""
    steps = [isinstance(part, slice) and part.step not in (None, 1) for part in at]
    if not any(steps):
        return values[at]
    axis = steps.index(True)
    assert set(map(str, at[:axis] + at[axis + 1 :])) <= {str(slice(None))}
    return torch.stack(values.unbind(axis)[at[axis]], axis)


def _enlarge(values: Tensor, size: Sequence[int] | None, *, mode: str, **options: Any) -> Tensor:
    """``interpolate``, to sides that are whole multiples where it is of the nearest."""
    if size is None:  # by a factor, which is whole in all networks
        return functional.interpolate(values, size, mode=mode, **options)
    sides = [(own, wide, -(-wide // own)) for own, wide in zip(values.shape[2:], size, strict=True)]
    same = all(at * own // wide == at // by for own, wide, by in sides for at in range(wide))
    if mode != "nearest" or not same:
        return functional.interpolate(values, size, mode=mode, **options)
    whole = functional.interpolate(values, [own * by for own, _, by in sides], mode=mode)
    return whole[:, :, : size[0], : size[1]]


class OneImage(nn.Module):
    """A network as a function of one image to depth (1, 1, H, W) float32 [m]."""

    def __init__(self, network: DepthNetwork, *, planes: bool, nearest: bool = True) -> None:
        """Wrap.

        Args:
            network: in evaluation mode.
            planes: whether the image is (1, 3, H, W) float32 in [0, 255], as runtimes for phones
                make it of a camera's bytes, and not (1, H, W, 3) uint8.
            nearest: whether enlargements by the nearest pixels are rewritten.
        """
        super().__init__()
        self.to_depth = CameraToDepth(network)
        self.planes, self.nearest = planes, nearest
        self.eval()

    def forward(self, image: Tensor) -> Tensor:
        """Depth of an image."""
        with PlainOperators(nearest=self.nearest):
            depth: Tensor = self.to_depth(image.permute(0, 2, 3, 1) if self.planes else image)[0]
        return depth
