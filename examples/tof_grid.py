"""Correct depth by an 8x8 time-of-flight sensor beside the camera, such as ST's VL53L5CX.

Needs no sensor: it reads a recording. From a checkout:

    python examples/tof_grid.py mnv2-64-dws examples/data/room.jpg examples/data/tof.csv

The recording has a line for each zone of each frame: frame, zone, distance [mm], and the status
that the sensor gives with it. Zones are numbered in rows from the top left of what the camera sees;
the lens and the mounting of a real sensor turn or mirror them, which --rotation and --flip undo:
hold a hand into one corner of the view and see which zone comes near. Writes the corrected depth as
an image in colours.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import fastdepth
from fastdepth.console import tell
from fastdepth.images.io import read_image, write_png

ZONES = 8


def read_recording(path: str) -> dict[int, np.ndarray]:
    """Distance [mm] and status (8, 8, 2) of each frame."""
    try:
        recorded = np.loadtxt(path, delimiter=",", comments="#", dtype=int, ndmin=2)
        recorded = recorded[np.lexsort(recorded.T[1::-1])]  # by frame, then by zone
        frames = recorded.reshape(-1, ZONES * ZONES, 4)
        if not (len(frames) and (frames[:, :, 1] == np.arange(ZONES * ZONES)).all()):
            raise ValueError(f"zones 0 to {ZONES * ZONES - 1} are not once in each frame")
    except (OSError, ValueError) as error:
        raise fastdepth.FastDepthError(f"{path}: {error}") from None
    return {frame[0, 0]: frame[:, 2:].reshape(ZONES, ZONES, 2) for frame in frames}


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="file of fastdepth-export")
    parser.add_argument("image")
    parser.add_argument("recording", help="CSV of frame, zone, distance [mm], status")
    parser.add_argument("--rotation", type=int, default=0, help="0, 90, 180 or 270 degrees")
    parser.add_argument("--flip", action="store_true", help="exchange left and right")
    parser.add_argument("--output", default="tof_grid.png")
    asked = parser.parse_args()

    image = read_image(asked.image)
    frames = read_recording(asked.recording)
    size = fastdepth.Size(*image.shape[:2])
    model = fastdepth.load(asked.model)
    alone = model(image)

    for frame, zones in frames.items():
        points = fastdepth.DistancePoints.from_tof(
            zones[..., 0] / 1000,
            size,
            status=zones[..., 1],
            rotation=asked.rotation,
            flip=asked.flip,
        )
        depth = model(image, points=points)
        print(
            f"frame {frame}: {len(points)} zones of {ZONES * ZONES}; median of the image: "
            f"network {np.median(alone):.2f} m, corrected {np.median(depth):.2f} m"
        )
    write_png(asked.output, fastdepth.colourise(depth, vmax=6.0))


if __name__ == "__main__":
    try:
        main()
    except fastdepth.FastDepthError as error:  # a file, an option or a point that cannot be
        tell(f"tof_grid: {error}")
        sys.exit(2)
