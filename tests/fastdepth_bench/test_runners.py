"""Runners answer alike, put back what they change, and open what an application opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from fastdepth.errors import DeviceError
from fastdepth.runtime import session
from fastdepth.runtime.model import DepthModel, load
from fastdepth_bench.case import Case, ThirdPartyNetwork
from fastdepth_bench.measure.accuracy import load_samples, timing_batches
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report
from fastdepth_bench.runners.cache import cache_path, cached_files
from fastdepth_bench.runners.onnxrt import BoundModel, OnnxRuntimeRunner
from fastdepth_bench.runners.opening import open_runner
from fastdepth_bench.runners.protocol import Batch
from fastdepth_bench.runners.providers import DEVICE_PROVIDERS
from fastdepth_bench.runners.pytorch import TorchRunner
from fastdepth_bench.runners.third_party import ThirdPartyRunner

torch = pytest.importorskip("torch")


@pytest.fixture
def batch(options: Options) -> Batch:
    source = options.open_data()
    return timing_batches(load_samples(source), options.cases()[0].size)[0]


def test_runners_answer_alike(report: Report, options: Options, batch: Batch) -> None:
    """The exports of the shared measurement lie in the cache by now."""
    answers = []
    for case in options.cases():
        with open_runner(case) as runner:
            answers.append(runner.infer(batch))
    expected = answers[0]
    assert expected.std() > 0
    for got in answers:
        assert (got.dtype, got.shape) == (np.float32, (1, 1, *batch.shape[1:3]))
        assert np.abs(got - expected).max() < 1e-3


def test_cost_is_that_of_the_cached_file(report: Report, options: Options) -> None:
    rows = {row.runtime: row for row in report.rows}
    cases = {case.runtime: case for case in options.cases()}
    file = cache_path(cases["onnxruntime"].recipe())
    assert rows["onnxruntime"].bytes == file.stat().st_size
    assert load(file).metadata.variant == cases["onnxruntime"].variant
    files = cached_files(cases["openvino"].recipe())
    assert rows["openvino"].bytes == sum(path.stat().st_size for path in files)
    assert rows["openvino"].gmac == rows["onnxruntime"].gmac


def test_torch_counts_its_state(report: Report) -> None:
    row = report.rows[0]
    assert row.deployed_params is not None and row.bytes is not None
    assert 4 * row.deployed_params <= row.bytes < 4.1 * row.deployed_params


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


@pytest.fixture
def idle_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name of CUDA a provider that is there, comes first, and runs nothing."""
    azure = "AzureExecutionProvider"
    if azure not in onnxruntime.get_available_providers():
        pytest.skip("this build does not list it")
    monkeypatch.setitem(session.PROVIDERS, "cuda", azure)
    monkeypatch.setitem(DEVICE_PROVIDERS, "cuda", azure)


def test_a_file_that_falls_back_to_the_cpu_has_no_runner(
    idle_cuda: None, tiny_file: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastdepth_bench.runners.cache.exported", lambda recipe: tiny_file)
    assert OnnxRuntimeRunner(case)
    with pytest.raises(DeviceError, match="'cuda' leaves .* of .*tiny.onnx to others"):
        OnnxRuntimeRunner(replace(case, device="cuda"))
    with pytest.raises(DeviceError, match="'cuda' leaves .* of .*tiny.onnx to others"):
        ThirdPartyRunner(ThirdPartyNetwork(tiny_file), "cuda")


def test_a_gpu_that_leaves_the_work_is_named_before_minutes_are_spent(idle_cuda: None) -> None:
    with pytest.raises(DeviceError, match="leaves the work to the CPU"):
        ThirdPartyRunner.check_device("cuda")
