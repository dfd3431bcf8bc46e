"""What is recorded on a GPU computes on a CPU what PyTorch computes there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_tensorrt
import numpy as np
import pytest
import torch

from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.runners.pytorch import TorchRunner
from fastdepth_bench.runners.pytorch_gpu import (
    Compute,
    TorchCompileRunner,
    TorchGraphRunner,
    deployed,
)
from fastdepth_export.compress.bins_logits import MergedLogits


@pytest.fixture
def small(case: Case, weights_file: Path) -> Case:
    return replace(case, variant="unet128-dws-75", weights=str(weights_file), size=Size(240, 312))


@pytest.fixture
def images(small: Case) -> torch.Tensor:
    return torch.from_numpy(np.stack([render_room(n, small.size).image for n in (3, 4)]))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 2e-2)])
def test_deployed_is_the_same_function(
    small: Case, images: torch.Tensor, precision: str, tolerance: float
) -> None:
    runner = TorchRunner(small)
    expected = runner.infer(images.numpy())
    network, compute = deployed(runner._network, precision, small.size)
    with torch.inference_mode():
        depth = compute(images)
    assert depth.dtype == torch.float32
    assert np.abs(depth.numpy() - expected).max() < tolerance
    weights = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert {w.dtype for w in weights} == {torch.float16 if precision == "fp16" else torch.float32}
    merged = any(isinstance(module, MergedLogits) for module in network.modules())
    assert merged == (precision == "fp32")  # their sums need single precision
    deep = [w for w in weights if w.shape[1] > 1 and w.shape[2] > 1]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in deep)


def recorded(self: TorchGraphRunner, compute: Compute) -> Compute:
    """Let the stand-in for CUDA see the order, as the real one sees those of all kernels."""

    def order(images: torch.Tensor) -> torch.Tensor:
        depth = torch.empty((len(images), 1, *images.shape[1:3]))
        fake_tensorrt.CUDA.order(lambda: depth.copy_(compute(images)))
        return depth

    return order


def test_runner_replays_the_network(
    small: Case, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = TorchRunner(small).infer(images.numpy())
    fake_tensorrt.install(monkeypatch)
    monkeypatch.setattr(TorchGraphRunner, "_compiled", recorded)
    with TorchGraphRunner(small) as runner:
        for at in (0, 1):
            got = runner.infer(images.numpy()[at : at + 1])
            assert np.abs(got - expected[at : at + 1]).max() < 1e-4
        device = runner.on_device()
        device.copy_in(images.numpy()[:1])
        device.compute()
        assert np.abs(device.copy_out() - expected[:1]).max() < 1e-4
        cost, eager = runner.cost(), TorchRunner(small).cost()
    assert cost.params < 0.75 * eager.params
    assert cost.macs < 0.5 * eager.macs


def test_cost_is_counted_in_the_precision_that_is_timed(
    small: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half weights outside automatic mixed precision meet features in fp32, and PyTorch refuses."""
    monkeypatch.setattr("fastdepth_bench.runners.pytorch_gpu.CudaGraph", lambda *_: None)
    half, eager = (
        TorchGraphRunner(replace(small, precision="fp16")).cost(),
        TorchRunner(small).cost(),
    )
    assert 0.3 * eager.macs < half.macs < eager.macs
    assert half.bytes < 0.6 * eager.bytes


def test_compiled_for_one_shape_and_without_graphs_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {}
    monkeypatch.setattr(torch, "compile", lambda compute, **options: asked.update(options))
    TorchCompileRunner._compiled(TorchCompileRunner.__new__(TorchCompileRunner), abs)
    assert asked == {"mode": "max-autotune-no-cudagraphs", "dynamic": False}


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_compiler_takes_it_in_one_piece(small: Case, images: torch.Tensor, precision: str) -> None:
    _, compute = deployed(TorchRunner(small)._network, precision, small.size)
    with torch.inference_mode():
        compiled = torch.compile(compute, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(images), compute(images))
