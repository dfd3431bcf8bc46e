"""The camera that the networks were trained on, and what another camera changes.

A network that sees an object of width S [m] spread over p pixels answers with the distance at
which the *training* camera would see it so: ``S * f_training / p``. Seen through a focal length f
the true distance is ``S * f / p``, so metres are rescaled by ``f / f_training``, both taken at the
size of the image that enters the network
(:meth:`fastdepth.runtime.model.DepthModel.training_focal`).
"""

from __future__ import annotations

from dataclasses import dataclass

from fastdepth.arguments import check_type, checked
from fastdepth.errors import UsageError
from fastdepth.size import Size

TRAINING_FOCAL_LENGTH = 519.0
"""Focal length [px] of NYU Depth V2's Kinect in an image ``TRAINING_WIDTH`` wide."""

TRAINING_WIDTH = 640
"""Image width [px] to which ``TRAINING_FOCAL_LENGTH`` belongs."""

FOCAL_LENGTHS = 1.0, 1e6
"""Least and greatest focal length that a camera may have [px]."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera without distortion: focal lengths and principal point [px]."""

    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        """Raise UsageError unless all are numbers."""
        for name, value in vars(self).items():
            check_type(name, value, float)

    @classmethod
    @checked
    def from_focal(cls, focal: float, size: Size) -> Intrinsics:
        """Square pixels and the principal point at the centre of the image.

        Raises:
            UsageError: the focal length is not a positive number of pixels.
        """
        check_focal(focal)
        return cls(focal, focal, (size.width - 1) / 2, (size.height - 1) / 2)

    @classmethod
    @checked
    def training_camera(cls, size: Size) -> Intrinsics:
        """The training camera, its image resized to this size's width.

        For depth that a model answered with take
        :meth:`fastdepth.runtime.model.DepthModel.camera`, which knows how the image entered it.
        """
        return cls.from_focal(TRAINING_FOCAL_LENGTH * size.width / TRAINING_WIDTH, size)


@checked
def check_focal(focal: float) -> float:
    """Return the focal length [px], or raise UsageError where no camera has it."""
    least, most = FOCAL_LENGTHS
    if not least <= focal <= most:
        raise UsageError(f"focal length {focal} must be {least:g} to {most:g} pixels")
    return focal
