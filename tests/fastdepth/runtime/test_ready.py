"""A network's name opens the file that comes with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import write_model

from fastdepth import load
from fastdepth.calibrate.cli import Options
from fastdepth.errors import ModelFileError
from fastdepth.predict import main
from fastdepth.runtime import ready
from fastdepth.runtime.ready import FOLDER, find_model, path_of, ready_files
from fastdepth.variants import VARIANTS
from fastdepth.weights import default_tag


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ready files of a package: one network in two precisions, another in one."""
    place = tmp_path / "ready"
    place.mkdir()
    for name, metres in (("mnv2", 0.04), ("mnv2:int8", 0.02), ("unet-75", 0.03)):
        write_model(path_of(name, place), metres=metres)
    monkeypatch.setattr(ready, "FOLDER", place)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return place


def test_names_are_those_of_the_files(folder: Path) -> None:
    assert list(ready_files()) == ["mnv2", "mnv2:int8", "unet-75"]
    assert ready_files()["mnv2:int8"] == folder / "mnv2.int8.onnx"
    assert all(path_of(name, folder) == path for name, path in ready_files().items())


@pytest.mark.parametrize(("name", "metres"), [("mnv2", 0.04), ("mnv2:int8", 0.02)])
def test_a_name_opens_its_file(folder: Path, name: str, metres: float) -> None:
    image = np.full((48, 64, 3), 50, np.uint8)
    for given in (name, Path(name)):
        np.testing.assert_allclose(load(given, threads=1)(image), 50 * metres, rtol=1e-6)


def test_a_file_of_that_name_goes_first(folder: Path, photo: np.ndarray) -> None:
    write_model(Path("mnv2"), metres=0.01)
    assert load("mnv2", threads=1)(photo).max() == pytest.approx(2.0, rel=0.01)


def test_a_folder_of_that_name_does_not(folder: Path) -> None:
    """As the training of a network leaves behind."""
    Path("mnv2").mkdir()
    assert find_model(Path("mnv2")) == folder / "mnv2.onnx"


def test_a_folder_that_is_a_package_is_told_as_such(folder: Path) -> None:
    Path("mnv2.mlpackage").mkdir()
    with pytest.raises(ModelFileError, match="is a package of Core ML, which needs a Mac"):
        load("mnv2.mlpackage")


@pytest.mark.parametrize(
    "given", ["m.onnx", "a/mnv2", "/mnv2", "./m.onnx", "../mnv2", "", "\0", "x" * 5000]
)
def test_what_is_a_path_stays_one(folder: Path, given: str) -> None:
    assert find_model(Path(given)) == Path(given)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mnv3", "did you mean 'mnv2'?"),
        ("MNV2", "did you mean 'mnv2'?"),
        ("mnv2:int4", "did you mean 'mnv2:int8'?"),
        ("zzz", "ready for use; ready are"),
        ("a\nb", "is no file and no network"),
    ],
)
def test_a_name_that_is_none_lists_those_that_are_there(folder: Path, name: str, said: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        load(name)
    line = str(caught.value)
    assert said in line and "\n" not in line
    assert "mnv2, mnv2:int8, unet-75; others are written by fastdepth-export" in line


def test_a_copy_of_the_package_without_them_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "FOLDER", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match="no network comes with this copy; others are written"):
        load("mnv2-64-dws")


def test_the_command_takes_names_too(
    folder: Path, photo_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mnv2", str(photo_file), "--output", "out", "--compare", "mnv2:int8"]
    assert main(words) == 0
    assert {path.name for path in Path("out").iterdir()} == {
        f"photo_{kind}.png" for kind in ("depth", "colour", "compare")
    }
    capsys.readouterr()
    assert main(["mnv3", str(photo_file), "--output", "out"]) == 2
    assert "did you mean 'mnv2'?" in capsys.readouterr().err


def test_a_name_is_calibrated_into_the_current_folder(folder: Path) -> None:
    told = Options(model=Path("mnv2:int8"), points=Path("points.csv"))
    told.check()
    assert (told.file().path, told.target) == (
        folder / "mnv2.int8.onnx",
        Path("mnv2.int8.calibrated.onnx"),
    )
    beside = Options(model=Path("a/mnv2.onnx"), points=Path("points.csv"))
    assert (beside.file().path, beside.target) == (
        Path("a/mnv2.onnx"),
        Path("a/mnv2.calibrated.onnx"),
    )


def test_the_package_s_own_files_open() -> None:
    """Each network that ships weights comes ready."""
    files = ready_files()
    assert {name for name in files if ":" not in name} == {n for n in VARIANTS if default_tag(n)}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 30_000_000
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    for name in files:
        with load(name, threads=1) as model:
            variant, _, precision = name.partition(":")
            metadata = model.metadata
            assert (metadata.variant, metadata.precision) == (variant, precision or "fp32")
            assert metadata.weights == default_tag(variant)
            near, far = metadata.depth_range
            assert near <= model(image).min() <= model(image).max() <= far
