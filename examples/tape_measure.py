"""Correct the depth of a photo by distances that were measured with a tape.

From a checkout:

    python examples/tape_measure.py mnv2-64-dws examples/data/room.jpg 120,160,3.57

Each distance is ROW,COLUMN,METRES: the pixel of the photo that it was measured to, and the distance
along the optical axis: from the plane of the camera, not from its lens to a corner. Measure to
something flat and well inside of its outline. Writes the corrected depth as an image in colours.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import fastdepth
from fastdepth.console import tell
from fastdepth.images.io import read_image, write_png

ACCURACY = 0.02
"""Standard deviation of a distance by hand, as a share of it: a tape that sags, a pixel beside."""


def read_distances(words: list[str]) -> np.ndarray:
    """(N, 3) of ROW,COLUMN,METRES."""
    try:
        return np.array([each.split(",") for each in words], float).reshape(len(words), 3)
    except ValueError:
        given = " ".join(words)
        raise fastdepth.FastDepthError(f"{given!r}: give each as ROW,COLUMN,METRES") from None


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="file of fastdepth-export")
    parser.add_argument("image")
    parser.add_argument("distance", nargs="+", help="ROW,COLUMN,METRES")
    parser.add_argument("--focal", type=float, help="focal length of the camera [px]")
    parser.add_argument("--output", default="tape_measure.png")
    asked = parser.parse_args()

    image = read_image(asked.image)
    measured = read_distances(asked.distance)
    points = np.column_stack([measured, ACCURACY * measured[:, 2]])  # row, column, depth, deviation

    model = fastdepth.load(asked.model)
    alone = model(image, focal=asked.focal)
    depth = model(image, focal=asked.focal, points=points)

    for row, column, metres in measured:
        place = tuple(np.clip(np.rint([row, column]), 0, np.subtract(depth.shape, 1)).astype(int))
        print(
            f"row {place[0]}, column {place[1]}: measured {metres:.2f} m, "
            f"network {alone[place]:.2f} m, corrected {depth[place]:.2f} m"
        )
    print(
        f"median of the image: network {np.median(alone):.2f} m, corrected {np.median(depth):.2f} m"
    )
    write_png(asked.output, fastdepth.colourise(depth, vmax=6.0))


if __name__ == "__main__":
    try:
        main()
    except fastdepth.FastDepthError as error:  # a file, an option or a point that cannot be
        tell(f"tape_measure: {error}")
        sys.exit(2)
