"""Images with depth, made small, of which every pixel tells whether the two lie on each other."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.data.sample import Sample

NEAR, FAR = 1000, 3000
"""Depth [mm] where the image is dark, and in its upper left part, where it is bright."""


def scene_of(height: int, width: int) -> NDArray[np.bool_]:
    """What is far: the upper left part, which no turn or flip leaves where it is."""
    far = np.zeros((height, width), bool)
    far[: height // 2, : width // 3] = True
    return far


def image_of(height: int, width: int) -> NDArray[np.uint8]:
    return np.repeat(np.where(scene_of(height, width), 220, 40).astype(np.uint8)[..., None], 3, 2)


def depth_of(height: int, width: int) -> NDArray[np.uint16]:
    return np.where(scene_of(height, width), FAR, NEAR).astype(np.uint16)


def encoded(pixels: NDArray[Any], suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG file whose EXIF says how it is to be turned."""
    entry = b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0])
    body = b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\x01\0" + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def lie_on_each_other(image: NDArray[np.uint8], depth: NDArray[np.float32]) -> bool:
    """Whether nearly everywhere the image is bright where the depth is far."""
    height, width = image.shape[:2]
    far = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST) > 2
    return bool(np.mean(far == (image[..., 0] > 128)) > 0.9)


def lay_out(folder: Path) -> Path:
    """A folder of pairs with a pipe among them, and beside it a pair that nothing may lead to."""
    base = folder / "data"
    (base / "test").mkdir(parents=True)
    image, depth = encoded(image_of(24, 32)), encoded(depth_of(24, 32))
    for name, content in (("a.jpg", image), ("b c.jpg", image), ("a.png", depth)):
        (base / "test" / name).write_bytes(content)
    (folder / "secret.jpg").write_bytes(image)
    (folder / "secret.png").write_bytes(depth)
    os.mkfifo(base / "test/pipe")
    return base


def check_answer(samples: Iterable[Sample], base: Path) -> None:
    """Assert that all samples are pairs that lie on each other, below the base."""
    for sample in samples:
        if sample.image.max() > 100:  # a depth file may be named as an image, a dark one
            assert lie_on_each_other(sample.image, sample.depth)
        path = PurePath(os.path.normpath(base / sample.name))
        assert path.is_relative_to(base), sample.name
        assert sample.scene


def mat_bytes(**changes: Any) -> bytes:
    """A small labelled set as the bytes of a file.

    Args:
        changes: for each dataset that is not as usual, a function of the file and the dataset's
            name that writes it otherwise, or None to leave it out.
    """
    import h5py

    usual = {"images": _images, "depths": _depths, "scenes": _scenes}
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, write in {**usual, **changes}.items():
            if write is not None:
                write(file, name)
    return stream.getvalue()


COUNT, WIDTH, HEIGHT = 4, 32, 24


def _images(file: Any, name: str) -> None:
    file[name] = np.tile(image_of(HEIGHT, WIDTH).transpose(2, 1, 0), (COUNT, 1, 1, 1))


def metres() -> NDArray[np.float32]:
    """What the depths are."""
    return np.tile(depth_of(HEIGHT, WIDTH).T / np.float32(1000), (COUNT, 1, 1)).astype(np.float32)


def _depths(file: Any, name: str) -> None:
    file[name] = metres()


def letters(text: str) -> NDArray[np.uint16]:
    """A string as MATLAB has it."""
    return np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None]


def _scenes(file: Any, name: str) -> None:
    write_scenes(file, name, letters("kitchen_0001"))


def write_scenes(file: Any, name: str, target: Any) -> None:
    """References of all scenes to one dataset of that content, or to what is there already."""
    import h5py

    if isinstance(target, np.ndarray):
        file["#refs#/a"] = target
        target = file["#refs#/a"]
    references = file.create_dataset(name, (1, COUNT), h5py.ref_dtype)
    references[:] = target.ref
