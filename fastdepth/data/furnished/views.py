"""Cameras in a furnished room: somebody's hand, a lens of some focal length, aimed at something."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fastdepth.data.furnished.placing import Room
from fastdepth.data.furnished.surfaces import Vector, vector
from fastdepth.data.furnished.wavefront import Array
from fastdepth.data.sample import Depth
from fastdepth.size import Size

FOCAL_PER_WIDTH = (0.66, 1.05)
"""Focal length in widths of the image: 74 to 51 degrees across; the Kinect's is .81."""

NEAREST, FARTHEST = 0.45, 9.9  # [m]
STANDS_OUT = 0.06
"""What is farther than this from floor, walls and ceiling [m] is furniture."""

LEAST_FURNITURE = 0.27
LEAST_STEPS = 0.05
"""Shares of the image, the latter of neighbours a tenth apart in depth."""

PROBE = Size(30, 40)
"""Views are judged at this size."""


@dataclass(frozen=True, eq=False)
class View:
    """A pinhole camera.

    Attributes:
        position: (3,) [m].
        axes: (3, 3) columns right, down, forward.
        focal: focal length in widths of the image.
    """

    position: Vector
    axes: Vector
    focal: float

    def rays(self, size: Size) -> Array:
        """Directions (H, W, 3) float32 through the pixels' centres, 1 long along the axis."""
        focal = self.focal * size.width
        x = (np.arange(size.width) + 0.5 - size.width / 2) / focal
        y = (np.arange(size.height) + 0.5 - size.height / 2) / focal
        across, down = np.meshgrid(x, y)
        local = np.stack([across, down, np.ones_like(across)], -1)
        return (local @ self.axes.T).astype(np.float32)


def aim(position: Vector, target: Vector, pitch: float, roll: float, focal: float) -> View:
    """A camera that looks towards a point, ``pitch`` [rad] above the horizon.

    Args:
        position: of the camera [m].
        target: only its direction along the floor counts.
        pitch: above the horizon [rad].
        roll: clockwise [rad].
        focal: in widths of the image.
    """
    yaw = math.atan2(target[2] - position[2], target[0] - position[0])
    forward = vector(
        [
            math.cos(pitch) * math.cos(yaw),
            math.sin(pitch),
            math.cos(pitch) * math.sin(yaw),
        ]
    )
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(roll), math.sin(roll)
    axes = np.stack([c * right + s * down, c * down - s * right, forward], axis=1)
    return View(position, axes, focal)


def propose(rng: np.random.Generator, room: Room) -> View:
    """A viewpoint in the room, aimed at a piece of furniture or anywhere."""
    width, height, length = room.size
    position = vector(
        [
            rng.uniform(0.2, width - 0.2),
            min(rng.uniform(0.9, 1.75), height - 0.3),
            rng.uniform(0.2, length - 0.2),
        ]
    )
    target = vector([rng.uniform(0, width), 0, rng.uniform(0, length)])
    if room.boxes and rng.random() < 0.6:
        target = room.boxes[int(rng.integers(len(room.boxes)))].centre
    pitch, roll = math.radians(rng.normal(-10, 8)), math.radians(rng.normal(0, 2))
    focal = math.exp(rng.uniform(*np.log(FOCAL_PER_WIDTH)))
    return aim(position, target, pitch, roll, focal)


def stands_clear(view: View, room: Room) -> bool:
    """Whether the camera is not inside furniture, nor a hand's breadth from it."""
    x, y, z = view.position
    return not any(
        box.low[0] - 0.15 < x < box.high[0] + 0.15
        and box.low[2] - 0.15 < z < box.high[2] + 0.15
        and box.low[1] - 0.3 < y < box.high[1] + 0.3
        for box in room.boxes
    )


def bare_depth(view: View, room: Room, size: Size) -> Depth:
    """Depth (H, W) float32 [m] of the room without anything in it."""
    rays = view.rays(size)
    far = np.where(rays > 0, room.size, 0) - view.position
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(rays == 0, np.inf, far / rays)
    nearest: Depth = steps.min(-1).astype(np.float32)
    return nearest


def is_worth_a_frame(depth: Depth, bare: Depth) -> bool:
    """Whether a view is that of a photograph of a room: neither a wall, a void nor a cupboard.

    Args:
        depth: (h, w) [m] as seen.
        bare: the same of the empty room.
    """
    middle, far = np.percentile(depth, [50, 99])
    furniture = (depth < bare - STANDS_OUT).mean()
    steps = np.abs(np.diff(np.log(np.maximum(depth, 1e-3)), axis=1))
    return bool(
        (depth < NEAREST).mean() < 0.02
        and 1.1 < middle < 5.0
        and 1.7 < far < FARTHEST
        and furniture > LEAST_FURNITURE
        and (steps > 0.1).mean() > LEAST_STEPS
    )
