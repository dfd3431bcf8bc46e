"""Enlargements by a whole factor are told as such, and compute what they computed."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn import functional as F

from fastdepth_export.compress.resize import SIZES, enlarge_by_factors


class Enlarge(torch.nn.Module):
    """To a size, through a convolution whose shape is asked for."""

    def __init__(self, size, **options):
        super().__init__()
        self.conv, self.size, self.options = torch.nn.Conv2d(3, 16, 1), size, options

    def forward(self, image):
        return F.interpolate(self.conv(image), self.size, **self.options)


def exported(size, **options):
    program = torch.onnx.export(
        Enlarge(size, **options).eval(),
        (torch.rand(2, 3, 6, 8),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},),
        verbose=False,
    )
    return program.model_proto


def run(model, image):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def resizes(model):
    return [node for node in model.graph.node if node.op_type == "Resize"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"mode": "nearest"},
        {"mode": "bilinear", "align_corners": True},
        {"mode": "bilinear", "align_corners": False},
    ],
)
@pytest.mark.parametrize(("size", "factors"), [((12, 16), (2, 2)), ((6, 24), (1, 3))])
def test_whole_factors(size, factors, options):
    model = exported(size, **options)
    image = np.random.default_rng(0).random((3, 3, 6, 8), dtype=np.float32)
    before, nodes = run(model, image), len(model.graph.node)
    assert enlarge_by_factors(model) == 1
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_allclose(run(model, image), before, rtol=0, atol=1e-6)
    (resize,) = resizes(model)
    assert len(resize.input) == SIZES
    (told,) = (each for each in model.graph.initializer if each.name == resize.input[SIZES - 1])
    assert tuple(onnx.numpy_helper.to_array(told)) == (1, 1, *factors)
    assert len(model.graph.node) < nodes, "what computed the size is still there"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_other_sizes_stay():
    model = exported((13, 16), mode="nearest")
    before = model.SerializeToString()
    assert enlarge_by_factors(model) == 0
    assert model.SerializeToString() == before
