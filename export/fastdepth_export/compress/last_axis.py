"""The network as written, but for the axis of its softmax: a baseline that is not slow by accident.

ONNX Runtime's CPU provider is slow at a softmax over channels. A folded network that is compared
with the plain one alone could owe its lead to that; compared with this one it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from fastdepth.metadata import ModelMetadata
from fastdepth.models import adabins
from fastdepth_export.export import export
from fastdepth_export.recipe import ExportRecipe


def export_last_axis(recipe: ExportRecipe, output: str | Path) -> ModelMetadata:
    """Export the network as written with the softmax over the bins on the last axis.

    Nothing is folded, whatever the recipe says; a network without bins is exported as it is.

    Raises:
        FastDepthError: see :func:`fastdepth_export.export`.
    """
    with _softmax_on_last_axis():
        return export(replace(recipe, fold=False), output)


@contextmanager
def _softmax_on_last_axis() -> Iterator[None]:
    """Within the block, :class:`~fastdepth.models.adabins.BinsHead` mixes by attention."""
    as_written = adabins.mix_bins
    adabins.mix_bins = adabins.attend
    try:
        yield
    finally:
        adabins.mix_bins = as_written
