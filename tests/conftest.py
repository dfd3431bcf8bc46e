"""Fixtures of all tests."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tiny_onnx import write_model

from fastdepth.images.io import write_png
from fastdepth.runtime.model import DepthModel, load


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
def shared_graphs() -> Iterator[None]:
    """Exports one network to one graph but once: PyTorch's exporter takes seconds for each."""
    from fastdepth.models import adabins
    from fastdepth_export.formats import onnx_graph

    known: dict[str, Any] = {}
    to_onnx, parts = onnx_graph.to_onnx, (onnx_graph._export, onnx_graph._simplify)

    def remember(network: Any, sizes: Any, opset: int, **options: Any) -> Any:
        if (
            onnx_graph._export,
            onnx_graph._simplify,
        ) != parts:  # a test has put others in their place
            return to_onnx(network, sizes, opset, **options)
        head = getattr(network, "bins", None)
        usual = {"batch": None, "simplify": True}
        asked = [network, sizes, opset, usual | options, getattr(head, "with_std", False)]
        asked = f"{asked} {adabins.mix_bins.__name__}"
        digest = hashlib.sha256(asked.encode())
        for tensor in (*network.parameters(), *network.buffers()):
            digest.update(tensor.detach().numpy().tobytes())
        key = digest.hexdigest()
        if key not in known:
            known[key] = to_onnx(network, sizes, opset, **options)
        return type(known[key]).FromString(known[key].SerializeToString())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graph, "to_onnx", remember)
        yield
