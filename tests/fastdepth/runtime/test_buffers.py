"""After the first image nothing large is allocated, and threads do not see each other's arrays."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from tiny_onnx import rewrite, write_model

from fastdepth import load
from fastdepth.errors import ModelFileError
from fastdepth.runtime.buffers import Buffers
from fastdepth.runtime.model import DepthModel
from fastdepth.size import Size

SHAPES = [(480, 640), (240, 320), (300, 500), (33, 400), (40, 40)]
"""Larger than the network's input, equal, of another shape, one side smaller, smaller."""


LITTLE = 100_000
"""Bytes of Python's own objects; the network's input and output have 230 and 307 thousand."""


def frame(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def resident() -> int:
    """Bytes of this process in memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.fixture
def model(tmp_path: Path) -> DepthModel:
    return load(write_model(tmp_path / "m.onnx", Size(240, 320)), threads=1)


@pytest.mark.parametrize(
    "shape", [SHAPES[0], *(pytest.param(shape, marks=pytest.mark.thorough) for shape in SHAPES[1:])]
)
@pytest.mark.parametrize("flipped", [False, True])
def test_a_frame_allocates_next_to_nothing(
    model: DepthModel, shape: tuple[int, int], flipped: bool
) -> None:
    image = frame(shape)[..., :: -1 if flipped else 1]
    out = np.empty(shape, np.float32)
    for _ in range(3):
        model(image, out=out)
    tracemalloc.start()
    try:
        for _ in range(300):
            model(image, out=out)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LITTLE
    assert held < LITTLE


@pytest.mark.parametrize("shape", SHAPES)
def test_without_out_the_answer_alone_is_allocated(
    model: DepthModel, shape: tuple[int, int]
) -> None:
    image = frame(shape)
    for _ in range(3):
        model(image)
    tracemalloc.start()
    try:
        depth = model(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < depth.nbytes + LITTLE


def grown(model: DepthModel, frames: int) -> int:
    """Bytes by which the process grows over so many frames of several sizes."""
    images = [frame(shape) for shape in ((480, 640), (240, 320), (300, 500))]
    outs = [np.empty(image.shape[:2], np.float32) for image in images]

    def run(count: int) -> None:
        for index in range(count):
            model(images[index % 3], out=outs[index % 3], focal=500.0)

    run(60)
    gc.collect()
    before = resident()
    run(frames)
    gc.collect()
    return resident() - before


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux says it there")
def test_memory_is_flat(model: DepthModel) -> None:
    assert grown(model, 300) < 8 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux says it there")
def test_memory_is_flat_over_ten_thousand_frames(model: DepthModel) -> None:
    assert grown(model, 10_000) < 8 * 2**20


@pytest.mark.parametrize("shape", SHAPES)
def test_the_second_answer_is_the_first(tiny_model: DepthModel, shape: tuple[int, int]) -> None:
    """The first run is not bound to arrays, the others are."""
    images = [frame(shape, seed) for seed in range(5)]
    bound = [tiny_model(image) for image in images]
    for image, depth in zip(images, bound, strict=True):
        fresh = load(tiny_model.opening.source, threads=1)  # type: ignore[arg-type]
        np.testing.assert_array_equal(depth, fresh(image))
        prepared = fresh.preprocess(image)
        steps = fresh.postprocess(fresh.infer(prepared.batch), prepared)
        np.testing.assert_array_equal(depth, steps)


@pytest.mark.thorough
def test_eight_threads_answer_as_one(model: DepthModel) -> None:
    images = [frame(SHAPES[seed % len(SHAPES)], seed) for seed in range(40)]
    expected = [model(image) for image in images]
    together = threading.Barrier(8, timeout=60)

    def work(_: int) -> list[np.ndarray]:
        together.wait()
        return [model(image) for image in images]

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(work, range(8)):
            for answer, depth in zip(answers, expected, strict=True):
                np.testing.assert_array_equal(answer, depth)


def test_steps_that_are_kept_are_not_written_over(tiny_model: DepthModel) -> None:
    images = [frame((300, 500), seed) for seed in range(3)]
    prepared = [tiny_model.preprocess(image) for image in images]
    before = [one.batch.copy() for one in prepared]
    answers = [tiny_model.infer(one.batch) for one in prepared]
    copies = [answer.copy() for answer in answers]
    for image in images:
        tiny_model(image)
    for now, then in zip([*(p.batch for p in prepared), *answers], [*before, *copies], strict=True):
        np.testing.assert_array_equal(now, then)


def test_an_out_of_any_layout_is_filled(tiny_model: DepthModel, photo: np.ndarray) -> None:
    expected = tiny_model(photo)
    whole = np.zeros((96, 256), np.float32)
    for out in (whole[:, ::2], whole[:, 128:], np.zeros((128, 96), np.float32).T):
        assert tiny_model(photo, out=out) is out
        np.testing.assert_array_equal(out, expected)
    assert np.all(whole[:, 1:128:2] == 0)


def test_an_answer_that_changes_its_shape_is_one_line(tmp_path: Path) -> None:
    """The arrays that were bound for the first answer do not take the second."""

    def crop_where_bright(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            node.output[:] = ["inside" if name == "depth" else name for name in node.output]
        graph, make = model.graph, onnx.helper.make_node
        graph.node.append(make("ReduceMax", ["inside"], ["most"], keepdims=0))
        graph.node.append(make("Cast", ["most"], ["rows"], to=onnx.TensorProto.INT64))
        graph.node.append(make("Unsqueeze", ["rows", "zero"], ["begin"]))
        graph.initializer.append(onnx.helper.make_tensor("end", onnx.TensorProto.INT64, [1], [999]))
        graph.initializer.append(onnx.helper.make_tensor("axis", onnx.TensorProto.INT64, [1], [2]))
        graph.node.append(make("Slice", ["inside", "begin", "end", "axis"], ["depth"]))
        graph.output[0].type.tensor_type.shape.dim[2].dim_param = "rows"

    path = rewrite(write_model(tmp_path / "m.onnx"), crop_where_bright)
    model = load(path, threads=1)
    dark, bright = np.full((48, 64, 3), 20, np.uint8), np.full((48, 64, 3), 100, np.uint8)
    for _ in range(3):
        assert model(dark).max() == pytest.approx(0.8)
        with pytest.raises(ModelFileError) as caught:
            model(bright)
        assert "\n" not in str(caught.value)


class Plain:
    """What is called like a session and cannot be bound."""

    def run(self, outputs: list[str], inputs: dict, options: object = None) -> list[np.ndarray]:
        return [inputs["image"] + 1.0]


def test_what_cannot_be_bound_just_runs() -> None:
    buffers = Buffers()
    for value in (1, 2, 3):
        (answer,) = buffers.run(Plain(), ["depth"], {"image": np.full(3, value)})
        assert answer[0] == value + 1


def test_each_thread_has_its_own_arrays() -> None:
    buffers = Buffers()
    mine = buffers.array("image", (4, 5), np.uint8)
    assert buffers.array("image", (4, 5), np.uint8) is mine
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(buffers.array, "image", (4, 5), np.uint8).result()
    assert not np.shares_memory(mine, other)
    assert buffers.array("image", (4, 6), np.uint8) is not mine
