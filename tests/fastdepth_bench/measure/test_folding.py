"""The folding benchmark: on files of a few nodes, and once for real."""

from __future__ import annotations

import copy
import json
import re
from functools import partial
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from referencing import Registry, Resource
from tiny_onnx import write_model

from fastdepth.models import DepthNetwork, Prediction
from fastdepth.models.unet import AdaBinsUNet
from fastdepth_bench.machine import roofline
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.measure import folding
from fastdepth_bench.measure.folding import Command, main, measure, steps
from fastdepth_bench.report.folding_report import SCHEMA_FILE
from fastdepth_bench.report.folding_table import MARKDOWN, folding_to_markdown
from fastdepth_bench.report.markdown import marks
from fastdepth_bench.report.pages import SECTIONS, with_results
from fastdepth_bench.results.reading import read_all
from fastdepth_bench.results.result import SCHEMA_FILE as RESULT_SCHEMA_FILE
from fastdepth_export.cost import GraphCost

ROOT = Path(__file__).parents[3]
METRES = {"plain": 0.04, "last-axis": 0.04, "folded": 0.04 * (1 + 1e-5)}
"""Metres that each tiny file gives a unit of red."""


@pytest.fixture(scope="module")
def validate():
    files = {path.name: json.loads(path.read_text()) for path in (SCHEMA_FILE, RESULT_SCHEMA_FILE)}
    registry = Registry().with_resources(
        (name, Resource.from_contents(content)) for name, content in files.items()
    )
    jsonschema.Draft202012Validator.check_schema(files[SCHEMA_FILE.name])

    def check(content, name=SCHEMA_FILE.name):
        jsonschema.Draft202012Validator(files[name], registry=registry).validate(content)

    return check


class Red(DepthNetwork):
    """What the tiny file named plain computes."""

    def predict(self, normalised):
        red = (normalised * self.std + self.mean)[:, :1]
        return Prediction(normalised, 255 * np.float64(np.float32(0.04)) * red)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Replaces networks, exports and costs; a function that sets the files' factors."""
    monkeypatch.setattr("fastdepth_export.network.build_network", lambda recipe: Red().eval())
    monkeypatch.setattr(
        "fastdepth_export.cost.graph_cost",
        lambda path: GraphCost(2_000_000, 3_000_000_000, path.stat().st_size),
    )
    rates = Rates(macs_per_second=30e9, bytes_per_second=10e9, threads=1)
    monkeypatch.setattr(folding, "measure_rates", lambda threads: rates)

    def use(metres):
        def writer(name):
            path = tmp_path / f"{name}.onnx"
            return lambda recipe: write_model(path, recipe.sizes[0], metres=metres[name])

        monkeypatch.setattr(folding, "_exporters", lambda: {name: writer(name) for name in metres})

    use(METRES)
    return use


@pytest.fixture
def small(folder):
    """Options of a run on small images."""
    words = {"data": f"nyu:{folder}", "limit": 2, "seconds": 0.01}
    return Command(variant=("unet-dws",), size="64x64", **words).options()


def test_every_figure_is_where_it_belongs(small, tiny, validate):
    said = []
    report = measure(small, said.append)
    content = json.loads(report.to_json())
    validate(content)
    plain, last, folded = content["rows"]
    assert [row["form"] for row in content["rows"]] == list(METRES)
    assert last["same_as"] == "plain"
    assert (plain["same_as"], folded["same_as"]) == (None, None)
    assert last["latency_ms"] is None
    assert (content["data"], content["samples"]) == ("nyu", 2)
    assert plain["ceiling_ms"]["arithmetic"] == pytest.approx(100)
    assert folded["ceiling_share"] == pytest.approx(100 / folded["latency_ms"]["p50"])
    assert folded["speedup"]["low"] <= folded["speedup"]["value"] <= folded["speedup"]["high"]
    medians = [row["latency_ms"]["p50"] for row in (plain, folded)]
    assert folded["speedup"]["value"] == pytest.approx(medians[0] / medians[1])
    # red is at most 255 units of 0.04 m, and less where pixels were averaged
    assert 0.5 * 255 * 0.04e-5 < folded["difference_to_plain"] < 1.1 * 255 * 0.04e-5
    assert folded["difference_to_float64"] == pytest.approx(folded["difference_to_plain"], abs=2e-6)
    assert plain["difference_to_plain"] == 0
    assert plain["difference_to_float64"] < 2e-6
    assert len(said) == 1 + 2
    assert "30.0 GMAC/s" in said[0]
    assert "unet-dws 64x64 folded: multiply-adds 100.0 ms" in said[2]


def test_ceilings_are_said_before_anything_is_timed(small, tiny, monkeypatch):
    order = []
    real = folding.interleave

    def interleave(*arguments, **options):
        order.append("timed")
        return real(*arguments, **options)

    monkeypatch.setattr(folding, "interleave", interleave)
    measure(small, order.append)
    assert order[-1] == "timed"
    assert order.count("timed") == 1
    assert len(order) == 4


def test_progress_reaches_its_end(small, tiny):
    moved = []
    measure(small, advance=lambda steps=1, note="": moved.append(steps))
    assert sum(moved) == steps(small)


def test_where_nothing_folds_nothing_is_timed_twice(folder, tiny, validate, capsys, tmp_path):
    tiny(dict.fromkeys(METRES, 0.04))
    words = "--variant mnv2-64-dws-70 --weights mnv2-64-dws-70.nyu --size 64x64"
    words += f" --limit 2 --seconds 0.01 --data nyu:{folder}"
    path = tmp_path / "machine.folding.json"
    assert main([*words.split(), "--json", str(path)]) == 0
    content = json.loads(path.read_text())
    validate(content)
    assert [row["same_as"] for row in content["rows"]] == [None, "plain", "plain"]
    assert [row["speedup"] for row in content["rows"]] == [None] * 3
    err = capsys.readouterr().err
    assert "folded is the graph of plain: nothing changed, nothing timed" in err
    assert "saves" not in err
    assert "weights mnv2-64-dws-70.nyu, hash" in err


def test_random_weights_are_named_so(folder, tiny, capsys):
    words = (
        f"--variant unet128 --size 416x320 --data nyu:{folder} --limit 2 --seconds 0.01 --json -"
    )
    assert main(words.split()) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rows"][0]["untrained"] is True
    assert "unet128, 416x320, untrained" in captured.err
    assert "unet128 (untrained)" in folding_to_markdown(json.loads(captured.out))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--variant unet12", "did you mean 'unet128'"),
        ("--size 64x64", "cannot take 64x64"),
        ("--threads 0", "threads 0 must be"),
        ("--limit 0", "leaves no sample"),
        ("--seconds 0", "must be above 0"),
        ("--data elsewhere", "unknown data source"),
        ("--variant unet128 --weights unet128-dws.nyu", "add --variant unet128-dws"),
    ],
    ids=str,
)
def test_what_cannot_work_is_one_line(words, message, capsys):
    assert main(words.split()) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


def test_schema_refuses(small, tiny, validate):
    content = json.loads(measure(small).to_json())
    for row, change in (
        (0, {"speedup": {"value": 1, "low": 1, "high": 1}}),
        (0, {"difference_to_plain": 1e-9}),
        (1, {"latency_ms": {"p50": 1.0}}),
        (2, {"speedup": None}),
        (2, {"difference_to_float64": None}),
        (2, {"form": "faster"}),
        (2, {"weights_hash": "short"}),
    ):
        wrong = copy.deepcopy(content)
        wrong["rows"][row].update(change)
        with pytest.raises(jsonschema.ValidationError):
            validate(wrong)


def test_committed_results_are_what_their_schemas_say(validate):
    committed = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert committed
    for path in committed:
        schema = SCHEMA_FILE if path.name.endswith(".folding.json") else RESULT_SCHEMA_FILE
        validate(json.loads(path.read_text()), schema.name)


def test_the_readme_takes_the_table(small, tiny, tmp_path):
    path = tmp_path / "machine.folding.json"
    path.write_text(measure(small).to_json())
    empty = "\n".join(mark for section in SECTIONS for mark in marks(section))
    text = with_results(empty, read_all([path]))
    markdown = folding_to_markdown(json.loads(path.read_text()))
    assert markdown in text.partition(marks("folding")[0])[2]
    assert with_results(text, read_all([path])) == text
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + len(METRES)
    assert {line.count(" | ") for line in lines} == {len(MARKDOWN) - 1}
    assert "last-axis = plain" in lines[3]


@pytest.mark.slow
def test_for_real(folder, tmp_path, monkeypatch, validate, capsys, shared_graphs):
    """Exported, loaded, timed and compared: the same function in much less arithmetic."""
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path))  # no other test shall meet these files
    monkeypatch.setattr(roofline, "COPIED", 2**24)
    monkeypatch.setattr(roofline, "fastest", partial(roofline.fastest, seconds=0.05))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = AdaBinsUNet(bins=8, separable=True, patch=4).eval()
    monkeypatch.setattr(
        "fastdepth_export.network.build_network", lambda recipe: copy.deepcopy(network)
    )
    words = "--variant mnv2-64-dws-70 --weights mnv2-64-dws-70.nyu --size 128x96"
    words += f" --limit 2 --seconds 0.01 --data nyu:{folder}"
    assert main([*words.split(), "--json", "-"]) == 0
    captured = capsys.readouterr()
    content = json.loads(captured.out)
    validate(content)
    plain, last, folded = content["rows"]
    assert [row["same_as"] for row in content["rows"]] == [None] * 3
    assert folded["gmac"] < 0.6 * plain["gmac"]
    assert last["gmac"] == pytest.approx(plain["gmac"], rel=0.01)
    assert last["deployed_params"] == pytest.approx(plain["deployed_params"], rel=0.01)
    for row in content["rows"]:
        assert 0 < row["difference_to_float64"] < 1e-4
    assert 0 < folded["difference_to_plain"] < 1e-4
    assert 1e8 < content["rates"]["macs_per_second"] < 1e13
    assert 1e7 < content["rates"]["bytes_per_second"] < 1e13
    saved = re.search(r"folded saves (\d+) % of the parameters", captured.err)
    share = 1 - folded["deployed_params"] / plain["deployed_params"]
    assert int(saved[1]) == pytest.approx(100 * share, abs=0.5)
