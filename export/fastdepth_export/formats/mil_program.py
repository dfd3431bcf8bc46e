"""Core ML's program (MIL) of a written package, computed operator by operator in PyTorch.

Core ML runs on Apple's systems alone. What can be known of a file elsewhere is whether its graph
and weights, read back from the disk, mean what PyTorch computes; that they do is Core ML's own
definition of each operator (``coremltools.converters.mil.mil.ops.defs``). Every result is rounded
to the type that the program gives it, sums inside of an operator are of fp32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fastdepth.errors import ParityError
from fastdepth.extras import require

Ints = Sequence[int]


def _sides(pad_type: str, pad: Ints) -> tuple[int, int, int, int]:
    """Padding of rows and columns, as PyTorch orders it: left, right, top, bottom."""
    if pad_type not in ("valid", "custom"):
        raise NotImplementedError(f"pad_type {pad_type}")
    top, bottom, left, right = pad if pad_type == "custom" else (0, 0, 0, 0)
    return left, right, top, bottom


def _conv(
    x: Tensor,
    weight: Tensor,
    strides: Ints,
    pad_type: str,
    pad: Ints,
    dilations: Ints,
    groups: int,
    bias: Tensor | None = None,
) -> Tensor:
    padded = F.pad(x, _sides(pad_type, pad))
    return F.conv2d(padded, weight, bias, tuple(strides), 0, tuple(dilations), groups)


def _max_pool(
    x: Tensor, kernel_sizes: Ints, strides: Ints, pad_type: str, pad: Ints, ceil_mode: bool
) -> Tensor:
    padded = F.pad(x, _sides(pad_type, pad), value=-torch.inf)
    return F.max_pool2d(padded, tuple(kernel_sizes), tuple(strides), ceil_mode=ceil_mode)


def _matmul(x: Tensor, y: Tensor, transpose_x: bool, transpose_y: bool) -> Tensor:
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


def _slice(
    x: Tensor,
    begin: Ints,
    end: Ints,
    stride: Ints | None = None,
    begin_mask: Ints | None = None,
    end_mask: Ints | None = None,
    squeeze_mask: Ints | None = None,
) -> Tensor:
    none = [False] * x.ndim
    parts = zip(
        begin,
        end,
        stride or [1] * x.ndim,
        begin_mask or none,
        end_mask or none,
        squeeze_mask or none,
        strict=True,
    )
    return x[
        tuple(
            first if alone else slice(None if whole else first, None if rest else last, step)
            for first, last, step, whole, rest, alone in parts
        )
    ]


def _pad(x: Tensor, pad: Ints, mode: str, constant_val: float) -> Tensor:
    pairs = [pad[at : at + 2] for at in range(0, len(pad), 2)]
    while len(pairs) > 1 and not any(pairs[0]):  # PyTorch mirrors and repeats inner axes alone
        pairs.pop(0)
    sides = [side for pair in reversed(pairs) for side in pair]
    return F.pad(x, sides, mode, constant_val if mode == "constant" else None)


def _enlarge_nearest(x: Tensor, scale_factor_height: float, scale_factor_width: float) -> Tensor:
    scales = scale_factor_height, scale_factor_width
    if any(scale != int(scale) for scale in scales):
        raise NotImplementedError(f"scale factors {scales}, where pixels are Core ML's choice")
    return F.interpolate(x, scale_factor=scales, mode="nearest")


def _enlarge_bilinear(
    x: Tensor, scale_factor_height: float, scale_factor_width: float, align_corners: bool
) -> Tensor:
    size = int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)
    return F.interpolate(x, size, mode="bilinear", align_corners=align_corners)


def _layer_norm(
    x: Tensor, axes: Ints, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None
) -> Tensor:
    if [axis % x.ndim for axis in axes] != list(range(x.ndim - len(axes), x.ndim)):
        raise NotImplementedError(f"layer_norm along {axes}")
    return F.layer_norm(x, x.shape[-len(axes) :], gamma, beta, epsilon)


def _split(
    x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Ints | None = None
) -> Sequence[Tensor]:
    sizes = list(split_sizes) if split_sizes else x.shape[axis] // (num_splits or 1)
    return x.split(sizes, axis)  # type: ignore[no-untyped-call,no-any-return]


def _concat(values: Sequence[Tensor], axis: int, interleave: bool = False) -> Tensor:
    if interleave:
        raise NotImplementedError("concat with interleave")
    return torch.cat(list(values), axis)


OPERATORS: Mapping[str, Callable[..., Tensor | Sequence[Tensor]]] = MappingProxyType(
    {
        "add": lambda x, y: x + y,
        "cast": lambda x, dtype: x,  # what every result is rounded to is the type of the output
        "clip": lambda x, alpha, beta: x.clamp(alpha, beta),
        "concat": _concat,
        "conv": _conv,
        "exp": lambda x: x.exp(),
        "expand_dims": lambda x, axes: x[tuple(_new_axes(x.ndim + len(axes), axes))],
        "fill_like": lambda ref_tensor, value: torch.full_like(ref_tensor, value),
        "layer_norm": _layer_norm,
        "leaky_relu": lambda x, alpha: F.leaky_relu(x, alpha),
        "linear": lambda x, weight, bias=None: F.linear(x, weight, bias),
        "matmul": _matmul,
        "max_pool": _max_pool,
        "mul": lambda x, y: x * y,
        "pad": _pad,
        "pixel_shuffle": lambda x, upscale_factor: F.pixel_shuffle(x, upscale_factor),
        "real_div": lambda x, y: x / y,
        "reduce_mean": lambda x, axes, keep_dims: x.mean(axes, keepdim=keep_dims),
        "reduce_sum": lambda x, axes, keep_dims: x.sum(axes, keepdim=keep_dims),
        "relu": lambda x: x.relu(),
        "relu6": lambda x: x.clamp(0, 6),
        "reshape": lambda x, shape: x.reshape(tuple(shape)),
        "sigmoid": lambda x: x.sigmoid(),
        "silu": lambda x: F.silu(x),
        "slice_by_index": _slice,
        "softmax": lambda x, axis: x.softmax(axis),
        "split": _split,
        "squeeze": lambda x, axes: x.squeeze(tuple(axes)),
        "stack": lambda values, axis: torch.stack(list(values), axis),
        "sub": lambda x, y: x - y,
        "tile": lambda x, reps: x.tile(tuple(reps)),
        "transpose": lambda x, perm: x.permute(tuple(perm)),
        "upsample_bilinear": _enlarge_bilinear,
        "upsample_nearest_neighbor": _enlarge_nearest,
    }
)
"""What each operator of MIL computes, of its inputs by name; constants are numbers, words, lists of
whole numbers, or tensors."""


def _new_axes(rank: int, axes: Ints) -> list[slice | None]:
    """An index that gives a tensor axes of one, so that it has this rank."""
    new = {axis % rank for axis in axes}
    return [None if axis in new else slice(None) for axis in range(rank)]


def _constant(value: Any) -> Any:
    """A constant as :data:`OPERATORS` take it."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return torch.from_numpy(value.astype(np.float32))
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


class MilProgram:
    """A package's program, as it was written, with one image as its input and depth as its answer.

    Attributes:
        operators: of the program in the order in which they are computed, constants left out.
    """

    def __init__(self, spec: Any, weights: Path) -> None:
        """Read the program.

        Args:
            spec: the package's ``Model``, of which the description says how an image goes in.
            weights: the file with its weights.

        Raises:
            ParityError: it cannot be read, or has an operator that is none of ``OPERATORS``.
        """
        milproto = require("coremltools.converters.mil.frontend.milproto.load", "coreml")
        try:
            program = milproto.load(spec, spec.specificationVersion, str(weights.parent))
        except Exception as error:  # whatever it meets in foreign bytes
            reason = " ".join(str(error).split())[:200]
            raise ParityError(
                f"the program cannot be read back ({reason}); nothing was written"
            ) from error
        main = program.functions["main"]
        (image,), (self._depth,) = main.inputs.values(), main.outputs
        self._image = image.name
        kind = spec.description.input[0].type.imageType
        self._order = [0, 1, 2] if kind.colorSpace == kind.RGB else [2, 1, 0]
        self._constants: dict[str, Any] = {
            op.outputs[0].name: _constant(op.outputs[0].val)
            for op in main.operations
            if op.op_type == "const"
        }
        self.operators = [op for op in main.operations if op.op_type != "const"]
        unknown = sorted({op.op_type for op in self.operators} - OPERATORS.keys())
        if unknown:
            raise ParityError(
                f"the program has operators that cannot be checked: {', '.join(unknown)}; "
                "nothing was written; use another format"
            )

    @torch.inference_mode()
    def compute(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8 RGB, one after another."""
        return np.concatenate([self._answer(image) for image in batch])

    def _answer(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(image[..., self._order].transpose(2, 0, 1)[None], np.float32)
        known = self._constants | {self._image: torch.from_numpy(planes)}
        for op in self.operators:
            inputs = {
                name: _look_up(known, var) for name, var in op.inputs.items() if var is not None
            }
            try:
                results = OPERATORS[op.op_type](**inputs)
            except (NotImplementedError, TypeError, RuntimeError) as error:
                raise ParityError(
                    f"{op.op_type} {op.name} cannot be checked ({error}); nothing was written; "
                    "use another format"
                ) from error
            results = (results,) if isinstance(results, Tensor) else results
            for var, result in zip(op.outputs, results, strict=True):
                known[var.name] = _as_declared(result, var)
            for var in op.get_flattened_inputs():
                if var.child_ops[-1] is op and var.op is not None and var.op.op_type != "const":
                    known.pop(var.name, None)
        depth: NDArray[np.float32] = known[self._depth.name].numpy()
        return depth


def _look_up(known: Mapping[str, Any], var: Any) -> Any:
    """Value of an input, or values of one that is a list."""
    return [known[v.name] for v in var] if isinstance(var, (list, tuple)) else known[var.name]


def _as_declared(result: Tensor, var: Any) -> Tensor:
    """A result in the type that the program says; fp16 is kept in fp32 once it is rounded.

    Raises:
        ParityError: it has another shape.
    """
    if tuple(result.shape) != tuple(var.shape):
        raise ParityError(
            f"{var.name} has shape {tuple(result.shape)}, the program says {tuple(var.shape)}; "
            "nothing was written"
        )
    name = var.dtype.__name__
    return result.half().float() if name == "fp16" else result
