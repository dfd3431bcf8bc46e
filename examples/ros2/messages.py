"""Depth and its camera, laid out as ROS 2 messages, field by field; needs no ROS.

A message is a dict of its fields, which any ROS client takes: ``set_fields`` fills a real one.
Depth is along the optical axis; the frame is an optical one: x right, y down, z forwards (REP 103).
"""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np

import fastdepth

Message = dict[str, Any]
NEAREST, FARTHEST = 1e-3, 65.535  # what 16 bits of millimetres can say [m]


def header(frame: str, nanoseconds: int) -> Message:
    """``std_msgs/Header`` of a moment, that of the image that the depth is of."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return {"stamp": {"sec": seconds, "nanosec": rest}, "frame_id": frame}


def depth_image(depth: np.ndarray, head: Message, *, millimetres: bool = False) -> Message:
    """``sensor_msgs/Image`` of depth (H, W) float32 [m]: 32FC1, or 16UC1 in millimetres.

    What is no distance is NaN in metres and 0 in millimetres (REP 118).
    """
    known = np.isfinite(depth) & (depth > 0)
    if millimetres:
        known &= (depth >= NEAREST) & (depth <= FARTHEST)
        pixels = np.where(known, np.rint(np.where(known, depth, 0) * 1000), 0).astype(np.uint16)
    else:
        pixels = np.where(known, depth, np.nan).astype(np.float32)
    return {
        "header": head,
        "height": depth.shape[0],
        "width": depth.shape[1],
        "encoding": "16UC1" if millimetres else "32FC1",
        "is_bigendian": int(sys.byteorder == "big"),
        "step": pixels.strides[0],
        "data": array.array("B", pixels.tobytes()),  # what rclpy takes without a copy of its own
    }


def camera_info(camera: fastdepth.Intrinsics, size: fastdepth.Size, head: Message) -> Message:
    """``sensor_msgs/CameraInfo`` of a camera without distortion, for images of this size."""
    fx, fy, cx, cy = camera.fx, camera.fy, camera.cx, camera.cy
    return {
        "header": head,
        "height": size.height,
        "width": size.width,
        "distortion_model": "plumb_bob",
        "d": [0.0] * 5,
        "k": [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        "r": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "p": [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    }


def set_fields(message: Any, fields: Message) -> Any:
    """Fill a message of ROS with such fields; parts that are messages are filled likewise."""
    for name, value in fields.items():
        if isinstance(value, dict):
            set_fields(getattr(message, name), value)
        else:
            setattr(message, name, value)
    return message


def rgb_of(data: bytes, height: int, width: int, step: int, encoding: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB of bytes in ``rgb8``, ``bgr8``, ``rgba8``, ``bgra8`` or ``mono8``.

    Raises:
        FastDepthError: another encoding, which the driver or ``image_proc`` can convert, or bytes
            that are not as many as the sides say.
    """
    channels = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}.get(encoding)
    if channels is None:
        raise fastdepth.FastDepthError(f"encoding {encoding!r}; convert it to rgb8 or bgr8")
    if step < width * channels or len(data) != height * step:
        said = f"{width}x{height} {encoding}, rows of {step} bytes"
        raise fastdepth.FastDepthError(f"{len(data)} bytes are no {said}; see the driver")
    rows = np.frombuffer(data, np.uint8).reshape(height, step)[:, : width * channels]
    pixels = rows.reshape(height, width, channels)[..., :3]  # a row may end in padding
    pixels = pixels[..., ::-1] if encoding.startswith("bgr") else pixels
    return np.ascontiguousarray(np.broadcast_to(pixels, (height, width, 3)))
