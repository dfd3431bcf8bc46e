"""What a user's pip puts into site-packages."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from fastdepth.runtime.ready import ready_files
from fastdepth.variants import VARIANTS
from fastdepth.weights import shipped_weights

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "fastdepth": ROOT / "fastdepth",
    "fastdepth_export": ROOT / "export" / "fastdepth_export",
    "fastdepth_bench": ROOT / "benchmarks" / "fastdepth_bench",
}


WEB_PAGE = PACKAGES["fastdepth_export"] / "web_page"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in the wheel, without those of its own description."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    return {name for name in names if ".dist-info/" not in name}


def test_every_onnx_runtime_for_gpus_has_kernels_of_the_opset_that_is_exported():
    """CUDA's provider has Pad and Resize of opset 19 and later from 1.25 on; 20 is exported."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = [n for n in extras["optional-dependencies"]["gpu"] if n.startswith("onnxruntime")]
    _, _, lowest = line.partition("onnxruntime-gpu>=")
    assert tuple(map(int, lowest.split("."))) >= (1, 25)


def test_nothing_but_the_three_packages(wheel):
    assert {name.partition("/")[0] for name in wheel} == set(PACKAGES)


def test_every_module_is_there(wheel):
    modules = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*.py")
    }
    assert {name for name in wheel if name.endswith(".py")} == modules


def test_the_files_that_are_no_modules(wheel):
    assert {name for name in wheel if not name.endswith(".py")} == {
        "fastdepth/py.typed",
        "fastdepth/data/nyu/official_split.txt",
        *(f"fastdepth/ready/{path.name}" for path in ready_files().values()),
        *(f"fastdepth/trained/{tag}.safetensors" for tag in shipped_weights()),
        *(f"fastdepth/models/widths/{v.widths}" for v in VARIANTS.values() if v.widths),
        "fastdepth_export/py.typed",
        *(f"fastdepth_export/web_page/{path.name}" for path in WEB_PAGE.iterdir()),
        "fastdepth_bench/py.typed",
        "fastdepth_bench/results/result.schema.json",
    }


def test_folders_of_the_checkout_are_no_packages():
    for name in ("export", "benchmarks", "tests"):
        assert not (ROOT / name / "__init__.py").exists()
