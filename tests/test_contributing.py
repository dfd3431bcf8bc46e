"""The worked example of CONTRIBUTING.md: a network that is added as it says trains and runs."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import fastdepth.models
from fastdepth import variants
from fastdepth.models import count_parameters, create_model
from fastdepth.size import Size, SizeRule
from fastdepth.train import TrainingRun, recipes, train
from fastdepth.train.recipes import Augmentation, TrainingRecipe
from fastdepth.variants import Variant
from fastdepth_bench.measure.run import run
from fastdepth_bench.options import Options
from fastdepth_export import ExportRecipe, export

CONTRIBUTING = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
SIZE = "128x96"


def blocks(language: str) -> list[str]:
    """Code blocks of the document's section on networks."""
    section = CONTRIBUTING.partition("## Add a network\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """The example, put in as the document says, but for the files that it is put into."""
    code, variant, recipe = blocks("python")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "plain.py").write_text(code)
    path = [*fastdepth.models.__path__, str(tmp_path / "models")]
    monkeypatch.setattr(fastdepth.models, "__path__", path)
    names = {"Variant": Variant, "Size": Size, "SizeRule": SizeRule}
    (added,) = eval(f"[{variant}]", names)
    monkeypatch.setattr(variants, "VARIANTS", {**variants.VARIANTS, added.name: added})
    names = {"TrainingRecipe": TrainingRecipe, "Augmentation": Augmentation, "Size": Size}
    table = {**recipes.RECIPES, **eval(f"{{{recipe}}}", names)}
    monkeypatch.setattr(recipes, "RECIPES", table)
    yield added
    sys.modules.pop("fastdepth.models.plain", None)


def test_the_count_is_exact_and_the_depth_in_range(plain):
    network = create_model("plain").eval()
    assert count_parameters(network) == plain.params
    depth = network(torch.rand(1, 3, *plain.size)).depth
    assert depth.shape == (1, 1, plain.size.height // 8, plain.size.width // 8)
    assert plain.depth_range[0] < depth.min() < depth.max() < plain.depth_range[1]


@pytest.mark.thorough
def test_it_trains_exports_and_is_benchmarked(plain, folder, tmp_path, monkeypatch, shared_graphs):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    options = {"batch": 16, "epochs": 1, "crop": SIZE, "workers": 0, "threads": 1}
    output = tmp_path / "run"
    summary = train(TrainingRun("plain", (f"nyu:{folder}",), output, **options))
    assert summary.finished
    assert summary.steps == 2
    best = str(output / "best.safetensors")
    recipe = ExportRecipe("plain", weights=best, sizes=(Size.parse(SIZE),))
    assert export(recipe, tmp_path / "plain.onnx", data="rooms:1").parity < 1e-4
    asked = Options(
        weights=(best,),
        runtime=("torch", "onnxruntime"),
        size=SIZE,
        data="rooms:2",
        seconds=0.05,
        threads=1,
    )
    report = run(asked, isolated=False)  # other processes do not know the example
    assert [(row.variant, row.error) for row in report.rows] == [("plain", None)] * 2
    assert all(row.metrics is not None and row.latency_ms is not None for row in report.rows)
    assert abs(report.rows[1].d1_minus_torch) < 1e-3


def test_the_commands_are_there():
    (commands,) = blocks("sh")
    names = [line.split()[0] for line in commands.splitlines()]
    assert names == ["fastdepth-train", "fastdepth-export", "fastdepth-bench"]
    assert all(" plain" in line or "/plain/" in line for line in commands.splitlines())
