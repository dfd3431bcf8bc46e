from __future__ import annotations

import pytest

from fastdepth.camera import Intrinsics, check_focal
from fastdepth.errors import UsageError
from fastdepth.size import Size


def test_training_camera_of_a_half_size_image():
    camera = Intrinsics.training_camera(Size(240, 320))
    assert (camera.fx, camera.cx, camera.cy) == (519 / 2, 159.5, 119.5)


@pytest.mark.parametrize("focal", [0, -5, 0.5, 1e300, float("nan"), float("inf")])
def test_a_focal_length_that_is_none_is_refused(focal):
    with pytest.raises(UsageError, match="focal length"):
        check_focal(focal)
