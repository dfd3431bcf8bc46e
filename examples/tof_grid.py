"""Correct depth by an 8x8 time-of-flight sensor beside the camera, such as ST's VL53L5CX.

Needs no sensor: it reads a recording. From a checkout:

    fastdepth-export --variant mnv2-64-dws --output mnv2-64-dws.onnx
    python examples/tof_grid.py mnv2-64-dws.onnx examples/data/room.jpg examples/data/tof.csv

The recording has a line for each zone of each frame: frame, zone, distance [mm], and the status
that the sensor gives with it. Zones are numbered in rows from the top left of what the camera sees;
the lens and the mounting of a real sensor turn or mirror them, which --rotation and --flip undo:
hold a hand into one corner of the view and see which zone comes near. Writes the corrected depth as
an image in colours.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

import fastdepth

ZONES = 8


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

    image = cv2.imread(asked.image)[:, :, ::-1]
    size = fastdepth.Size(*image.shape[:2])
    model = fastdepth.load(asked.model)
    alone = model(image)

    recorded = np.loadtxt(asked.recording, delimiter=",", comments="#", dtype=int)
    for frame in np.unique(recorded[:, 0]):
        zones = recorded[recorded[:, 0] == frame]
        zones = zones[np.argsort(zones[:, 1])].reshape(ZONES, ZONES, -1)
        points = fastdepth.DistancePoints.from_tof(
            zones[..., 2] / 1000,
            size,
            status=zones[..., 3],
            rotation=asked.rotation,
            flip=asked.flip,
        )
        depth = model(image, points=points)
        print(
            f"frame {frame}: {len(points)} zones of {ZONES * ZONES}; median of the image: "
            f"network {np.median(alone):.2f} m, corrected {np.median(depth):.2f} m"
        )
    cv2.imwrite(asked.output, fastdepth.colourise(depth, vmax=6.0)[:, :, ::-1])


if __name__ == "__main__":
    main()
