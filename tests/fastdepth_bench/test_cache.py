"""An export is made once, and made again whenever anything that decides it changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fastdepth.errors import ParityError
from fastdepth.size import Size
from fastdepth_bench import cache
from fastdepth_bench.cache import cache_path, exported
from fastdepth_export import ExportRecipe

RECIPE = ExportRecipe("unet128-dws", weights="untrained", size=Size(320, 416))


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


def test_another_form_of_a_recipe_is_another_file() -> None:
    path = cache_path(RECIPE, "last-axis")
    assert path.name.startswith("unet128-dws-416x320-fp32-last-axis-")
    assert cache_path(RECIPE).name.rpartition("-")[2] != path.name.rpartition("-")[2]


def test_a_failed_export_leaves_nothing(folder: Path) -> None:
    def write(recipe: ExportRecipe, path: Path) -> Any:
        raise ParityError("differs")

    with pytest.raises(ParityError):
        exported(RECIPE, write)
    assert not list(folder.rglob("*.onnx"))


def test_key_holds_recipe_version_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {cache_path(RECIPE)}
    paths.add(cache_path(ExportRecipe("unet128-dws", "untrained", size=Size(384, 512))))
    paths.add(cache_path(ExportRecipe("unet128-dws", "untrained", size=RECIPE.size, opset=21)))
    monkeypatch.setattr("fastdepth.__version__", "99")
    paths.add(cache_path(RECIPE))
    monkeypatch.setattr(cache, "_source_hash", lambda: "edited")
    paths.add(cache_path(RECIPE))
    monkeypatch.setattr(cache, "_version", lambda name: "another")
    paths.add(cache_path(RECIPE))
    assert len(paths) == 6


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
