from __future__ import annotations

import pytest
import small_pruned

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.variants import VARIANTS
from fastdepth_export import ExportRecipe, export
from fastdepth_export.cost import graph_cost


@pytest.mark.thorough
@pytest.mark.parametrize(
    "base", ["unet-dws", pytest.param(small_pruned.MOBILE, marks=pytest.mark.slow)]
)
def test_a_pruned_network_exports_within_the_bound(base, folder, tmp_path, monkeypatch):
    left = small_pruned.enter_pruned(monkeypatch, tmp_path, f"nyu:{folder}", 0.6, base)
    weights, path = str(tmp_path / f"{left.name}.safetensors"), tmp_path / "pruned.onnx"
    metadata = export(ExportRecipe(left.name, weights=weights), path)
    assert metadata.variant == left.name
    assert graph_cost(path).params <= left.params < VARIANTS[base].params
    depth = fastdepth.load(path, threads=1)(render_room(3, left.size).image)
    assert depth.shape == left.size
