"""Several images in one inference answer as each would alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import METADATA, write_model

from fastdepth import load
from fastdepth.errors import ImageError, UsageError
from fastdepth.runtime import batching
from fastdepth.runtime.model import DepthModel
from fastdepth.size import Size

SHAPES = [(96, 128), (48, 64), (100, 60), (33, 200), (48, 64)]


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in SHAPES]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each inference gets."""
    counts: list[int] = []
    infer: Callable[..., np.ndarray] = DepthModel.infer

    def count(self: DepthModel, batch: np.ndarray) -> np.ndarray:
        counts.append(len(batch))
        return infer(self, batch)

    monkeypatch.setattr(DepthModel, "infer", count)
    return counts


def check(model: DepthModel, images: list[np.ndarray], focal: float | None = None) -> None:
    depths = model.batch(images, focal=focal)
    assert len(depths) == len(images)
    for depth, image in zip(depths, images, strict=True):
        np.testing.assert_array_equal(depth, model(image, focal=focal))


def test_images_of_any_sizes_run_together(
    tiny_model: DepthModel, images: list[np.ndarray], counted: list[int]
) -> None:
    check(tiny_model, images)
    check(tiny_model, images, focal=100.0)
    assert counted == [5, 5]
    assert tiny_model.batch([]) == []
    check(tiny_model, list(np.stack([images[1], images[4]])))


def test_one_inference_for_each_input(
    tmp_path: Path, images: list[np.ndarray], counted: list[int]
) -> None:
    sizes = Size(48, 64), Size(64, 48), Size(32, 96)
    check(load(write_model(tmp_path / "m.onnx", *sizes), threads=1), images)
    assert counted == [3, 1, 1]


def test_a_long_list_takes_bounded_memory(
    tiny_model: DepthModel,
    images: list[np.ndarray],
    counted: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "MOST_AT_ONCE", 2)
    check(tiny_model, images)
    assert counted == [2, 2, 1]


def test_a_file_of_one_image_at_once_takes_them_one_by_one(
    tmp_path: Path, images: list[np.ndarray], counted: list[int]
) -> None:
    path = write_model(tmp_path / "m.onnx", metadata=replace(METADATA, batch=1))
    check(load(path, threads=1), images)
    assert counted == [1] * 5


def test_the_image_at_fault_is_named(tiny_model: DepthModel, images: list[np.ndarray]) -> None:
    with pytest.raises(ImageError, match=r"number 2 of the images, from 0: image is float64"):
        tiny_model.batch([*images[:2], images[2] / 255])
    for wrong in (5, "x", images[0], {"a": images[0]}):
        with pytest.raises((ImageError, UsageError)):
            tiny_model.batch(wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="focal length"):
        tiny_model.batch(images, focal=-1)
