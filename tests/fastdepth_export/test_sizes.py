"""Several sizes in one file, any batch or one: the same function everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

import fastdepth
from fastdepth.size import Size
from fastdepth_export import ExportRecipe, export
from fastdepth_export.cost import graph_cost
from fastdepth_export.formats.openvino_ir import OpenVinoModel
from fastdepth_export.network import build_network
from fastdepth_export.stages import check_stages, compare_stages
from fastdepth_export.verify import compare

pytestmark = pytest.mark.thorough

SIZES = Size(96, 128), Size(128, 96), Size(88, 160)
RECIPE = ExportRecipe("tiny", sizes=SIZES)
BATCHES = 1, 2, 5


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_size_is_the_same_function_at_every_batch(several, size):
    network, model = build_network(RECIPE), fastdepth.load(several[0], threads=1)
    assert compare(model.infer, network, size, batches=BATCHES) < 1e-4


def test_the_metadata_lists_what_was_compared(several):
    path, metadata = several
    assert metadata.sizes == SIZES == fastdepth.load(path).sizes
    assert 0 < metadata.parity < 1e-4
    dims = onnx.load(path).graph.output[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 1, "height", "width"]


@pytest.mark.slow
def test_a_side_that_all_share_is_fixed(tiny, tmp_path):
    path = tmp_path / "m.onnx"
    export(ExportRecipe("tiny", sizes=(Size(96, 128), Size(96, 160))), path)
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", 96, "width", 3]


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1])
def test_a_size_may_be_a_multiple_of_another(tiny, tmp_path, order):
    sizes = (Size(96, 96), Size(96, 192))[::order]
    assert export(ExportRecipe("tiny", sizes=sizes), tmp_path / "m.onnx").parity < 1e-4
    assert fastdepth.load(tmp_path / "m.onnx").sizes == sizes


def test_the_finished_file_is_verified_at_all_sizes(several):
    rows = compare_stages(several[0], data="rooms:1")
    check_stages(several[0], rows)
    assert rows[-1].name.startswith("depth")


def test_it_costs_what_a_file_of_its_first_size_costs(several, exported):
    assert graph_cost(several[0]).macs == graph_cost(exported[0]).macs


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_is_measured_at_all_sizes(tiny, tmp_path, precision):
    path = tmp_path / "m.onnx"
    recipe = replace(RECIPE, precision=precision, calibration="rooms:1")
    metadata = export(recipe, path, data="rooms:1")
    assert metadata.sizes == SIZES
    model = fastdepth.load(path, threads=1)
    for size in SIZES:
        depth = model.infer(np.full((2, *size, 3), 120, np.uint8))
        assert depth.shape == (2, 1, *size)
        assert np.isfinite(depth).all()


def test_openvino_takes_all_sizes(several, tmp_path):
    path = tmp_path / "m.xml"
    export(replace(RECIPE, format="openvino"), path, onnx_file=several[0])
    model, network = OpenVinoModel(path, threads=1), build_network(RECIPE)
    for size in SIZES:
        assert compare(model.infer, network, size, batches=BATCHES) < 1e-4


def test_a_batch_of_one_can_be_fixed(tiny, tmp_path):
    path = tmp_path / "m.onnx"
    recipe = ExportRecipe("tiny", batch=1)
    export(recipe, path)
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == [1, 96, 128, 3]
    assert fastdepth.load(path).metadata.batch == 1
    model = fastdepth.load(path, threads=1)
    assert compare(model.infer, build_network(recipe), model.size, batches=(1,)) < 1e-4
    rows = compare_stages(path, data="rooms:1")
    check_stages(path, rows)


def test_openvino_takes_a_fixed_batch(tiny, tmp_path):
    recipe = ExportRecipe("tiny", format="openvino", batch=1)
    assert export(recipe, tmp_path / "m.xml").batch == 1


def test_widths_that_the_merged_form_cannot_take_are_not_merged(tiny, tmp_path):
    path = tmp_path / "m.onnx"
    recipe = ExportRecipe("tiny", sizes=(Size(96, 132),), batch=1)  # half the time of any
    assert export(recipe, path).parity < 1e-4


@pytest.mark.slow
def test_a_network_of_real_size(tmp_path):
    path, sizes = tmp_path / "m.onnx", (Size(480, 640), Size(640, 480), Size(416, 544))
    recipe = ExportRecipe("unet128-dws", sizes=sizes)
    export(recipe, path)
    network, model = build_network(recipe), fastdepth.load(path)
    for size in sizes:
        assert compare(model.infer, network, size, batches=BATCHES) < 1e-4
