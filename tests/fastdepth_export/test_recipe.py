from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fastdepth.errors import SizeError, UnknownNameError, UsageError, WeightsError
from fastdepth.metadata import UNTRAINED
from fastdepth.size import Size
from fastdepth_export import ExportRecipe


def test_defaults_are_filled_from_the_variant():
    resolved = ExportRecipe("unet256").resolved()
    assert resolved.sizes == (Size(480, 640),)
    assert resolved.weights == UNTRAINED
    assert resolved.recipe == ExportRecipe("unet256", weights=UNTRAINED, sizes=(Size(480, 640),))


def test_a_resolved_recipe_resolves_to_itself():
    resolved = ExportRecipe("unet256").resolved()
    assert resolved.recipe.resolved() == resolved


def test_the_folders_of_a_weights_file_stay_out_of_the_name(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.touch()
    assert ExportRecipe("unet256", weights=str(file)).resolved().weights_name == "mine.safetensors"


@pytest.mark.parametrize(
    ("recipe", "error", "message"),
    [
        (ExportRecipe("unet64"), UnknownNameError, "unknown variant 'unet64'"),
        (ExportRecipe("unet128", format="onxx"), UnknownNameError, "did you mean 'onnx'"),
        (ExportRecipe("unet128", form="last_axis"), UnknownNameError, "did you mean 'last-axis'"),
        (ExportRecipe("unet128", precision="fp8"), UnknownNameError, "unknown precision"),
        (ExportRecipe("unet128", precision="int8", quantisation="u4"), UnknownNameError, "u8s8"),
        (ExportRecipe("unet128", quantisation="u8s8"), UsageError, "needs --precision int8"),
        (ExportRecipe("unet128", opset=9), UsageError, "opset 9 must be 18 to 24"),
        (ExportRecipe("unet128", weights="unet128.x"), UnknownNameError, "unknown weights"),
        (ExportRecipe("unet128", weights="no.safetensors"), WeightsError, "no.safetensors"),
        (ExportRecipe("unet128", sizes=(Size(224, 224),)), SizeError, "nearest sizes that work"),
        (
            ExportRecipe("unet128", sizes=(Size(480, 640), Size(224, 224))),
            SizeError,
            "cannot take 224x224",
        ),
        (
            ExportRecipe("unet128", sizes=(Size(480, 640), Size(480, 640))),
            UsageError,
            "640x480 is given twice",
        ),
        (ExportRecipe("unet128", batch=2), UsageError, "batch 2 must be 1"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_built(recipe, error, message):
    with pytest.raises(error, match=message):
        recipe.resolved()


@pytest.mark.parametrize(("flags", "expected"), [("avx512_vnni", "u8s8"), ("avx2", "u8s7")])
def test_int8_suits_the_cpu_unless_said_otherwise(flags, expected, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self: f"flags : fpu {flags}")
    recipe = ExportRecipe("unet128", precision="int8")
    assert recipe.resolved().recipe.quantisation == expected
    assert replace(recipe, quantisation="s8s8").resolved().recipe.quantisation == "s8s8"
    assert replace(recipe, precision="fp16").resolved().recipe.quantisation is None


def test_without_a_list_of_cpu_flags_the_reduced_range_is_safe(monkeypatch):
    def missing(self):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    resolved = ExportRecipe("unet128", precision="int8").resolved()
    assert resolved.recipe.quantisation == "u8s7"
