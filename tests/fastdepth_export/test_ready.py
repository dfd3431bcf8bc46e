"""The files that the package brings are what the exporter makes of the weights that it ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from fastdepth.data.rooms.dataset import render_room
from fastdepth.errors import OutputError
from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.model import load
from fastdepth.runtime.ready import FOLDER, ready_files
from fastdepth_export import ready
from fastdepth_export.cli import main
from fastdepth_export.ready import recipes, write_ready
from fastdepth_export.recipe import ExportRecipe
from fastdepth_export.verify import draw_images


def test_what_ships_is_exported() -> None:
    made = recipes()
    assert {"mnv2-64-dws", "mnv2-64-dws:int8", "unet128-dws"} <= made.keys()
    for name, recipe in made.items():
        variant, _, precision = name.partition(":")
        assert (recipe.variant, recipe.precision) == (variant, precision or "fp32")
        assert recipe.compact is (not precision)
        recipe.resolved()


@pytest.fixture
def one_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "recipes", lambda: {"tiny": ExportRecipe("tiny", compact=True)})


def test_one_command_writes_them(
    one_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--ready", "--output", str(tmp_path / "new")]) == 0
    assert "tiny.onnx: tiny, weights untrained, input 128x96" in capsys.readouterr().err
    path = tmp_path / "new" / "tiny.onnx"
    assert [*path.parent.iterdir()] == [path]
    assert load(path, threads=1)(render_room(1).image).max() <= 10
    assert main(["--ready", "--variant", "tiny"]) == 2
    assert "leave all options but --output out" in capsys.readouterr().err


def test_they_may_not_take_more_than_the_package_holds(
    one_recipe: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "MOST_BYTES", 1000)
    with pytest.raises(OutputError, match="bytes, not at most 1000"):
        list(write_ready(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes())
def test_a_file_of_the_package_is_a_fresh_export(name: str, tmp_path: Path) -> None:
    from fastdepth_export import export

    committed, fresh = ready_files()[name], tmp_path / "fresh.onnx"
    export(recipes()[name], fresh)
    first, second = (described(path) for path in (committed, fresh))
    assert replace(first, version="") == replace(second, version="")
    batch = draw_images(first.size, 2)
    old, new = (load(path, threads=1) for path in (committed, fresh))
    np.testing.assert_allclose(old.infer(batch), new.infer(batch), rtol=0, atol=1e-6)


def described(path: Path) -> ModelMetadata:
    """What a file says, whose graph the checker has seen."""
    onnx.checker.check_model(str(path), full_check=True)
    return load(path, threads=1).metadata


def test_the_package_has_no_others() -> None:
    """Of a network that no longer ships, or that was left out."""
    assert ready_files().keys() == recipes().keys()
    assert len(list(FOLDER.iterdir())) == len(recipes())
