"""Whole runs: with fakes for what can go wrong, and one real one."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from tiny_onnx import write_model

from fastdepth.data import open_source
from fastdepth.images.io import write_png
from fastdepth.metrics import Evaluation
from fastdepth.models.inference import predict_images
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.measure import run as run_function
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Options
from fastdepth_bench.results.result import SCHEMA_FILE, Report
from fastdepth_export import ExportRecipe, export
from fastdepth_export.cost import graph_cost
from fastdepth_export.network import build_network

ROW_SCHEMA = json.loads(SCHEMA_FILE.read_text())["properties"]["rows"]["items"]

Open = Callable[[Callable[[Case], Any]], None]


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Sets what every target opens, instead of building networks."""
    monkeypatch.setattr("fastdepth_bench.options.check_target", lambda target, device: None)
    module = sys.modules["fastdepth_bench.measure.run"]
    monkeypatch.setattr(module, "measure_rates", lambda *_: Rates(1e11, 1e10, 1))
    return lambda make: monkeypatch.setattr("fastdepth_bench.measure.trial.open_runner", make)


def quick(**changes: Any) -> Options:
    """A run of a moment, in PyTorch alone, which fakes stand in for."""
    return Options(**{"runtime": ("torch",), "data": "rooms:2", "seconds": 0.01} | changes)


def test_nan_gets_no_figures_at_all(opening: Open, fake_runner: Callable[..., Any]) -> None:
    opening(lambda case: fake_runner(lambda b: np.full((1, 1, *b.shape[1:3]), np.nan, np.float32)))
    (row,) = run(quick(), isolated=False).rows
    assert "NaN" in row.error
    assert (row.timing, row.scores, row.cost) == (None, None, None)


def test_one_failure_does_not_stop_the_others(
    opening: Open, fake_runner: Callable[..., Any]
) -> None:
    def make(case: Case) -> Any:
        if case.variant == "unet256":
            raise RuntimeError("out of\nmemory")
        return fake_runner()

    opening(make)
    variants = ("unet128", "unet256", "unet128-dws")
    report = run(quick(variant=variants), isolated=False)
    assert [row.error for row in report.rows] == ["", "RuntimeError: out of memory", ""]
    assert [row.timing is None for row in report.rows] == [False, True, False]
    assert report.failed


def test_a_row_that_fails_at_its_last_restart_keeps_nothing(
    opening: Open, fake_runner: Callable[..., Any]
) -> None:
    opened: list[Case] = []

    def make(case: Case) -> Any:
        opened.append(case)
        if len(opened) == 4:
            raise RuntimeError("out of memory")
        return fake_runner()

    opening(make)
    (row,) = run(quick(restarts=5), isolated=False).rows
    assert row.error == "RuntimeError: out of memory"
    assert row.pooled is None
    assert len(opened) == 4  # and it is not tried again


def test_an_interrupt_ends_the_run(opening: Open) -> None:
    def make(case: Case) -> Any:
        raise KeyboardInterrupt

    opening(make)
    with pytest.raises(KeyboardInterrupt):
        run(quick(), isolated=False)


def test_untrained_rows_are_timed_and_not_scored(
    opening: Open, fake_runner: Callable[..., Any]
) -> None:
    opening(lambda case: fake_runner())
    (row,) = run(quick(variant=("unet128",)), isolated=False).rows
    assert row.timing is not None
    assert row.scores is None
    assert row.to_row()["untrained"] is True


def test_restarts_open_the_runner_anew_and_take_turns_with_the_other_rows(
    opening: Open, fake_runner: Callable[..., Any]
) -> None:
    opened: list[str] = []

    def make(case: Case) -> Any:
        opened.append(case.variant)
        return fake_runner()

    opening(make)
    report = run(quick(variant=("unet128", "unet256"), restarts=3), isolated=False)
    assert opened == ["unet128", "unet256"] * 4  # once for what does not change
    for row in report.rows:
        assert row.pooled is not None
        assert row.pooled.restarts == 3
        assert row.pooled.timing.n >= 20


def test_parts_are_timed_apart_on_a_device(opening: Open, fake_runner: Callable[..., Any]) -> None:
    def make(case: Case) -> Any:
        runner = fake_runner()
        device = SimpleNamespace(
            copy_in=lambda batch: time.sleep(0.001), compute=lambda: None, copy_out=lambda: None
        )
        runner.on_device = lambda: device
        return runner

    opening(lambda case: fake_runner())
    (row,) = run(quick(), isolated=False).rows
    assert row.to_row()["stages_ms"]["copy_in"] is row.to_row()["host_copies_ms"] is None
    opening(make)
    (row,) = run(quick(), isolated=False).rows
    assert row.to_row()["stages_ms"]["copy_in"] > 1
    assert row.to_row()["host_copies_ms"] > 1


def test_a_row_takes_turns_with_the_one_it_is_compared_with(
    opening: Open, fake_runner: Callable[..., Any], clock: Any
) -> None:
    def make(case: Case) -> Any:
        def depth(batch: Any) -> Any:
            clock.work(0.002 if case.fold else 0.006)
            return 1 + batch.mean(axis=3, dtype=np.float32)[:, None] / 255

        return fake_runner(depth)

    opening(make)
    plain = quick(variant=("unet128-dws", "unet128-dws:plain"), against="unet128-dws:plain")
    plain = replace(plain, runtime=("onnxruntime",), restarts=2)
    folded, itself = run(plain, isolated=False).rows
    assert folded.pooled is not None
    versus = folded.pooled.versus
    assert versus is not None
    assert versus.inference.value == pytest.approx(3)
    content = folded.to_row()["against"]
    assert (content["name"], content["ratio"]) == ("unet128-dws:plain", pytest.approx(3))
    assert (itself.against, itself.to_row()["against"]) == (None, None)


def test_the_ceiling_is_the_best_that_the_machine_did_in_the_whole_run(
    opening: Open, fake_runner: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opening(lambda case: fake_runner())
    found = iter([Rates(1e11, 3e10, 1), Rates(3e11, 1e10, 1), Rates(2e11, 2e10, 1)])
    module = sys.modules["fastdepth_bench.measure.run"]
    monkeypatch.setattr(module, "measure_rates", lambda *_: next(found))
    (row,) = run(quick(restarts=3), isolated=False).rows
    assert row.rates == Rates(3e11, 3e10, 1)


def test_progress_reaches_its_end(opening: Open, fake_runner: Callable[..., Any]) -> None:
    opening(lambda case: fake_runner())
    moved, notes = [], []

    def advance(count: int = 1, note: str = "") -> None:
        moved.append(count)
        notes.append(note)

    options = quick(restarts=2)
    run(options, advance, isolated=False)
    assert sum(moved) == steps(options) == 1 + 3 * len(options.cases())
    assert "reading rooms:2 2/2" in notes


def test_a_foreign_file_is_measured_beside_ours(
    fake_runner: Callable[..., Any], tmp_path: Path
) -> None:
    path = write_model(tmp_path / "rival.onnx", Size(48, 64), metadata=None)
    for output in ("metres", "disparity"):
        options = quick(model=(path,), normalise="raw", output=output, restarts=1)
        (row,) = run(options, isolated=False).rows
        assert row.error == ""
        assert row.scores is not None
        assert row.yardstick.aligned == (output == "disparity")
        content = row.to_row()
        assert (content["variant"], content["model"]["output"]) == ("rival", output)
        assert content["params"] is content["checkpoint_bytes"] is None
        assert ("fitted to the truth" in content["protocol_description"]) == row.yardstick.aligned


def test_every_scenario_has_its_row(
    opening: Open, fake_runner: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(3):
        write_png(tmp_path / f"{number}.png", np.full((32, 48, 3), 60 * number, np.uint8))
    opening(lambda case: fake_runner(busy=0.001))
    names = ("single-stream", "multi-stream", "server", "offline")
    options = quick(
        scenario=names, streams=2, images=(tmp_path,), size="128x96", restarts=2, seconds=0.2
    )
    options = replace(options, variant=("unet-dws",))
    single, streams, served, offline = (row.to_row() for row in run(options, isolated=False).rows)
    assert [row["error"] for row in (single, streams, served, offline)] == [None] * 4
    assert (single["queries"], single["from_disk"], single["batch"]) == (None, None, 1)
    assert (streams["batch"], streams["queries"]["samples"]) == (2, 2)
    assert served["queries"]["rate"] > 0
    assert served["fps"] == served["queries"]["achieved_rate"]
    assert served["latency_ms"]["p50"] >= served["stages_ms"]["inference"]
    assert offline["batch"] == offline["queries"]["samples"] >= 2  # for the fake larger is faster
    assert offline["from_disk"]["pictures"] == 6  # of three images, each restart all
    for row in (single, streams, served, offline):
        jsonschema.validate(row, ROW_SCHEMA)


def test_rows_are_measured_in_processes_of_their_own(
    options: Options, cache_folder: Path, shared_graphs: None
) -> None:
    """Which see neither the memory of this one nor PyTorch, where they have no need of it."""
    ballast = np.ones(2_000_000_000 // 8)
    chosen = replace(options, runtime=("onnxruntime",), restarts=2, against="unet128-dws-75:plain")
    (row,) = run(chosen).rows
    assert row.error == ""
    assert row.pooled is not None
    assert row.pooled.peak_resident is not None
    assert 30e6 < row.pooled.peak_resident < 1e9 < ballast.nbytes
    assert row.pooled.restarts == 2
    assert row.pooled.versus is not None
    assert row.pooled.versus.inference.low > 1  # folding helps


def test_a_real_run_has_every_figure(report: Report) -> None:
    assert [row.error for row in report.rows] == [""] * len(report.rows)
    for row in report.rows:
        assert row.timing is not None
        assert row.scores is not None
        assert 0 < row.timing.minimum <= row.timing.p50 <= row.timing.p90 <= row.timing.p99
        assert row.timing.p99 <= row.timing.maximum
        assert row.timing.n >= 20
        assert (row.yardstick.data, row.yardstick.samples) == ("rooms", 2)
    assert not report.failed


def test_all_runtimes_compute_the_same(report: Report) -> None:
    torch, *others = report.rows
    assert torch.d1_minus_torch == 0
    assert torch.scores is not None
    for row in others:
        assert row.d1_minus_torch == pytest.approx(0, abs=1e-3)
        assert row.scores is not None
        assert row.scores.rmse == pytest.approx(torch.scores.rmse, abs=1e-4)


def test_two_ways_of_counting_agree(report: Report, tmp_path: Path) -> None:
    """PyTorch's operations are counted as they run, the file's from its graph."""
    counted, folded = (row.cost for row in report.rows[:2])
    assert counted is not None
    assert counted.params == report.rows[0].params
    export(replace(report.rows[0].case.recipe(), fold=False), tmp_path / "plain.onnx")
    plain = graph_cost(tmp_path / "plain.onnx")
    assert plain.macs == pytest.approx(counted.macs, rel=0.02)
    assert plain.params == pytest.approx(counted.params, rel=0.02)
    assert folded is not None
    assert folded.macs < 0.5 * plain.macs
    assert folded.params < 0.75 * plain.params


def test_accuracy_is_that_of_the_weights(report: Report, weights_file: Path) -> None:
    """Computed once more, without any of the benchmark's code."""
    size = Size(240, 312)
    network = build_network(ExportRecipe("unet128-dws-75", str(weights_file), sizes=(size,)))
    evaluation = Evaluation()
    for sample in (open_source("rooms:2")[index] for index in range(2)):
        image = torch.from_numpy(resize(sample.image, size))[None]
        depth, _ = predict_images(network, image)
        evaluation.add(depth[0, 0].detach().numpy(), sample.depth)
    assert report.rows[0].scores is not None
    assert report.rows[0].scores.abs_rel == pytest.approx(evaluation.scores().abs_rel, rel=1e-4)


def test_package_exports_it() -> None:
    assert run_function is run
