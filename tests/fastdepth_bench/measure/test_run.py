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
from tiny_network import random_network
from tiny_onnx import make_endless, write_model

import fastdepth_bench
from fastdepth.data import open_source
from fastdepth.images.io import write_png
from fastdepth.metadata import UNTRAINED
from fastdepth.metrics import Evaluation
from fastdepth.models.inference import predict_images
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth.variants import get_variant
from fastdepth_bench.case import Case, ThirdPartyNetwork
from fastdepth_bench.machine.roofline import Rates
from fastdepth_bench.measure.isolate import OVER
from fastdepth_bench.measure.run import run, steps
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.schema import SCHEMA_FILE
from fastdepth_bench.rivals.study import Compared
from fastdepth_bench.runners.cache import exported
from fastdepth_export import ExportRecipe
from fastdepth_export.cost import graph_cost
from fastdepth_export.network import build_network

SCHEMA = json.loads(SCHEMA_FILE.read_text())

Open = Callable[[Callable[[Case], Any]], None]


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Sets what every target opens, instead of building networks."""
    monkeypatch.setattr("fastdepth_bench.options.check_target", lambda target, device: None)
    module = sys.modules["fastdepth_bench.measure.run"]
    monkeypatch.setattr(module, "measure_rates", lambda *_: Rates(1e11, 1e10, 1))

    def use(make: Callable[[Case], Any]) -> None:
        for name in ("trial", "exactness"):
            monkeypatch.setattr(f"fastdepth_bench.measure.{name}.open_runner", make)

    return use


def quick(**changes: Any) -> Options:
    """A run of a moment on small images, in PyTorch alone, which fakes stand in for."""
    small = {"variant": ("unet-dws",), "size": "128x96", "data": "rooms:2", "seconds": 0.01}
    return Options(**{"runtime": ("torch",), **small} | changes)


THIRD_PARTY: dict[str, Any] = {"variant": (), "runtime": (), "size": None}
"""Of :func:`quick`: a file's own network alone."""


def nothing(batch: Any) -> Any:
    """An answer of no depth."""
    return np.full((1, 1, *batch.shape[1:3]), np.nan, np.float32)


def test_what_time_does_not_suffice_for_says_so_and_what_was_done_stays(
    opening: Open, fake_runner: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is finished before the next begins, so that the first ones have figures."""
    module = sys.modules["fastdepth_bench.measure.run"]
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def make(case: Case) -> Any:
        now[0] += 1
        return fake_runner()

    opening(make)
    options = quick(runtime=("torch", "onnxruntime"), restarts=1)
    rows = run(options, isolated=False, ends=2.0).rows
    assert [row.error for row in rows] == [None, OVER]
    assert rows[0].fps > 0


def test_nan_gets_no_figures_at_all(opening: Open, fake_runner: Callable[..., Any]) -> None:
    opening(lambda case: fake_runner(nothing))
    (row,) = run(quick(), isolated=False).rows
    assert row.error is not None and "NaN" in row.error
    assert (row.latency_ms, row.metrics, row.bytes) == (None, None, None)


def test_one_failure_does_not_stop_the_others(
    opening: Open, fake_runner: Callable[..., Any]
) -> None:
    def make(case: Case) -> Any:
        if case.variant == "fcrn-conv":
            raise RuntimeError("out of\nmemory")
        return fake_runner()

    opening(make)
    variants = ("unet-dws", "fcrn-conv", "fcrn-res50")
    report = run(quick(variant=variants), isolated=False)
    assert [row.error for row in report.rows] == [None, "RuntimeError: out of memory", None]
    assert [row.fps is None for row in report.rows] == [False, True, False]
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
    assert row.restarts is row.fps is None
    assert len(opened) == 4  # and it is not tried again


def test_a_file_that_was_exported_here_need_not_show_that_it_ends(
    opening: Open,
    fake_runner: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    module, tried = sys.modules["fastdepth_bench.measure.run"], []
    monkeypatch.setattr(module, "within", lambda _, work, say, case, frames: tried.append(case))
    monkeypatch.setattr(module, "until", lambda _, work, *a, **named: work(*a, **named))
    monkeypatch.setattr(module, "in_own_process", lambda work, *a: work(*a))
    opening(lambda case: fake_runner())
    path = write_model(tmp_path / "their.onnx", metadata=None)
    given = Case.of_model(ThirdPartyNetwork(path, None, "raw", "disparity"), "cpu", 1)
    exported_here = replace(given, weights=UNTRAINED)
    options = vars(quick()) | {"others": (given, exported_here), "restarts": 1}
    run(Compared(**options))
    assert tried == [given]


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
    (row,) = run(quick(variant=("fcrn-conv",)), isolated=False).rows
    assert row.fps is not None
    assert row.metrics is None
    assert row.untrained


@pytest.mark.thorough
def test_restarts_open_the_runner_anew_and_take_turns_with_the_other_rows(
    opening: Open, fake_runner: Callable[..., Any]
) -> None:
    opened: list[str] = []

    def make(case: Case) -> Any:
        opened.append(case.variant)
        return fake_runner()

    opening(make)
    report = run(quick(variant=("unet-dws", "fcrn-conv"), restarts=3), isolated=False)
    assert opened == ["unet-dws", "fcrn-conv"] * 4  # once for what does not change
    for row in report.rows:
        assert row.restarts == 3
        assert row.n is not None and row.n >= 20


@pytest.mark.thorough
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
    assert row.stages_ms is not None
    assert row.stages_ms.copy_in is row.host_copies_ms is None
    opening(make)
    (row,) = run(quick(), isolated=False).rows
    assert row.stages_ms is not None
    assert (row.stages_ms.copy_in or 0) > 1
    assert (row.host_copies_ms or 0) > 1


@pytest.fixture
def bright_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network of every case computes, instead of one that is built."""
    monkeypatch.setattr(
        "fastdepth_bench.measure.exactness._in_float64",
        lambda case, stack: lambda batch: 1 + batch.mean(axis=3)[:, None] / 255,
    )


@pytest.mark.thorough
def test_a_row_takes_turns_with_the_one_it_is_compared_with(
    opening: Open, fake_runner: Callable[..., Any], clock: Any, bright_in_float64: None
) -> None:
    def make(case: Case) -> Any:
        folded = case.form == "folded"

        def depth(batch: Any) -> Any:
            clock.work(0.002 if folded else 0.006)
            metres = 1 + batch.mean(axis=3, dtype=np.float32)[:, None] / 255
            metres[..., -1, -1] += 0.25 * folded
            return metres

        return fake_runner(depth)

    opening(make)
    plain = quick(variant=("unet-dws", "unet-dws:plain"), against="unet-dws:plain")
    plain = replace(plain, runtime=("onnxruntime",), restarts=2)
    folded, itself = run(plain, isolated=False).rows
    assert folded.against is not None
    assert (folded.against.name, folded.against.ratio) == ("unet-dws:plain", pytest.approx(3))
    assert folded.max_difference_to_against == pytest.approx(0.25, abs=1e-6)
    assert folded.max_difference_to_float64 == pytest.approx(0.25, abs=1e-6)
    assert (itself.against, itself.max_difference_to_against) == (None, None)
    assert 0 < (itself.max_difference_to_float64 or 0) < 1e-6  # float32's rounding
    (alone,) = run(replace(plain, variant=("unet-dws",), against=None), isolated=False).rows
    assert (alone.max_difference_to_against, alone.max_difference_to_float64) == (None, None)


def test_a_row_says_why_the_other_one_failed(
    opening: Open, fake_runner: Callable[..., Any], bright_in_float64: None
) -> None:
    def make(case: Case) -> Any:
        return fake_runner(nothing) if case.form == "plain" else fake_runner()

    opening(make)
    options = quick(runtime=("onnxruntime",), against="unet-dws:plain", restarts=1)
    (row,) = run(options, isolated=False).rows
    assert row.error is not None and "NaN" in row.error
    assert row.max_difference_to_against is row.fps is None


def test_the_roofline_is_the_best_that_the_machine_did_in_the_whole_run(
    opening: Open, fake_runner: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opening(lambda case: fake_runner())
    found = iter([Rates(1e11, 3e10, 1), Rates(3e11, 1e10, 1), Rates(2e11, 2e10, 1)])
    module = sys.modules["fastdepth_bench.measure.run"]
    monkeypatch.setattr(module, "measure_rates", lambda *_: next(found))
    (row,) = run(quick(restarts=3), isolated=False).rows
    assert row.ceiling is not None
    assert (row.ceiling.macs_per_second, row.ceiling.bytes_per_second) == (3e11, 3e10)


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


@pytest.mark.thorough
def test_a_third_party_file_is_measured_beside_ours(
    fake_runner: Callable[..., Any], tmp_path: Path
) -> None:
    path = write_model(tmp_path / "theirs.onnx", Size(48, 64), metadata=None)
    for output in ("metres", "disparity"):
        options = quick(model=(path,), **THIRD_PARTY, normalise="raw", output=output, restarts=1)
        (row,) = run(options, isolated=False).rows
        assert (row.error, row.variant) == (None, "theirs")
        assert row.params is row.checkpoint_bytes is None
        assert row.metrics is not None
        assert row.model is not None and row.model.output == output
        assert row.alignment == ("affine-disparity" if output == "disparity" else "none")
        assert f"; alignment {row.alignment}" in row.protocol_description


def test_every_alignment_has_a_row_of_the_same_measurement(
    opening: Open, fake_runner: Callable[..., Any], weights_file: Path
) -> None:
    opening(lambda case: fake_runner())
    own = {"variant": (), "weights": (str(weights_file),), "size": "312x240"}
    asked = quick(**own, align=("none,median", "affine"))
    rows = run(replace(asked, restarts=1), isolated=False).rows
    assert [row.alignment for row in rows] == ["none", "median", "affine"]
    assert len({row.yardstick for row in rows}) == 3
    assert len({row.fps for row in rows}) == 1
    d1 = [row.metrics["d1"] for row in rows if row.metrics]
    assert len({*d1}) == 3


def test_what_fails_fails_under_every_alignment(opening: Open) -> None:
    def broken(case: Case) -> Any:
        raise RuntimeError("no memory")

    opening(broken)
    rows = run(quick(align=("none,median",), restarts=1), isolated=False).rows
    assert [(row.alignment, row.error) for row in rows] == [
        ("none", "RuntimeError: no memory"),
        ("median", "RuntimeError: no memory"),
    ]


@pytest.mark.thorough
def test_a_file_without_end_is_stopped_and_the_others_go_on(tmp_path: Path) -> None:
    files = [write_model(tmp_path / f"{n}.onnx", Size(48, 64), metadata=None) for n in "ab"]
    make_endless(files[0])
    options = quick(
        model=tuple(files),
        **THIRD_PARTY,
        normalise="raw",
        output="metres",
        restarts=1,
        time_limit=20,
    )
    endless, other = run(options).rows
    assert endless.error is not None
    assert (
        "did not end within 20 s and was stopped; give it longer by --time-limit" in endless.error
    )
    assert (other.error, other.spinning) == (None, True)


@pytest.mark.thorough
def test_every_scenario_has_its_row(
    opening: Open, fake_runner: Callable[..., Any], tmp_path: Path, folder: Path
) -> None:
    data = {"data": f"nyu:{folder}", "limit": 2}  # small images, for large batches
    for number in range(3):
        write_png(tmp_path / f"{number}.png", np.full((32, 48, 3), 60 * number, np.uint8))
    opening(lambda case: fake_runner(busy=0.001))
    names = ("single-stream", "multi-stream", "server", "offline")
    options = quick(
        scenario=names, streams=2, pictures=(tmp_path,), restarts=2, seconds=0.2, **data
    )
    report = run(options, isolated=False)
    single, streams, served, offline = report.rows
    assert [row.error for row in (single, streams, served, offline)] == [None] * 4
    assert (single.queries, single.from_disk, single.batch) == (None, None, 1)
    assert streams.queries is not None
    assert (streams.batch, streams.queries.samples) == (2, 2)
    assert served.queries is not None and (served.queries.rate or 0) > 0
    assert served.fps == served.queries.achieved_rate
    assert served.latency_ms is not None and served.stages_ms is not None
    assert served.latency_ms.p50 >= served.stages_ms.inference
    assert offline.queries is not None and offline.from_disk is not None
    assert offline.batch == offline.queries.samples >= 2  # for the fake larger is faster
    assert offline.from_disk.pictures == 6  # of three images, each restart all
    jsonschema.validate(json.loads(report.to_json()), SCHEMA)


@pytest.mark.slow
def test_rows_are_measured_in_processes_of_their_own(
    options: Options, weights_file: Path, cache_folder: Path
) -> None:
    """Which see neither the memory of this one nor PyTorch, where they have no need of it.

    Both files lie in the cache before.
    """
    real = replace(options, weights=(str(weights_file),), size="312x240", restarts=2)
    for form in ("folded", "plain"):
        exported(replace(real.cases()[0].recipe(), form=form))
    ballast = np.ones(2_000_000_000 // 8)
    chosen = replace(real, runtime=("onnxruntime",), against="unet128-dws-75:plain")
    (row,) = run(chosen).rows
    assert (row.error, row.restarts) == (None, 2)
    assert row.peak_resident_bytes is not None
    assert 30e6 < row.peak_resident_bytes < 1e9 < ballast.nbytes
    assert row.against is not None
    assert row.against.low > 1  # folding helps
    assert 0 < (row.max_difference_to_against or 0) < 1e-3  # and changes rounding alone
    assert 0 < (row.max_difference_to_float64 or 0) < 1e-3


def test_a_real_run_has_every_figure(report: Report) -> None:
    assert [row.error for row in report.rows] == [None] * len(report.rows)
    for row in report.rows:
        latency = row.latency_ms
        assert latency is not None
        assert row.metrics is not None
        assert 0 < latency.min <= latency.p50 <= latency.p90 <= latency.p99 <= latency.max
        assert row.n is not None and row.n >= 20
        assert (row.data, row.samples) == ("rooms", 2)
        assert row.weights == "mine.safetensors"
        assert row.weights_hash
    assert not report.failed


def test_all_runtimes_compute_the_same(report: Report) -> None:
    torch, *others = report.rows
    assert torch.d1_minus_torch == torch.max_difference_to_torch == 0
    for row in others:
        assert row.d1_minus_torch == pytest.approx(0, abs=1e-3)
        assert row.metrics_minus_torch is not None
        assert row.metrics_minus_torch["rmse"] == pytest.approx(0, abs=1e-4)
        assert 0 < (row.max_difference_to_torch or 0) < 1e-3


@pytest.mark.thorough
def test_two_ways_of_counting_agree(report: Report, options: Options) -> None:
    """PyTorch's operations are counted as they run, the file's from its graph.

    The tiny network has positions for more patches than its input has, which its graph leaves out.
    """
    counted, folded = report.rows[:2]
    assert counted.deployed_params == counted.params
    plain = graph_cost(exported(replace(options.cases()[0].recipe(), form="plain")))
    positions = random_network().bins.mini_vit.positions
    height, width = counted.size
    unused = positions[height // 8 * width // 8 :].numel()
    assert plain.macs == pytest.approx(1e9 * _known(counted.gmac))
    assert plain.params + unused == pytest.approx(counted.params, rel=0.001)
    assert 1e9 * _known(folded.gmac) < 0.125 * plain.macs
    assert _known(folded.deployed_params) < 0.755 * plain.params


@pytest.mark.slow
def test_a_real_network_is_folded_to_half(
    options: Options, weights_file: Path, cache_folder: Path
) -> None:
    """As the tiny one above; a minute for two exports of the real one, so that it is slow."""
    real = replace(
        options,
        weights=(str(weights_file),),
        size="312x240",
        runtime=("torch", "onnxruntime"),
    )
    counted, folded = run(real, isolated=False).rows
    plain = graph_cost(exported(replace(real.cases()[0].recipe(), form="plain")))
    assert plain.macs == pytest.approx(1e9 * _known(counted.gmac), rel=0.02)
    assert plain.params == pytest.approx(counted.params, rel=0.02)
    assert 1e9 * _known(folded.gmac) < 0.5 * plain.macs
    assert _known(folded.deployed_params) < 0.75 * plain.params


def _known(figure: float | None) -> float:
    assert figure is not None
    return figure


def test_accuracy_is_that_of_the_weights(report: Report, tiny_weights: Path) -> None:
    """Computed once more, without any of the benchmark's code."""
    network = build_network(ExportRecipe("tiny", str(tiny_weights)))
    evaluation = Evaluation()
    for sample in (open_source("rooms:2")[index] for index in range(2)):
        image = torch.from_numpy(resize(sample.image, get_variant("tiny").size))[None]
        depth, _ = predict_images(network, image)
        evaluation.add(depth[0, 0].detach().numpy(), sample.depth)
    metrics = report.rows[0].metrics
    assert metrics is not None
    assert metrics["abs_rel"] == pytest.approx(evaluation.scores().abs_rel, rel=1e-4)


def test_package_exports_it() -> None:
    assert fastdepth_bench.run is run
    assert fastdepth_bench.Row.__module__ == "fastdepth_bench.results.row"
