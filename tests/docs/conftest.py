"""What the documents' commands and code read."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import made_up_results
import pytest
from an_interval import FACTORS
from made_up_results import new_row
from onnx import TensorProto
from tiny_onnx import METADATA, write_model

from fastdepth.data.rooms.dataset import render_room
from fastdepth.runtime import ready
from fastdepth.size import Size
from fastdepth_bench.runners.cache import exported
from fastdepth_export import ExportRecipe

SIZE = Size(240, 320)


@pytest.fixture(scope="session")
def rooms():
    """Two small drawn images, (120, 160, 3) uint8 BGR."""
    return [render_room(number, Size(120, 160)).image[..., ::-1].copy() for number in (1, 2)]


@pytest.fixture(scope="session")
def cache(tmp_path_factory, shared_graphs):
    """A cache with the one network that the documents export, so that it is exported once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTDEPTH_CACHE", str(folder))
        exported(ExportRecipe("mnv2-64-dws"))
    return folder


@pytest.fixture
def exports(cache, monkeypatch):
    """For what exports that network: it takes no second time."""
    monkeypatch.setenv("FASTDEPTH_CACHE", str(cache))


@pytest.fixture
def here(tmp_path, monkeypatch, rooms):
    """The working directory, with what the commands read; its models answer at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    _write_images(tmp_path, rooms)
    for folder in (tmp_path, tmp_path / "ready"):
        folder.mkdir(exist_ok=True)
        write_model(folder / "mnv2-64-dws.onnx", SIZE)
    write_model(tmp_path / "ready" / "mnv2-64-dws.int8.onnx", SIZE)
    monkeypatch.setattr(ready, "FOLDER", tmp_path / "ready")
    write_model(tmp_path / "int8.onnx", SIZE)
    write_model(
        tmp_path / "mnv2-64-dws-std.onnx",
        SIZE,
        std=True,
        metadata=replace(METADATA, interval=FACTORS),
    )
    write_model(tmp_path / "yours.onnx", SIZE, metadata=None, input_type=TensorProto.FLOAT)
    for name in ("results", "old", "new"):
        (tmp_path / f"{name}.json").write_text(json.dumps(made_up_results.report(new_row())))
    return tmp_path


def _write_images(folder: Path, rooms: list) -> None:
    (folder / "photos" / "a").mkdir(parents=True)
    for name in ("photo.jpg", "photos/a/b.jpg", "photos/c.jpg"):
        cv2.imwrite(str(folder / name), rooms[0])
    (folder / "list.txt").write_text("photos/c.jpg\n")
    (folder / "shards").mkdir()
    with tarfile.open(folder / "shards" / "0.tar", "w") as shard:
        shard.add(folder / "photos" / "c.jpg", "b.jpg")
    codec = cv2.VideoWriter_fourcc(*"mp4v")
    video = cv2.VideoWriter(str(folder / "video.mp4"), codec, 30, (160, 120))
    for image in rooms:
        video.write(image)
    video.release()
