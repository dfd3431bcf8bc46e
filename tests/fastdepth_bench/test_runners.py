"""Runners answer alike, put back what they change, and open what an application opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastdepth.runtime import DepthModel, load
from fastdepth_bench.accuracy import load_samples, timing_batches
from fastdepth_bench.cache import cache_path, cached_files
from fastdepth_bench.options import Options
from fastdepth_bench.result import Report
from fastdepth_bench.runners import Batch, BoundModel, TorchRunner
from fastdepth_bench.targets import Case, open_runner

torch = pytest.importorskip("torch")


@pytest.fixture
def batch(options: Options) -> Batch:
    source = options.open_data()
    return timing_batches(load_samples(source), options.cases()[0].size)[0]


def test_runners_answer_alike(report: Report, batch: Batch) -> None:
    """The exports of the shared measurement lie in the cache by now."""
    answers = []
    for row in report.rows:
        with open_runner(row.case) as runner:
            answers.append(runner.infer(batch))
    expected = answers[0]
    assert expected.std() > 0
    for got in answers:
        assert (got.dtype, got.shape) == (np.float32, (1, 1, *batch.shape[1:3]))
        assert np.abs(got - expected).max() < 1e-3


def test_cost_is_that_of_the_cached_file(report: Report, cache_folder: Path) -> None:
    file = cache_path(report.rows[1].case.recipe())
    cost = report.rows[1].cost
    assert cost is not None
    assert cost.bytes == file.stat().st_size
    assert load(file).metadata.variant == report.rows[1].case.variant
    (row,) = (row for row in report.rows if row.case.runtime == "openvino")
    assert row.cost is not None
    assert row.cost.bytes == sum(path.stat().st_size for path in cached_files(row.case.recipe()))
    assert row.cost.macs == cost.macs


def test_torch_counts_its_state(report: Report) -> None:
    cost = report.rows[0].cost
    assert cost is not None
    assert 4 * cost.params <= cost.bytes < 4.1 * cost.params


def test_torch_puts_its_threads_back(case: Case) -> None:
    before = torch.get_num_threads()
    wanted = before + 1
    with TorchRunner(replace(case, threads=wanted)):
        assert torch.get_num_threads() == wanted
    assert torch.get_num_threads() == before


def test_bound_memory_answers_as_a_call_does(tiny_model: DepthModel) -> None:
    """ONNX Runtime binds the CPU's memory as it binds a GPU's."""
    bound = BoundModel(tiny_model, "cpu", batch=2)
    batches = np.random.default_rng(0).integers(0, 256, (2, 2, *tiny_model.size, 3), np.uint8)
    answers = [bound.infer(batch) for batch in batches]
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer, tiny_model.infer(batch))
    bound.copy_in(batches[0])
    np.testing.assert_array_equal(bound.copy_out(), answers[1])  # not computed anew
    bound.compute()
    np.testing.assert_array_equal(bound.copy_out(), answers[0])
