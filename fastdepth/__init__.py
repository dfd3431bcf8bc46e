"""Depth from one camera: metres per pixel, fast, on whatever hardware there is.

::

    import fastdepth

    model = fastdepth.load("mnv2-64-dws")
    depth = model(image)  # (H, W) float32 [m] of an (H, W, 3) uint8 RGB image

What is imported here needs what the extra ``cpu`` installs, never torch.

ONNX Runtime's telemetry, which stores a device's number below the user's cache folder and looks up
names in the network, is off unless ``ORT_DISABLE_TELEMETRY`` is set to something else.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when onnxruntime is imported

from fastdepth.extras import check_opencv

check_opencv()  # before anything imports it, so that the pip line is what a user reads

from fastdepth.anchors.field import anchored
from fastdepth.anchors.points import DistancePoints
from fastdepth.anchors.tracked import PointTrack
from fastdepth.camera import Intrinsics
from fastdepth.errors import FastDepthError
from fastdepth.images.colour import colourise
from fastdepth.images.points import to_points
from fastdepth.runtime.model import DepthModel, load
from fastdepth.size import Size
from fastdepth.video.streaming import stream

__all__ = [
    "DepthModel",
    "DistancePoints",
    "FastDepthError",
    "Intrinsics",
    "PointTrack",
    "Size",
    "anchored",
    "colourise",
    "load",
    "stream",
    "to_points",
]

__version__ = "0.1.0"
