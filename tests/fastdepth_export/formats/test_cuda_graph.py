"""What is recorded is replayed on each new image; CUDA is a stand-in here."""

from __future__ import annotations

import gc
import weakref

import fake_tensorrt
import numpy as np
import pytest
import torch

from fastdepth_export.formats.cuda_graph import WARM_UPS, CudaGraph


@pytest.fixture
def runs(monkeypatch):
    """How often the computation was ordered, and how often it ran."""
    fake_tensorrt.install(monkeypatch)
    return {"ordered": 0, "ran": 0}


@pytest.fixture
def graph(runs):
    """Depth is red by ten."""
    depth = torch.empty((2, 1, 4, 6))

    def compute(images):
        def run():
            runs["ran"] += 1
            depth.copy_(images[None, ..., 0].transpose(0, 1) / 10)

        runs["ordered"] += 1
        fake_tensorrt.CUDA.order(run)
        return depth

    return CudaGraph(compute, (2, 4, 6, 3), torch.device("cpu"))


def test_recorded_once_after_warming_up(graph, runs):
    assert runs == {"ordered": WARM_UPS + 1, "ran": WARM_UPS}


def test_each_image_is_answered_anew(graph, runs):
    rng = np.random.default_rng(0)
    batches = rng.integers(0, 256, (3, 2, 4, 6, 3), dtype=np.uint8)
    answers = [graph.infer(batch) for batch in batches]
    assert runs == {"ordered": WARM_UPS + 1, "ran": WARM_UPS + 3}
    for batch, answer in zip(batches, answers, strict=True):
        np.testing.assert_allclose(answer[:, 0], batch[..., 0] / 10, rtol=1e-6)


def test_what_was_recorded_lives_as_long_as_the_graph(runs):
    """A replay uses memory of weights and of contexts that only the computation holds."""

    class Context:
        """Stands for what a library frees with its last reference."""

    def graph_of(context):
        depth = torch.zeros((1, 1, 4, 6))

        def compute(images):
            assert context
            return depth

        return CudaGraph(compute, (1, 4, 6, 3), torch.device("cpu")), weakref.ref(context)

    graph, alive = graph_of(Context())
    gc.collect()
    assert alive()
    graph.infer(np.zeros((1, 4, 6, 3), np.uint8))
    del graph
    gc.collect()
    assert not alive()


def test_copies_that_are_not_waited_for_are_of_page_locked_memory(runs, monkeypatch):
    """Otherwise the driver copies through memory of its own, and the host waits."""
    empty, zeros, copy, pinned = torch.empty, torch.zeros, torch.Tensor.copy_, set()

    def lock(*arguments, pin_memory=False, **options):
        tensor = empty(*arguments, **options)
        pinned.update([tensor.data_ptr()] if pin_memory else [])
        return tensor

    def checked(self, other, non_blocking=False):
        assert not non_blocking or pinned & {self.data_ptr(), other.data_ptr()}
        runs["ran"] += non_blocking
        return copy(self, other)

    monkeypatch.setattr(torch, "empty", lock)
    monkeypatch.setattr(torch, "zeros", lambda shape, dtype, device: zeros(shape, dtype=dtype))
    monkeypatch.setattr(torch.Tensor, "copy_", checked)
    depth = zeros((1, 1, 4, 6))
    graph = CudaGraph(lambda images: depth, (1, 4, 6, 3), torch.device("cuda"))
    graph.infer(np.zeros((1, 4, 6, 3), np.uint8))
    assert runs["ran"] == 2  # there and back


def test_copies_alone_compute_nothing(graph, runs):
    graph.copy_in(np.zeros((2, 4, 6, 3), np.uint8))
    graph.copy_out()
    assert runs["ran"] == WARM_UPS


def test_its_parts_come_to_the_whole(graph, runs):
    batch = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    graph.copy_in(batch)
    graph.compute()
    assert runs["ran"] == WARM_UPS + 1
    np.testing.assert_array_equal(graph.copy_out(), graph.infer(batch))
