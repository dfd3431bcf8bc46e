"""Whole runs: with fakes for what can go wrong, and one real one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fastdepth.data import Sample, open_source
from fastdepth.metrics import Evaluation
from fastdepth.models.inference import predict_pictures
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench import run as run_function
from fastdepth_bench.accuracy import Yardstick
from fastdepth_bench.options import Options
from fastdepth_bench.result import Report
from fastdepth_bench.run import measure_case, run, steps
from fastdepth_bench.targets import Case
from fastdepth_export import ExportRecipe, export
from fastdepth_export.cost import graph_cost
from fastdepth_export.network import build_network

Open = Callable[[Callable[[Case], Any]], None]


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Sets what every target opens, instead of building networks."""
    monkeypatch.setattr("fastdepth_bench.options.check_target", lambda target, device: None)
    return lambda make: monkeypatch.setattr(sys.modules["fastdepth_bench.run"], "open_runner", make)


def test_nan_gets_no_figures_at_all(
    opening: Open,
    fake_runner: Callable[..., Any],
    case: Case,
    samples: list[Sample],
    yardstick: Yardstick,
) -> None:
    opening(lambda case: fake_runner(lambda b: np.full((1, 1, *b.shape[1:3]), np.nan, np.float32)))
    row = measure_case(case, samples, yardstick, seconds=0.01)
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
    report = run(Options(variant=variants, runtime=("torch",), data="rooms:1", seconds=0.01))
    assert [row.error for row in report.rows] == ["", "RuntimeError: out of memory", ""]
    assert [row.timing is None for row in report.rows] == [False, True, False]
    assert report.failed


def test_an_interrupt_ends_the_run(opening: Open) -> None:
    def make(case: Case) -> Any:
        raise KeyboardInterrupt

    opening(make)
    with pytest.raises(KeyboardInterrupt):
        run(Options(data="rooms:1"))


def test_untrained_rows_are_timed_and_not_scored(
    opening: Open,
    fake_runner: Callable[..., Any],
    case: Case,
    samples: list[Sample],
    yardstick: Yardstick,
) -> None:
    opening(lambda case: fake_runner())
    row = measure_case(case, samples, yardstick, seconds=0.01)
    assert row.timing is not None
    assert row.scores is None
    assert row.to_row()["untrained"] is True


def test_copies_are_timed_apart_on_a_gpu(
    opening: Open,
    fake_runner: Callable[..., Any],
    case: Case,
    samples: list[Sample],
    yardstick: Yardstick,
) -> None:
    runner = fake_runner()
    copied: list[object] = []
    runner.copy = copied.append
    opening(lambda case: runner)
    assert measure_case(case, samples, yardstick, seconds=0.01).host_copies is None
    assert not copied
    row = measure_case(replace(case, device="cuda"), samples, yardstick, seconds=0.01)
    assert len(copied) >= 20
    assert row.to_row()["host_copies_ms"] > 0


def test_progress_reaches_its_end(opening: Open, fake_runner: Callable[..., Any]) -> None:
    opening(lambda case: fake_runner())
    moved, notes = [], []

    def advance(count: int = 1, note: str = "") -> None:
        moved.append(count)
        notes.append(note)

    options = Options(data="rooms:2", seconds=0.01)
    run(options, advance)
    assert sum(moved) == steps(options) == 1 + len(options.cases())
    assert "reading rooms:2 2/2" in notes


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
        picture = torch.from_numpy(resize(sample.image, size))[None]
        depth, _ = predict_pictures(network, picture)
        evaluation.add(depth[0, 0].detach().numpy(), sample.depth)
    assert report.rows[0].scores is not None
    assert report.rows[0].scores.abs_rel == pytest.approx(evaluation.scores().abs_rel, rel=1e-4)


def test_package_exports_it() -> None:
    assert run_function is run
