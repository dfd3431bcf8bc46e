"""Make what the examples read: a room that fastdepth draws, and what sensors would say of it.

    python examples/data/make.py

Nothing of it was recorded: the sensors are simulated from the room's true depth.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from fastdepth.camera import Intrinsics
from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size

HERE = Path(__file__).parent

ROOM = 14
"""The one that the README shows."""

FRAMES, REACH, NOISE = 3, 3.5, 0.04
"""Of the ToF sensor: frames, farthest distance [m], noise as a share of the distance."""

VALID, NO_TARGET = 5, 255
"""Status of a zone of VL53L5CX."""

SCALE = 3
"""Pixels of the phone's image for one of ours: 1920x1440."""

FEATURES = 80


def main() -> None:
    """Write the files."""
    sample, generator = render_room(ROOM), np.random.default_rng(0)
    size = Size(*sample.depth.shape)
    camera = Intrinsics.training_camera(size)
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, 85]
    cv2.imwrite(str(HERE / "room.jpg"), sample.image[:, :, ::-1], jpeg)
    (HERE / "tof.csv").write_text(tof(sample.depth, camera, generator))
    frame = arkit(sample.image, sample.depth, camera, generator)
    (HERE / "arkit.json").write_text(json.dumps(frame) + "\n")


def tof(depth: np.ndarray, camera: Intrinsics, generator: np.random.Generator) -> str:
    """Lines of a sensor of 8x8 zones and 45 degrees; each gives the mean of what is in it."""
    lines = [
        f"# simulated by examples/data/make.py from the true depth of drawn room {ROOM}:",
        f"# 8x8 zones, 45 degrees, to {REACH} m, {100 * NOISE:.0f} % noise; no sensor was there",
        "# frame, zone, distance [mm], status",
    ]
    half = camera.fx * np.tan(np.radians(45 / 2))
    edges = half * np.linspace(-1, 1, 9) + 0.5
    rows, columns = (np.rint(at + edges).astype(int) for at in (camera.cy, camera.cx))
    for frame in range(FRAMES):
        for zone in range(64):
            row, column = divmod(zone, 8)
            seen = depth[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
            metres = seen.mean() * np.exp(NOISE * generator.standard_normal())
            known = metres < REACH
            told = (round(1000 * metres), VALID) if known else (0, NO_TARGET)
            lines.append(",".join(map(str, (frame, zone, *told))))
    return "\n".join(lines) + "\n"


def arkit(
    image: np.ndarray, depth: np.ndarray, camera: Intrinsics, generator: np.random.Generator
) -> dict:
    """A frame of a phone that is held anyhow in its world, y up; points are corners, a bit off."""
    found = cv2.goodFeaturesToTrack(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), FEATURES, 0.01, minDistance=10
    ).reshape(-1, 2)
    columns, rows = found.T
    far = depth[np.rint(rows).astype(int), np.rint(columns).astype(int)]
    far = far * np.exp(0.03 * generator.standard_normal(len(far)))
    right, down = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    in_camera = np.stack([right * far, -down * far, -far, np.ones_like(far)])
    turn, _ = cv2.Rodrigues(np.array([0.15, -0.9, 0.05]))
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = turn, (0.4, 1.3, -0.7)
    world = (transform @ in_camera)[:3].T
    centre = (SCALE * (at + 0.5) - 0.5 for at in (camera.cx, camera.cy))
    cx, cy = centre
    return {
        "remark": f"simulated from fastdepth's drawn room {ROOM} by examples/data/make.py",
        "imageResolution": [SCALE * image.shape[1], SCALE * image.shape[0]],
        "intrinsics": [[SCALE * camera.fx, 0, 0], [0, SCALE * camera.fy, 0], [cx, cy, 1]],
        "transform": transform.T.round(6).tolist(),
        "rawFeaturePoints": world.round(4).tolist(),
    }


if __name__ == "__main__":
    main()
