"""Correct depth by the feature points of a phone's tracking, as ARKit gives them with a frame.

Needs no phone: it reads a recorded frame. From a checkout:

    python examples/arkit_points.py mnv2-64-dws examples/data/room.jpg examples/data/arkit.json

The frame is what an app writes of ARFrame: `camera.intrinsics` and `camera.transform`, column by
column as simd has them, `camera.imageResolution`, and `rawFeaturePoints.points` in the world [m].
ARCore's points, or those of a SLAM system, go the same way; what differs is which way the axes of
its camera point. Writes the corrected depth as an image in colours.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import fastdepth
from fastdepth.console import tell
from fastdepth.images.io import read_image, write_png

AXES = np.diag([1.0, -1.0, -1.0, 1.0])
"""From ARKit's camera, y up and looking along -z, to ours, y down and looking along z."""


def read_points(frame: dict, size: fastdepth.Size) -> tuple[fastdepth.DistancePoints, float]:
    """Points of a frame in an image of this size, and its focal length [px]."""
    matrix = np.array(frame["intrinsics"]).T  # columns to rows
    scale = size.width / frame["imageResolution"][0]  # the image may be a smaller copy
    fx, fy = scale * matrix[0, 0], scale * matrix[1, 1]
    cx, cy = (scale * (matrix[axis, 2] + 0.5) - 0.5 for axis in (0, 1))
    to_camera = AXES @ np.linalg.inv(np.array(frame["transform"]).T)
    points = np.array(frame["rawFeaturePoints"])
    camera = fastdepth.Intrinsics(fx, fy, cx, cy)
    return fastdepth.DistancePoints.project(points, camera, to_camera, size), fx


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="file of fastdepth-export")
    parser.add_argument("image", help="the frame's capturedImage, as it lies: landscape")
    parser.add_argument("frame", help="JSON of the frame")
    parser.add_argument("--output", default="arkit_points.png")
    asked = parser.parse_args()

    image = read_image(asked.image)
    try:
        frame = json.loads(Path(asked.frame).read_text(encoding="utf-8"))
        points, focal = read_points(frame, fastdepth.Size(*image.shape[:2]))
    except (ArithmeticError, LookupError, OSError, TypeError, ValueError) as error:
        raise fastdepth.FastDepthError(f"{asked.frame} is no such frame: {error}") from None
    if not len(points):
        raise fastdepth.FastDepthError(f"{asked.frame} has no point on the image")

    model = fastdepth.load(asked.model)
    alone = model(image, focal=focal)
    depth = model(image, focal=focal, points=points)

    places = np.rint([points.rows, points.columns]).astype(int)
    for name, answer in (("network", alone), ("corrected", depth)):
        off = np.median(np.abs(answer[tuple(places)] / points.depth - 1))
        print(f"{name}: {100 * off:.0f} % off at the {len(points)} points (median)")
    print(
        f"median of the image: network {np.median(alone):.2f} m, corrected {np.median(depth):.2f} m"
    )
    write_png(asked.output, fastdepth.colourise(depth, vmax=6.0))


if __name__ == "__main__":
    try:
        main()
    except fastdepth.FastDepthError as error:  # a file, an option or a point that cannot be
        tell(f"arkit_points: {error}")
        sys.exit(2)
