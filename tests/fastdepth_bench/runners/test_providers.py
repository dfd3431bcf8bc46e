"""Execution providers are believed only when they run something."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from fastdepth.errors import DeviceError, UsageError
from fastdepth_bench.runners.providers import CPU, TINY_MODEL, check_device, probe, probe_here


def test_tiny_model_is_what_it_says() -> None:
    model = onnx.load_from_string(TINY_MODEL)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(TINY_MODEL, providers=[CPU])
    x = np.array([1.5, -3], np.float32)
    assert session.run(None, {"x": x})[0].tolist() == [3, -6]


def test_the_cpu_works() -> None:
    assert probe(CPU) is None
    check_device("cpu")


def test_a_provider_that_is_not_there() -> None:
    assert probe("NoSuchExecutionProvider") == "not in this build of onnxruntime"


def test_a_provider_that_is_listed_and_runs_nothing() -> None:
    name = "AzureExecutionProvider"
    if name not in onnxruntime.get_available_providers():
        pytest.skip("this build does not list it")
    assert probe(name) == "leaves the work to the CPU"


def test_asking_leaves_nothing_of_a_gpu_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's context of CUDA lives as long as the process that opened it."""
    name = "AzureExecutionProvider"
    if name not in onnxruntime.get_available_providers():
        pytest.skip("this build does not list it")
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("opened"))
    assert probe(name) == "leaves the work to the CPU"


def test_a_provider_that_kills_its_process() -> None:
    assert probe(CPU, "fakes_of_providers") == "the process that asked it died"


def test_silent_fall_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fallen:
        def run(self, *_: object) -> list[np.ndarray]:
            return [np.full(2, 2, np.float32)]

        def get_providers(self) -> list[str]:
            return [CPU]

    monkeypatch.setattr("fastdepth_bench.runners.providers._session", lambda *_: Fallen())
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert probe_here("CUDAExecutionProvider") == f"ran on {CPU} instead"


def test_a_device_whose_provider_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastdepth_bench.runners.providers.probe", lambda _: "no driver")
    with pytest.raises(DeviceError, match=r"\(no driver\); use --device cpu"):
        check_device("cuda")


def test_unknown_device() -> None:
    with pytest.raises(UsageError, match="cpu or cuda"):
        check_device("tpu")
