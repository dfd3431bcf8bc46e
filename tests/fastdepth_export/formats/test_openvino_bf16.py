"""bfloat16 in OpenVINO: computed where it is claimed, and float32 where metres are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from fastdepth.errors import DeviceError, ParityError, UsageError
from fastdepth_export import ExportRecipe, export
from fastdepth_export.compress import accuracy_loss
from fastdepth_export.formats import openvino_bf16
from fastdepth_export.formats.openvino_bf16 import check_bf16, computed_in, prepare
from fastdepth_export.formats.openvino_ir import OpenVinoModel, core

RECIPE = ExportRecipe("tiny", format="openvino", precision="bf16")

needs_bf16 = pytest.mark.skipif(
    "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"),
    reason="this CPU has no bfloat16",
)


def compiled(source):
    return core().compile_model(source, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})


def answer(model, images):
    request = model.create_infer_request()
    request.infer({"image": images})
    return request.get_output_tensor(0).data.copy()


@pytest.fixture(scope="module")
def built(exported, tmp_path_factory):
    """The .xml of the tiny network in bfloat16, and its metadata."""
    path = tmp_path_factory.mktemp("bf16") / "tiny.xml"
    return path, export(RECIPE, path, onnx_file=exported[0], data="rooms:1")


@needs_bf16
def test_products_are_bfloat16_and_what_leads_to_metres_is_not(built, exported):
    model = compiled(built[0])
    assert computed_in(model)["bf16"] >= 10
    exact = prepare(core().read_model(exported[0]))
    types = {}
    for node in model.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if exact.intersection(info["originalLayersNames"].astype(str).split(",")):
            kinds = types.setdefault(info["layerType"].astype(str), set())
            kinds.add(info["outputPrecisions"].astype(str))
    for kind in ("Softmax", "Pad", "CumSum", "Interpolate", "Convolution", "MatMul"):
        assert types[kind] == {"f32"}, kind


@needs_bf16
def test_depth_is_nearer_to_fp32_than_openvino_would_bring_it(built, exported, images):
    expected = OpenVinoModel(built[0]).infer(images)
    model = core().read_model(exported[0])
    exact = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    right, unmarked = answer(exact, images), answer(compiled(model), images)
    assert 0 < np.abs(expected - right).mean() < 0.5 * np.abs(unmarked - right).mean()


@needs_bf16
def test_the_metadata_say_what_it_is_and_lost(built, exported):
    metadata = OpenVinoModel(built[0]).metadata
    assert metadata == built[1]
    assert metadata.precision == "bf16"
    assert abs(metadata.d1_change) <= 1e-3
    assert metadata.parity > exported[1].parity


@needs_bf16
def test_what_loses_too_much_is_not_written(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(accuracy_loss.BOUNDS, "bf16", -1)
    with pytest.raises(ParityError, match="the bf16 file changes d1 by"):
        export(RECIPE, tmp_path / "m.xml", onnx_file=exported[0], data="rooms:1")
    assert not list(tmp_path.iterdir())


@needs_bf16
@pytest.mark.thorough
def test_with_8_bits_the_rest_is_bfloat16(reduced, weights, tmp_path):
    source, before = reduced["int8"]
    recipe = replace(RECIPE, weights=str(weights), precision="int8+bf16", calibration="rooms:1")
    path = tmp_path / "m.xml"
    built = export(recipe, path, onnx_file=source, data="rooms:1", force=True)
    assert (built.precision, built.quantisation) == ("int8+bf16", before.quantisation)
    counts = computed_in(compiled(path))
    assert counts["bf16"]
    assert counts["i8"] + counts["u8"]


class Compiled:
    """Stands for a model that a CPU without bfloat16 compiled."""

    def __init__(self, hint):
        self.hint = hint

    def get_property(self, name):
        assert name == "INFERENCE_PRECISION_HINT"
        return self

    def to_string(self):
        return self.hint


@pytest.mark.parametrize(("hint", "counts"), [("f32", {"bf16": 3}), ("bf16", {"f32": 3})])
def test_what_is_not_computed_is_not_claimed(hint, counts, monkeypatch):
    monkeypatch.setattr(openvino_bf16, "computed_in", lambda _: Counter(counts))
    message = "^OpenVINO computes tiny in .* CPU, not in bfloat16; use --precision fp32 or int8$"
    with pytest.raises(DeviceError, match=message):
        check_bf16(Compiled(hint), "tiny")


def test_it_is_no_precision_of_an_onnx_file():
    with pytest.raises(UsageError, match="onnx cannot be written in bf16.*can: openvino"):
        replace(RECIPE, format="onnx").resolved()
    source = replace(RECIPE, precision="int8+bf16").resolved().as_onnx
    assert (source.format, source.precision) == ("onnx", "int8")
    assert source.quantisation is not None
