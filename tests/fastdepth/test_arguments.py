"""What an application passes: another type than is declared is one line, never a foreign error."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
from an_interval import FACTORS
from numpy.typing import NDArray
from tiny_onnx import write_model

from fastdepth import (
    DistancePoints,
    FastDepthError,
    Intrinsics,
    PointTrack,
    Size,
    anchored,
    colourise,
    load,
    to_points,
)
from fastdepth.arguments import check_type, checked
from fastdepth.errors import UsageError

SIZE = Size(48, 64)
IMAGE = np.zeros((*SIZE, 3), np.uint8)
ZONES = np.ones((8, 8))
DEPTH = np.ones((8, 8), np.float32)
CAMERA = Intrinsics(50, 50, 32, 24)
ONE = [[1, 1, 1.0]]
WRONG = [
    "x", "0.9", b"x", [1], [[1]], {}, object(), 1j, 10**400, (), ("a", "b"), (1,), (1, 2, 3),
    float("nan"), float("inf"), -1, 1e308, True, np.array([1, 2]), np.array("x"),
]  # fmt: skip
CALLS = {
    "of size": lambda v: DistancePoints.of(ONE, v),
    "points": lambda v: DistancePoints.of(v),
    "rows": lambda v: DistancePoints(v, *np.ones((3, 1))),
    "extent": lambda v: DistancePoints(*np.ones((4, 1)), SIZE, v),
    "map": lambda v: DistancePoints.from_picture(v, SIZE),
    "map's std": lambda v: DistancePoints.from_picture(ZONES, SIZE, v),
    "map's size": lambda v: DistancePoints.from_picture(ZONES, v),
    "camera": lambda v: DistancePoints.project([[0, 0, 1]], v, np.eye(4), SIZE),
    "pose": lambda v: DistancePoints.project([[0, 0, 1]], CAMERA, v, SIZE),
    "space's std": lambda v: DistancePoints.project([[0, 0, 1]], CAMERA, np.eye(4), SIZE, v),
    "field of view": lambda v: DistancePoints.from_tof(ZONES, SIZE, field_of_view=v),
    "focal": lambda v: DistancePoints.from_tof(ZONES, SIZE, focal=v),
    "rotation": lambda v: DistancePoints.from_tof(ZONES, SIZE, rotation=v),
    "flip": lambda v: DistancePoints.from_tof(ZONES, SIZE, flip=v),
    "reach": lambda v: DistancePoints.from_tof(ZONES, SIZE, reach=v),
    "status": lambda v: DistancePoints.from_tof(ZONES, SIZE, status=v),
    "valid": lambda v: DistancePoints.from_tof(ZONES, SIZE, status=ZONES, valid=v),
    "noise": lambda v: DistancePoints.from_tof(ZONES, SIZE, noise=v),
    "drift": lambda v: PointTrack(drift=v),
    "doubt": lambda v: PointTrack(doubt=v),
    "track": lambda v: PointTrack().update(IMAGE, v),
    "frame": lambda v: PointTrack().update(v),
    "fx": lambda v: Intrinsics(v, 50, 1, 1),
    "from focal": lambda v: Intrinsics.from_focal(v, SIZE),
    "depth": lambda v: anchored(v, ONE),
    "image": lambda v: anchored(DEPTH, ONE, v),
    "prior": lambda v: anchored(DEPTH, ONE, prior=v),
    "out": lambda v: anchored(DEPTH, ONE, out=v),
    "coverage": FACTORS.at,
    "colours": lambda v: colourise(v),
    "colours' range": lambda v: colourise(DEPTH, v),
    "cloud": lambda v: to_points(v, CAMERA),
    "cloud's camera": lambda v: to_points(DEPTH, v),
    "size": Size.parse,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_type_is_one_line(name):
    refused = [message for value in WRONG if (message := message_of(CALLS[name], value))]
    assert refused and not any("\n" in message for message in refused)


def message_of(call, value):
    """What a call says of a value that it refuses; empty where it takes it."""
    try:
        call(value)
    except FastDepthError as error:
        return str(error)
    return ""


def test_a_model_s_too(tmp_path):
    model = load(write_model(tmp_path / "m.onnx"), threads=1)
    calls = [
        lambda v: model(v),
        lambda v: model(IMAGE, focal=v),
        lambda v: model(IMAGE, points=v),
        lambda v: model(IMAGE, out=v),
        lambda v: model.interval(IMAGE, v),
        lambda v: model.camera(v),
        lambda v: model.infer(v),
        lambda v: load(tmp_path / "m.onnx", threads=v),
        lambda v: load(tmp_path / "m.onnx", size=v),
        lambda v: load(tmp_path / "m.onnx", time_limit=v),
        lambda v: load(tmp_path / "m.onnx", provider=v),
        lambda v: load(tmp_path / "m.onnx", threads=2, affinity=v),
        lambda v: load(tmp_path / "m.onnx", graph_optimisation=v),
        lambda v: model.timed(v),
        lambda v: model.batch([IMAGE], focal=v),
    ]
    for call in calls:
        for value in ("x", b"x", {}, object(), 1j, np.array([1, 2]), 10**400):
            with pytest.raises(FastDepthError) as refused:
                call(value)
            assert "\n" not in str(refused.value)


@checked
def function(
    number: float,
    count: int = 1,
    size: Size | None = None,
    reach: tuple[float, float] = (0, 1),
    codes: Collection[int] = (),
    depth: NDArray[np.float32] = DEPTH,
) -> float:
    return number


@pytest.mark.parametrize(
    "right",
    [
        {"number": 1},
        {"number": np.float32(1)},
        {"number": float("inf")},
        {"count": np.int64(3)},
        {"size": Size(1, 2)},
        {"reach": [0, np.float64(2)]},
        {"codes": {1, 2}},
        {"codes": np.array([1, 2])},
        {"depth": DEPTH},
    ],
)
def test_what_is_right_passes(right):
    assert function(**{"number": 1, **right}) >= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"number": "0.9"}, "number is of type str; give a number"),
        ({"number": 10**400}, "number is too large; give a number"),
        ({"count": 1.5}, "count is of type float; give a whole number"),
        ({"size": (1, 2)}, "size is of type tuple; give a Size"),
        ({"size": Size("1", 2)}, "size is of type Size; give a Size"),
        ({"reach": 3}, "reach is of type int; give 2 of: a number"),
        ({"codes": "ab"}, "codes is of type str; give several of: a whole number"),
        ({"depth": [[1.0]]}, "depth is of type list; give an array"),
    ],
)
def test_the_message_says_what_to_give(wrong, message):
    with pytest.raises(UsageError) as refused:
        function(**{"number": 1, **wrong})
    assert str(refused.value) == message


def test_too_many_arguments_are_python_s_own_business():
    with pytest.raises(TypeError):
        function()


def test_what_is_not_looked_at_passes():
    check_type("image", "x", NDArray[np.uint8])
