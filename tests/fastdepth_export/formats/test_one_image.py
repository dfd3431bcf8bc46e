"""Operators that converters drop or lack, written in others with the same result."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from fastdepth_export.formats.one_image import OneImage, PlainOperators


def test_sums_and_steps_are_the_same():
    values = torch.rand(2, 8, 3)
    with PlainOperators(nearest=True):
        summed = values[..., 0].cumsum(dim=1)
        steps = [values[:, 0::2], values[:, 1::3], values[:, :, ::2], values[:, 1:3], values[1, 0]]
    torch.testing.assert_close(summed, values[..., 0].cumsum(dim=1))
    expected = [values[:, 0::2], values[:, 1::3], values[:, :, ::2], values[:, 1:3], values[1, 0]]
    for got, want in zip(steps, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(15, 20), (16, 20), (8, 10), (11, 10), (5, 30)])
def test_nearest_pixels_are_the_same(size):
    values = torch.rand(1, 2, 8, 10)
    expected = functional.interpolate(values, size, mode="nearest")
    with PlainOperators(nearest=True):
        got = functional.interpolate(values, size, mode="nearest")
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_enlargement_by_a_factor_stays_as_it_is():
    values = torch.rand(1, 2, 8, 10)
    with PlainOperators(nearest=True):
        got = functional.interpolate(values, scale_factor=2.0, mode="nearest")
    assert torch.equal(got, functional.interpolate(values, scale_factor=2.0, mode="nearest"))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit")
def test_a_traced_network_has_no_cumulative_sum(network, tiny):
    image = torch.randint(0, 256, (1, *tiny.size, 3), dtype=torch.uint8)
    planes = image.permute(0, 3, 1, 2).float()
    module = OneImage(network, planes=True)
    with torch.no_grad():
        traced = torch.jit.trace(module, planes, check_trace=False)
        expected = OneImage(network, planes=False)(image)
        torch.testing.assert_close(traced(planes), expected)
        torch.testing.assert_close(module.to_depth(image)[0], expected)
    assert "aten::cumsum" not in str(traced.inlined_graph)
