"""An export is made once, and made again whenever anything that decides it changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastdepth.errors import ParityError
from fastdepth.size import Size
from fastdepth_bench.runners import cache
from fastdepth_bench.runners.cache import as_onnx, cache_path, exported
from fastdepth_export import ExportRecipe

RECIPE = ExportRecipe("unet128-dws", weights="untrained", sizes=(Size(320, 416),))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path))
    return tmp_path


def test_exports_once(folder: Path) -> None:
    made: list[Path] = []

    def write(recipe: ExportRecipe, path: Path) -> Any:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"onnx")
        made.append(path)

    first, second = exported(RECIPE, write), exported(RECIPE, write)
    assert first == second == made[0]
    assert len(made) == 1
    assert first.is_relative_to(folder)
    assert first.name.startswith("unet128-dws-416x320-fp32-")


def test_another_form_is_another_file_and_says_so() -> None:
    path = cache_path(replace(RECIPE, form="last-axis"))
    assert path.name.startswith("unet128-dws-416x320-fp32-last-axis-")
    assert cache_path(RECIPE).name.rpartition("-")[2] != path.name.rpartition("-")[2]


def test_an_engine_is_built_from_a_file_of_its_own_types() -> None:
    recipe = ExportRecipe("unet-dws", precision="int8", format="engine")
    source = as_onnx(recipe)
    assert (source.format, source.quantisation) == ("onnx", "s8s8")
    assert as_onnx(source) == source


def test_a_failed_export_leaves_nothing(folder: Path) -> None:
    def write(recipe: ExportRecipe, path: Path) -> Any:
        raise ParityError("differs")

    with pytest.raises(ParityError):
        exported(RECIPE, write)
    assert not list(folder.rglob("*.onnx"))


def test_what_killed_exports_of_any_recipe_left_goes_with_the_next(folder: Path) -> None:
    left = folder / "exports" / ".fastdepth-0123abcd-a1b2c3d4.onnx"
    left.parent.mkdir()
    left.touch()

    def write(recipe: ExportRecipe, path: Path) -> Any:
        path.touch()

    exported(RECIPE, write)
    assert not left.exists()


def test_key_holds_recipe_version_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {cache_path(RECIPE)}
    paths.add(cache_path(ExportRecipe("unet128-dws", "untrained", sizes=(Size(384, 512),))))
    int8 = replace(RECIPE, precision="int8", quantisation="u8s8")
    for changes in ({"quantisation": "s8s8"}, {"calibration": "rooms:3"}):
        paths |= {cache_path(int8), cache_path(replace(int8, **changes))}
    others = ({"opset": 21}, {"form": "plain"}, {"precision": "fp16"}, {"format": "openvino"})
    for changes in others:
        paths.add(cache_path(replace(RECIPE, **changes)))
    monkeypatch.setattr("fastdepth.__version__", "99")
    paths.add(cache_path(RECIPE))
    monkeypatch.setattr(cache, "_source_hash", lambda: "edited")
    paths.add(cache_path(RECIPE))
    monkeypatch.setattr(cache, "_version", lambda name: "another")
    paths.add(cache_path(RECIPE))
    assert len(paths) == 12


def test_key_holds_the_bytes_of_the_weights(weights_file: Path, tmp_path: Path) -> None:
    def path_of(file: Path) -> Path:
        return cache_path(ExportRecipe("unet128-dws-75", str(file)))

    copy = tmp_path / weights_file.name
    shutil.copy(weights_file, copy)
    assert path_of(copy) == path_of(weights_file)
    with copy.open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)[0]
        stream.seek(-1, 2)
        stream.write(bytes([last ^ 1]))
    assert path_of(copy) != path_of(weights_file)


def test_any_file_that_decides_an_export_changes_its_name(tmp_path: Path) -> None:
    """Code and tables, in whatever folder; weights and what training needs have no part."""
    for name in ("size.py", "models/widths/thin.json", "train/loop.py", "trained/a.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    seen = {cache.tree_hash(tmp_path)}
    for name in ("size.py", "models/widths/thin.json", "models/deeper/new.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("after")
        seen.add(cache.tree_hash(tmp_path))
    assert len(seen) == 4
    for name in ("train/loop.py", "trained/a.safetensors"):
        (tmp_path / name).write_text("after")
        assert cache.tree_hash(tmp_path) in seen
