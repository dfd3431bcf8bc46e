"""Every network exports; the light ones at every run."""

from __future__ import annotations

import onnx
import pytest

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.models.network import count_parameters
from fastdepth.size import Size
from fastdepth.variants import VARIANTS
from fastdepth_export import ExportRecipe, export
from fastdepth_export.compress.fold import fold
from fastdepth_export.cost import graph_cost
from fastdepth_export.network import build_network
from fastdepth_export.stages import compare_stages

PLAIN = [name for name, variant in VARIANTS.items() if not variant.recipe.startswith("adabins")]
LIGHT = {"fastdepth-mnv1", "unet-dws"}
"""Two kinds of network; a mobile one is exported by other tests. The others take minutes."""


def mark(name):
    return pytest.mark.thorough if name in LIGHT else pytest.mark.slow


@pytest.mark.parametrize("name", [pytest.param(name, marks=mark(name)) for name in PLAIN])
def test_networks_without_bins_export_and_compute_the_same(name, tmp_path, shared_graphs):
    variant, path = VARIANTS[name], tmp_path / "model.onnx"
    size = variant.sizes.nearest(Size(64, 64))[0]
    metadata = export(ExportRecipe(name, sizes=(size,)), path)
    cost = graph_cost(path)
    print(
        f"{name}: parity {metadata.parity:.1e} m, {cost.bytes / 1e6:.1f} MB, {size}, "
        f"{cost.macs / 1e9:.2f} GMAC"
    )
    depth = fastdepth.load(path, threads=1)(render_room(3, size).image)
    assert depth.shape == size
    assert variant.depth_range[0] <= depth.min() < depth.max() <= variant.depth_range[1]
    assert cost.params <= 1.01 * variant.params
    rows = compare_stages(path, data="rooms:1")
    names = [row.name for row in rows]
    assert not any(row.problem for row in rows)
    assert ("coarse" in names) == (name == "eigen")
    if name == "eigen":
        assert names.index("coarse") < names.index("depth")


@pytest.mark.thorough
def test_the_one_sided_padding_of_an_efficientnet_lite_is_its_convolutions(tmp_path):
    path = tmp_path / "model.onnx"
    export(ExportRecipe("lite0-64-dws-70", sizes=(Size(64, 64),)), path)
    nodes = onnx.load(path).graph.node
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    pads = [list(a.ints) for node in convolutions for a in node.attribute if a.name == "pads"]
    assert pads.count([0, 0, 1, 1]) == 3  # of 3x3 and stride 2
    assert pads.count([1, 1, 2, 2]) == 2  # of 5x5
    padded = {name for node in nodes if node.op_type == "Pad" for name in node.output}
    assert not any(node.input[0] in padded for node in convolutions)


def test_folding_leaves_networks_without_bins_as_they_are():
    network = build_network(ExportRecipe("fastdepth-mnv1"))
    assert fold(network) is network
    assert count_parameters(network) == VARIANTS["fastdepth-mnv1"].params
