"""Fixtures of all tests, and how they share a machine."""

from __future__ import annotations

import csv
import gc
import os

# Before anything imports numpy or torch: workers of pytest-xdist have a core each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_onnx import write_model

from fastdepth.images.io import write_png
from fastdepth.runtime.model import DepthModel, load

LONG = (
    "measure/test_run",
    "fastdepth_export/test_sizes",
    "docs/test_commands",
    "fastdepth_export/test_std",
    "fastdepth_export/test_variants",
    "fastdepth_export/test_export",
    "fastdepth_export/compress",
    "fastdepth_export/test_",
    "fastdepth_export/formats",
    "test_contributing",
    "docs/test_python",
    "train/test_trainer",
    "fuzz",
    "test_no_stderr",
)
"""Files that take longest, by parts of their paths: they begin first, so that workers end together.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort long files to the front; the order is the same in every worker."""

    def rank(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((i for i, name in enumerate(LONG) if name in path), len(LONG))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Spare what was imported and collected the searches for garbage."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def rooms_drawn_once() -> Iterator[None]:
    """Draws a room of ``rooms:COUNT`` but once: see :mod:`drawn_rooms`."""
    from drawn_rooms import drawn_once

    with drawn_once():
        yield


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """An exported model of a few nodes: 64x48, depth is red times 0.04 m."""
    return write_model(tmp_path / "tiny.onnx")


@pytest.fixture
def tiny_model(tiny_file: Path) -> DepthModel:
    """The same, loaded on one thread of the CPU."""
    return load(tiny_file, threads=1)


@pytest.fixture
def photo() -> np.ndarray:
    """(96, 128, 3) uint8 RGB; red falls from left to right: 200 to 73."""
    image = np.full((96, 128, 3), 90, np.uint8)
    image[..., 0] = np.arange(200, 200 - 128, -1)
    return image


@pytest.fixture
def photo_file(tmp_path: Path, photo: np.ndarray) -> Path:
    """The same as a PNG file."""
    path = tmp_path / "pictures" / "photo.png"
    write_png(path, photo)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of 160x120 in the manifest layout: two images a scene."""
    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    with (root / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "depth", "split", "scene"])
        for number in range(40):
            image = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
            depth = np.linspace(1000, 4000 + 100 * number, 160).astype(np.uint16)
            cv2.imwrite(str(root / f"{number}.jpg"), image)
            cv2.imwrite(str(root / f"{number}.png"), np.tile(depth, (120, 1)))
            split = "train" if number < 36 else "test"
            writer.writerow([f"{number}.jpg", f"{number}.png", split, f"scene{number // 2}"])
    return root


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of pytest-xdist share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "common"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared_graphs(common_folder: Path) -> Iterator[None]:
    """Exports one network to one graph but once: see :mod:`shared_graphs`."""
    from shared_graphs import shared

    with shared(common_folder):
        yield
