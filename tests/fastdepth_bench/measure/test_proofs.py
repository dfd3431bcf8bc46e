"""Proofs hold where they should, and say why where they do not; fakes are in the place of GPUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.measure import proofs
from fastdepth_bench.measure.proofs import (
    PROOFS,
    answers,
    answers_again,
    equals_the_cpu,
    prove,
    provider_opens,
)

Depth = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def small(case: Case) -> Case:
    return replace(case, size=Size(16, 24), device="cuda")


@pytest.fixture
def opening(
    monkeypatch: pytest.MonkeyPatch, fake_runner: Callable[..., Any]
) -> Callable[[Callable[[Case], Depth]], None]:
    """Sets what each case answers with."""

    def use(depth_of: Callable[[Case], Depth]) -> None:
        monkeypatch.setattr(proofs, "open_runner", lambda case: fake_runner(depth_of(case)))

    return use


def bright(batch: np.ndarray) -> np.ndarray:
    return 1 + batch.mean(axis=3, dtype=np.float32)[:, None] / 255


def quiet(_: str) -> None:
    pass


@pytest.mark.parametrize(("off", "said"), [(5e-5, ""), (5e-4, "depth is off by 0.0")])
def test_fp32_on_a_gpu_is_that_of_the_cpu(
    small: Case, opening: Callable[..., None], off: float, said: str
) -> None:
    shift = {"cpu": 0.0, "cuda": off}
    opening(lambda case: lambda batch: bright(batch) + np.float32(shift[case.device]))
    assert equals_the_cpu(quiet, small)[: len(said) or None] == said


def test_an_answer_that_overwritten_memory_changes(
    small: Case, opening: Callable[..., None]
) -> None:
    """As that of a graph whose memory was freed before it is replayed."""
    memory = [0.0]
    opening(lambda case: lambda batch: bright(batch) + np.float32(memory[0]))
    assert answers_again(quiet, small, lambda device: None) == ""
    problem = answers_again(quiet, small, lambda device: memory.append(memory.pop() + 1))
    assert problem == "another answer to the same image at 384 of 384 pixels"
    problem = answers_again(quiet, small, lambda device: memory.append(memory.pop() * np.nan))
    assert problem == "another answer to the same image at 384 of 384 pixels"


def test_most_of_the_free_memory_is_overwritten(
    small: Case, opening: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    filled: list[int] = []
    full = torch.full

    def fill(shape: tuple[int], *arguments: Any, **options: Any) -> torch.Tensor:
        filled.append(shape[0])
        return full(shape, *arguments, **{**options, "device": "cpu"})

    opening(lambda case: bright)
    monkeypatch.setattr(torch, "full", fill)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    for name in ("empty_cache", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, lambda device=None: None)
    assert answers_again(quiet, small) == ""
    assert filled == [800]


def test_an_answer_for_all_images_is_none(small: Case, opening: Callable[..., None]) -> None:
    opening(lambda case: bright)
    assert answers(quiet, small) == ""
    opening(lambda case: lambda batch: np.ones((1, 1, 16, 24), np.float32))
    assert answers(quiet, small) == "the same depth for different images"


def test_the_provider_is_opened_with_and_without_pytorch(
    small: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: dict[tuple[str, ...], str | None] = {("torch",): None, (): None}
    monkeypatch.setattr(proofs, "probe", lambda provider, *imported: reasons[imported])
    assert provider_opens(quiet, small) == ""
    reasons[("torch",)] = "libcudnn.so.9 is missing"
    assert provider_opens(quiet, small) == "with PyTorch: libcudnn.so.9 is missing"


@pytest.mark.thorough
def test_the_cpu_s_provider_opens_with_and_without_pytorch(small: Case) -> None:
    assert provider_opens(quiet, replace(small, device="cpu")) == ""


def test_each_proof_is_a_line_whatever_happens(
    small: Case, opening: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def depth_of(case: Case) -> Depth:
        if case.runtime == "torch-graph":
            raise RuntimeError("CUDA error:\nout of memory")
        return lambda batch: bright(batch) * np.float32(np.nan if case.precision == "int8" else 1)

    opening(depth_of)
    missing = {"onnxruntime": "no cuda that ONNX Runtime can use"}
    monkeypatch.setattr(proofs, "refusal", lambda target, device: missing.get(target.name, ""))
    monkeypatch.setattr(proofs, "overwrite_memory", lambda device: None)
    lines = [str(proof) for proof in prove(small, quiet, isolated=False)]
    assert lines == [
        "onnxruntime fp32: the provider opens with and without PyTorch: left out: "
        "no cuda that ONNX Runtime can use",
        "onnxruntime fp32: fp32 is the CPU's: left out: no cuda that ONNX Runtime can use",
        "torch fp32: fp32 is the CPU's: ok",
        "torch-graph fp32: the second answer equals the first: FAILED: RuntimeError: CUDA error: "
        "out of memory",
        "tensorrt fp32: the second answer equals the first: ok",
        "tensorrt int8: s8s8 builds and answers: FAILED: depth is NaN or infinite at 384 of 384 "
        "pixels; not timed",
    ]
    assert len(lines) == len(PROOFS)
