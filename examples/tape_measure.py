"""Correct the depth of a photo by distances that were measured with a tape.

From a checkout, with `pip install 'fastdepth[cpu,export]'` for the first line:

    fastdepth-export --variant mnv2-64-dws --output mnv2-64-dws.onnx
    python examples/tape_measure.py mnv2-64-dws.onnx examples/data/room.jpg 120,160,3.57

Each distance is ROW,COLUMN,METRES: the pixel of the photo that it was measured to, and the distance
along the optical axis: from the plane of the camera, not from its lens to a corner. Measure to
something flat and well inside of its outline. Writes the corrected depth as an image in colours.
"""

from __future__ import annotations

import argparse

import cv2
import numpy as np

import fastdepth

ACCURACY = 0.02
"""Standard deviation of a distance by hand, as a share of it: a tape that sags, a pixel beside."""


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="file of fastdepth-export")
    parser.add_argument("image")
    parser.add_argument("distance", nargs="+", help="ROW,COLUMN,METRES")
    parser.add_argument("--focal", type=float, help="focal length of the camera [px]")
    parser.add_argument("--output", default="tape_measure.png")
    asked = parser.parse_args()

    image = cv2.imread(asked.image)[:, :, ::-1]
    measured = np.array([each.split(",") for each in asked.distance], float)
    points = np.column_stack([measured, ACCURACY * measured[:, 2]])  # row, column, depth, deviation

    model = fastdepth.load(asked.model)
    alone = model(image, focal=asked.focal)
    depth = model(image, focal=asked.focal, points=points)

    for row, column, metres in measured:
        place = round(row), round(column)
        print(
            f"row {place[0]}, column {place[1]}: measured {metres:.2f} m, "
            f"network {alone[place]:.2f} m, corrected {depth[place]:.2f} m"
        )
    print(
        f"median of the image: network {np.median(alone):.2f} m, corrected {np.median(depth):.2f} m"
    )
    cv2.imwrite(asked.output, fastdepth.colourise(depth, vmax=6.0)[:, :, ::-1])


if __name__ == "__main__":
    main()
