"""Show depth of a camera as it comes, and warn when something is near: see README.md."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

import cv2
import numpy as np

import fastdepth
from fastdepth.video import window
from fastdepth.video.frames import Frame

SHARE = 0.01  # of the image's pixels that must be near; a few are wrong in every image
MIDDLE = 9  # side of the square whose median is the distance in the middle [px]


def nearest(depth: np.ndarray) -> float:
    """The distance [m] that a hundredth of the image is nearer than."""
    return float(np.quantile(depth[::4, ::4], SHARE))


def middle(depth: np.ndarray) -> float:
    """The distance [m] in the middle of the image."""
    top, left = ((side - MIDDLE) // 2 for side in depth.shape)
    return float(np.median(depth[top : top + MIDDLE, left : left + MIDDLE]))


def drawn(frame: Frame, warning: bool) -> np.ndarray:
    """Image and depth side by side (H, 2 W, 3) uint8 BGR, with the distance in the middle."""
    both = np.hstack([frame.image, fastdepth.colourise(frame.depth, vmin=0.5, vmax=6.0)])
    both = np.ascontiguousarray(both[:, :, ::-1])
    height, width = frame.depth.shape
    cv2.drawMarker(both, (width // 2, height // 2), (255, 255, 255))
    text = f"{middle(frame.depth):.2f} m{'  NEAR' if warning else ''}"
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(both, text, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, colour, thickness)
    return both


def main() -> None:
    """Run until the camera ends, or q or Ctrl-C is pressed."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("model", help="mnv2-64-dws, or a file of fastdepth-export")
    parser.add_argument("source", help="number of the camera, a clip or an address")
    parser.add_argument("--focal", type=float, help="focal length of the camera [px]")
    parser.add_argument("--near", type=float, default=0.8, help="warn below this distance [m]")
    asked = parser.parse_args()
    model = fastdepth.load(asked.model, threads=2)
    warned = 0
    if why := window.problem():  # where there is no display OpenCV would end the process
        raise fastdepth.FastDepthError(f"no window: {why}")
    frames = fastdepth.stream(asked.source, model, focal=asked.focal, live=True)
    with frames, suppress(KeyboardInterrupt):  # Ctrl-C ends it as q does
        for frame in frames:
            warning = nearest(frame.depth) < asked.near
            warned += warning
            cv2.imshow("fastdepth", drawn(frame, warning))
            if cv2.waitKey(1) & 0xFF == ord("q"):
                break
    print(f"{warned} frames with something nearer than {asked.near} m, {frames.dropped} dropped")


if __name__ == "__main__":
    try:
        main()
    except fastdepth.FastDepthError as error:
        print(f"webcam: {error}", file=sys.stderr)
        sys.exit(2)
