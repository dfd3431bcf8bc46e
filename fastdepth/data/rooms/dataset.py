"""Indoor scenes made by the project itself: ray-cast rooms with exact metric depth.

They need no download, so they are the embedded data of the benchmark and the tests, and extra
training data. A Kinect's intrinsics, a hand-held camera, furniture as in homes and offices.
"""

from __future__ import annotations

import numpy as np

from fastdepth.camera import TRAINING_FOCAL_LENGTH, TRAINING_WIDTH
from fastdepth.data.rooms.layout import compose
from fastdepth.data.rooms.raycast import Camera, Scene, cast, look
from fastdepth.data.rooms.shading import photograph, shade
from fastdepth.data.rooms.surfaces import find_surfaces
from fastdepth.data.sample import Sample
from fastdepth.data.splits import check_split
from fastdepth.errors import UsageError
from fastdepth.size import Size

SPLITS = {"test": (0, 50), "validation": (10_000, 50), "train": (100_000, 2000)}
"""First seed and default count of the drawn rooms, so that no two splits share a room."""

ROOM_SIZE = Size(480, 640)
"""Size of drawn images, that of NYU Depth V2."""

MOST_ROOMS = 1_000_000
"""Drawn without a pause these take a week; names of more only fill memory."""

DEPTH_RANGE = (0.5, 10.0)  # [m]
FOCAL_LENGTH_PER_WIDTH = TRAINING_FOCAL_LENGTH / TRAINING_WIDTH
PROBE = Size(36, 48)  # viewpoints are judged at this size, whatever the size of the image
VIEWPOINTS = 40  # tries per room


def render_room(seed: int, size: Size = ROOM_SIZE) -> Sample:
    """An image of the room number `seed`, with its depth at every pixel.

    The same seed gives the same room and viewpoint at any size.
    """
    scene, camera = _scene_and_camera(seed)
    view = cast(scene, camera, size)
    radiance = shade(scene, camera, view, find_surfaces(scene, camera, view))
    image = photograph(radiance, np.random.default_rng([seed, 1]))
    name = _name(seed)
    return Sample(image=image, depth=view.depth, name=name, scene=name)


def _name(seed: int) -> str:
    return f"rooms/{seed:05d}"


def _scene_and_camera(seed: int) -> tuple[Scene, Camera]:
    """The first room of the seed's sequence which has a good viewpoint."""
    attempt = 0
    while True:
        rng = np.random.default_rng([seed, 0, attempt])
        scene = compose(rng)
        for _ in range(VIEWPOINTS):
            camera = _viewpoint(rng, scene)
            if _keeps_distance(scene, camera) and _is_interesting(scene, camera):
                return scene, camera
        attempt += 1


def _viewpoint(rng: np.random.Generator, scene: Scene) -> Camera:
    """A person's hand somewhere in the room, aimed at a piece of furniture."""
    x, y, _ = 2 * scene.shell.half
    position = (rng.uniform(0.2, x - 0.2), rng.uniform(0.2, y - 0.2), rng.uniform(0.8, 1.8))
    # Large things are looked at more often than small ones.
    area = np.array([np.prod(np.sort(shape.half)[1:]) for shape in scene.shapes])
    target = scene.shapes[rng.choice(len(area), p=area / area.sum())].centre
    yaw = np.arctan2(target[1] - position[1], target[0] - position[0])
    pitch, roll = rng.normal([0.19, 0.0], [0.12, 0.035])
    return look(position, yaw + rng.normal(0, 0.2), pitch, roll)


def _keeps_distance(scene: Scene, camera: Camera) -> bool:
    """Whether nothing in view can be nearer than the least depth, at any image size.

    Holds for images which are not higher than wide.
    """
    side = 0.5 / FOCAL_LENGTH_PER_WIDTH  # tangent of half the field of view
    rays = np.array([(i * side, j * side, 1) for i in (-1, 1) for j in (-1, 1)])
    # Along a ray (x, y, 1) depth grows by 1, and a wall is reached soonest at a corner.
    speed = (rays @ camera.axes.T).max(axis=0), (-rays @ camera.axes.T).max(axis=0)
    gap = 2 * scene.shell.half - camera.position, camera.position
    for g, s in zip(gap, speed, strict=True):
        if (g < DEPTH_RANGE[0] * s).any():
            return False
    reach = DEPTH_RANGE[0] * np.linalg.norm(rays[0])  # ray length at the least depth
    for shape in scene.shapes:
        local = (camera.position - shape.centre) @ shape.rotation
        if np.linalg.norm(np.maximum(np.abs(local) - shape.half, 0)) >= reach:
            continue
        corners = (shape.corners() - camera.position) @ camera.axes
        near = corners[:, 2].min() < DEPTH_RANGE[0]
        outside = [
            (sign * corners[:, k] > side * corners[:, 2]).all() for k in (0, 1) for sign in (-1, 1)
        ]
        if near and not any(outside) and corners[:, 2].max() > 0:
            return False
    return True


def _is_interesting(scene: Scene, camera: Camera) -> bool:
    """Whether the image shows furniture at several distances, like a photograph of a room."""
    view = cast(scene, camera, PROBE)
    share = np.bincount(view.index.ravel() + 1, minlength=len(scene.shapes) + 1) / view.index.size
    seen = int((share[1:] > 0.004).sum())
    return bool(
        0.25 < share[0] < 0.68
        and share[1:].max() < 0.25
        and seen >= 12
        and 1.4 < np.median(view.depth) < 4.5
        and view.depth.max() > 2.0
    )


class Rooms:
    """A sequence of rooms, rendered when they are asked for.

    Attributes:
        name: `rooms`.
        names: one stable name a sample.
    """

    name = "rooms"

    def __init__(self, count: int = 50, seed: int = 0, size: Size = ROOM_SIZE) -> None:
        """The rooms with the seeds `seed` to `seed + count - 1`, in images of `size`."""
        self.names = [_name(seed + index) for index in range(count)]
        self._seed = seed
        self._size = size

    def __len__(self) -> int:
        """Number of rooms."""
        return len(self.names)

    def __getitem__(self, index: int, /) -> Sample:
        """One room; negative indices count from the end.

        Raises:
            IndexError: the index is past either end.
        """
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"room {index} of {count}")
        return render_room(self._seed + index % count, self._size)


def open_rooms(count: str, split: str, size: Size = ROOM_SIZE) -> Rooms:
    """The drawn rooms of a split; they have no scenes to part, so it is that which it is like.

    Args:
        count: number of rooms; empty takes the usual one.
        split: one of :mod:`fastdepth.data.splits`.
        size: of the images.

    Raises:
        UnknownNameError: there is no such split.
        UsageError: the count cannot be.
    """
    split = check_split(split)
    seed, usual = SPLITS[split]
    digits = count.lstrip("0")
    if count and not (digits and count.isascii() and count.isdigit()):
        raise UsageError(f"rooms:{count[:40]} is no count of rooms; write rooms:{usual}")
    number = int(digits[: len(str(MOST_ROOMS)) + 1]) if count else usual
    most = min([start - seed for start, _ in SPLITS.values() if start > seed], default=MOST_ROOMS)
    if number > most:
        raise UsageError(f"at most {most} {split} rooms; give fewer")
    return Rooms(number, seed, size)
