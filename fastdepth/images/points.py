"""Depth to a cloud of points in metres, and the cloud to a PLY file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdepth.arguments import checked
from fastdepth.camera import Intrinsics
from fastdepth.errors import UsageError
from fastdepth.files import replacing

_BLOCK = 2**20
"""Points that are written at once."""

_VERTEX = np.dtype([("position", "<f4", 3), ("colour", "u1", 3)])

_HEADER = """ply
format binary_little_endian 1.0
comment metres; x right, y down, z forward
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
end_header
"""


@checked
def to_points(depth: NDArray[np.floating], intrinsics: Intrinsics) -> NDArray[np.float32]:
    """Where each pixel lies in front of the camera.

    Args:
        depth: (H, W) depth along the optical axis [m]; NaN, infinite or not positive is invalid.
        intrinsics: the camera, in pixels of ``depth``.

    Returns:
        (H, W, 3) float32 [m], x right, y down, z forward; NaN where the depth is invalid.

    Raises:
        UsageError: ``depth`` is not (H, W).
    """
    if depth.ndim != 2:
        raise UsageError(f"depth has the shape {depth.shape}; give (H, W) in metres")
    height, width = depth.shape
    valid = np.isfinite(depth) & (depth > 0)
    z = np.where(valid, depth, np.nan).astype(np.float32)
    points = np.empty((height, width, 3), np.float32)
    rays_x = (np.arange(width, dtype=np.float32) - intrinsics.cx) / intrinsics.fx
    rays_y = (np.arange(height, dtype=np.float32) - intrinsics.cy) / intrinsics.fy
    points[..., 0] = z * rays_x
    points[..., 1] = z * rays_y[:, np.newaxis]
    points[..., 2] = z
    return points


def write_ply(path: str | Path, points: NDArray[np.float32], colours: NDArray[np.uint8]) -> int:
    """Write a coloured cloud as binary PLY, whole or not at all.

    Args:
        path: where to; what stands there is replaced.
        points: (..., 3) [m]; those that are not finite are left out.
        colours: uint8 RGB of the same shape.

    Returns:
        Number of points written.

    Raises:
        UsageError: the shapes differ, or the colours are not uint8.
        OutputError: the file could not be written.
    """
    if points.shape != colours.shape or points.shape[-1:] != (3,) or colours.dtype != np.uint8:
        raise UsageError(
            f"points {points.shape} and colours {colours.dtype} {colours.shape} do not belong "
            "together; give (..., 3) points and uint8 colours of the same shape"
        )
    valid = np.isfinite(points).all(axis=-1).reshape(-1)
    points, colours, count = points.reshape(-1, 3), colours.reshape(-1, 3), int(valid.sum())
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(_HEADER.format(count=count).encode("ascii"))
        for start in range(0, len(valid), _BLOCK):  # large images have gigabytes of points
            block = slice(start, start + _BLOCK)
            vertices = np.empty(int(valid[block].sum()), _VERTEX)
            vertices["position"] = points[block][valid[block]]
            vertices["colour"] = colours[block][valid[block]]
            stream.write(vertices.tobytes())
    return count
