"""Operators of Core ML's programs mean what coremltools says, and what is not known is refused."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from fastdepth.errors import ParityError
from fastdepth.extras import require
from fastdepth_export.formats.mil_program import OPERATORS, _as_declared, _constant

needs_coremltools = pytest.mark.skipif(not find_spec("coremltools"), reason="no extra coreml")
RANDOM = np.random.default_rng(0)


def array(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


X = array(2, 3, 8, 6)

OF_COREMLTOOLS = {
    "add": {"x": X, "y": array(6)},
    "clip": {"x": X, "alpha": -0.5, "beta": 0.5},
    "concat": {"values": [X, array(2, 1, 8, 6)], "axis": 1},
    "exp": {"x": X},
    "expand_dims": {"x": X, "axes": [0, -1]},
    "layer_norm": {"x": X, "axes": [-1], "gamma": array(6), "beta": array(6), "epsilon": 1e-3},
    "leaky_relu": {"x": X, "alpha": 0.1},
    "linear": {"x": array(4, 6), "weight": array(5, 6), "bias": array(5)},
    "matmul": {"x": X, "y": array(2, 3, 5, 6), "transpose_y": True},
    "mul": {"x": X, "y": array(8, 1)},
    "pad": {"x": X, "pad": [0, 0, 1, 0, 0, 2], "mode": "constant", "constant_val": 3.0},
    "real_div": {"x": X, "y": array(6)},
    "reduce_mean": {"x": X, "axes": [2, 3], "keep_dims": False},
    "reduce_sum": {"x": X, "axes": [1], "keep_dims": True},
    "relu": {"x": X},
    "relu6": {"x": 9 * X},
    "reshape": {"x": X, "shape": [2, -1, 6]},
    "sigmoid": {"x": X},
    "slice_by_index": {
        "x": X,
        "begin": [1, 0, 1, 0],
        "end": [0, 3, -1, 0],
        "stride": [1, 2, 3, 1],
        "begin_mask": [False, True, False, False],
        "end_mask": [False, False, False, True],
        "squeeze_mask": [True, False, False, False],
    },
    "softmax": {"x": X, "axis": 1},
    "split": {"x": X, "split_sizes": [3, 5], "axis": 2},
    "squeeze": {"x": X[:1], "axes": [0]},
    "stack": {"values": [X, -X], "axis": 2},
    "sub": {"x": X, "y": array(3, 1, 1)},
    "tile": {"x": X, "reps": [1, 2, 1, 3]},
    "transpose": {"x": X, "perm": [0, 2, 3, 1]},
}
"""Inputs of operators that coremltools can compute by itself."""


@needs_coremltools
@pytest.mark.parametrize("name", OF_COREMLTOOLS)
def test_it_computes_what_coremltools_does(name):
    made = make(name, OF_COREMLTOOLS[name])
    results = OPERATORS[name](**known(made[0].op))
    results = results if isinstance(results, (list, tuple)) else [results]
    for var, result in zip(made, results, strict=True):
        np.testing.assert_allclose(_as_declared(result, var).numpy(), var.val, atol=1e-6)


def make(name, inputs):
    """Outputs of an operator in a program of its own, with the values that coremltools gives."""
    target = require("coremltools", "coreml").target
    Builder = require("coremltools.converters.mil.mil", "coreml").Builder

    made = []

    @Builder.program(input_specs=[Builder.TensorSpec(shape=(1,))], opset_version=target.iOS16)
    def program(x):
        result = getattr(Builder, name)(**inputs)
        made.extend(result if isinstance(result, (list, tuple)) else [result])
        return x

    return made


def known(op):
    """Constants of an operator's inputs, those that have a default included."""
    return {
        name: [_constant(each.val) for each in var]
        if isinstance(var, (list, tuple))
        else _constant(var.val)
        for name, var in op.inputs.items()
        if var is not None
    }


def test_convolutions_and_pools_pad_as_they_say():
    x, weight = torch.from_numpy(X), torch.rand(6, 1, 3, 3)
    common = {"strides": [2, 1], "pad_type": "custom", "pad": [1, 0, 2, 1]}
    got = OPERATORS["conv"](x=x, weight=weight, dilations=[1, 1], groups=3, **common)
    padded = functional.pad(x, (2, 1, 1, 0))
    torch.testing.assert_close(got, functional.conv2d(padded, weight, stride=(2, 1), groups=3))
    got = OPERATORS["max_pool"](x=x - 9, kernel_sizes=[2, 2], ceil_mode=False, **common)
    padded = functional.pad(x - 9, (2, 1, 1, 0), value=-torch.inf)
    torch.testing.assert_close(got, functional.max_pool2d(padded, 2, (2, 1)))


def test_bilinear_enlargement_is_that_of_the_documentation():
    x = torch.tensor([[[[0.0, 1.0]]]])
    for corners, size, expected in (
        (False, 5, [0, 0.1, 0.5, 0.9, 1]),
        (True, 5, [0, 0.25, 0.5, 0.75, 1]),
        (True, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ):
        got = OPERATORS["upsample_bilinear"](x, 1, size / 2, align_corners=corners)
        np.testing.assert_allclose(got[0, 0, 0], expected, atol=1e-6)


def test_borders_are_repeated_and_mirrored():
    x = torch.from_numpy(X)
    for mode, edge in (("replicate", "edge"), ("reflect", "reflect")):
        got = OPERATORS["pad"](x, [0, 0, 0, 0, 1, 0, 2, 2], mode, 0.0)
        np.testing.assert_array_equal(got, np.pad(X, [(0, 0), (0, 0), (1, 0), (2, 2)], edge))


def test_what_core_ml_leaves_open_is_refused():
    x = torch.from_numpy(X)
    got = OPERATORS["upsample_nearest_neighbor"](x, 2.0, 3.0)
    np.testing.assert_array_equal(got, X.repeat(2, axis=2).repeat(3, axis=3))
    with pytest.raises(NotImplementedError, match="scale factors"):
        OPERATORS["upsample_nearest_neighbor"](x, 1.875, 2.0)
    with pytest.raises(NotImplementedError, match="pad_type same"):
        OPERATORS["max_pool"](x, [2, 2], [2, 2], "same", [0] * 4, False)


def test_results_are_rounded_to_the_type_of_the_program():
    class fp16:  # noqa: N801 (types of MIL are classes of such names)
        pass

    var = SimpleNamespace(name="x", shape=(2,), dtype=fp16)
    got = _as_declared(torch.tensor([1 + 2**-12, 70_000]), var)
    assert (got.dtype, got.tolist()) == (torch.float32, [1, float("inf")])
    with pytest.raises(ParityError, match=r"x has shape \(3,\), the program says \(2,\)"):
        _as_declared(torch.zeros(3), var)
