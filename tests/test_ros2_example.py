"""The example for ROS 2, against the layouts of its messages and with a stand-in for ROS."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from tiny_onnx import write_model

import fastdepth
from fastdepth.size import Size

FOLDER = Path(__file__).parents[1] / "examples" / "ros2"
SIZE = Size(24, 32)


@pytest.fixture
def messages():
    return SimpleNamespace(**runpy.run_path(str(FOLDER / "messages.py")))


@pytest.mark.parametrize("millimetres", [False, True])
def test_depth_is_read_back_as_rep_118_says(messages, millimetres):
    depth = np.linspace(0.5, 70, 24, dtype=np.float32).reshape(4, 6)
    depth[0, :2] = 0, np.nan
    image = messages.depth_image(
        depth, messages.header("camera", 3_000_000_007), millimetres=millimetres
    )
    assert image["header"] == {"stamp": {"sec": 3, "nanosec": 7}, "frame_id": "camera"}
    assert len(image["data"]) == image["height"] * image["step"]
    dtype = np.uint16 if millimetres else np.float32
    read = np.frombuffer(image["data"], dtype).reshape(4, 6)
    if millimetres:
        assert image["encoding"] == "16UC1" and (read[0, :2] == 0).all()
        assert (read[depth > 65.535] == 0).all()
        near = (depth > 0) & (depth < 65)
        np.testing.assert_allclose(read[near] / 1000, depth[near], atol=5e-4)
    else:
        assert image["encoding"] == "32FC1" and np.isnan(read[0, :2]).all()
        np.testing.assert_array_equal(read.ravel()[2:], depth.ravel()[2:])


def test_a_camera_projects_as_its_info_says(messages):
    camera = fastdepth.Intrinsics(500.0, 510.0, 15.0, 11.0)
    info = messages.camera_info(camera, SIZE, messages.header("camera", 0))
    point = np.array([0.2, -0.1, 2.0])
    for matrix in (np.reshape(info["k"], (3, 3)), np.reshape(info["p"], (3, 4))[:, :3]):
        u, v, w = matrix @ point
        assert (u / w, v / w) == pytest.approx((15 + 500 * 0.1, 11 - 510 * 0.05))


@pytest.mark.parametrize(
    ("encoding", "channels"), [("rgb8", 3), ("bgr8", 3), ("bgra8", 4), ("mono8", 1)]
)
def test_images_of_a_camera_become_rgb(messages, encoding, channels):
    step = 6 * channels + 5  # rows may be padded
    rows = np.arange(4 * step, dtype=np.uint8).reshape(4, step)
    rgb = messages.rgb_of(rows.tobytes(), 4, 6, step, encoding)
    first = rows[:, :channels][..., :3]
    expected = first[:, ::-1] if encoding.startswith("bgr") else np.broadcast_to(first, (4, 3))
    np.testing.assert_array_equal(rgb[:, 0], expected)
    with pytest.raises(fastdepth.FastDepthError, match="convert it to rgb8"):
        messages.rgb_of(b"", 4, 6, 6, "bayer_rggb8")
    for data, step in ((bytes(4 * 17), 17), (bytes(71), 18), (bytes(73), 18), (b"", 18)):
        with pytest.raises(fastdepth.FastDepthError, match=r"bytes are no 6x4 rgb8"):
            messages.rgb_of(data, 4, 6, step, "rgb8")


class FakeNode:
    """What the node uses of rclpy's."""

    given: ClassVar[dict] = {}

    def __init__(self, name):
        self.published, self.errors, self.parameters = {}, [], {}

    def declare_parameter(self, name, value):
        self.parameters[name] = self.given.get(name, value)

    def get_parameter(self, name):
        return SimpleNamespace(value=self.parameters[name])

    def create_publisher(self, kind, topic, qos):
        return SimpleNamespace(publish=lambda message: self.published.update({topic: message}))

    def create_subscription(self, kind, topic, callback, qos):
        pass

    def get_logger(self):
        return SimpleNamespace(error=self.errors.append)


def blank():
    """A message of any kind."""
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0)))


@pytest.fixture
def node(monkeypatch, tmp_path):
    write_model(tmp_path / "model.onnx", SIZE, metres=2.0)
    monkeypatch.setattr(FakeNode, "given", {"model": str(tmp_path / "model.onnx")})
    for name, contents in {
        "rclpy": {},
        "rclpy.node": {"Node": FakeNode},
        "rclpy.qos": {"qos_profile_sensor_data": None},
        "sensor_msgs": {},
        "sensor_msgs.msg": {"CameraInfo": blank, "Image": blank},
    }.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delitem(sys.modules, "messages", raising=False)
    return runpy.run_path(str(FOLDER / "node.py"))["DepthNode"]()


def frame(encoding="rgb8"):
    stamp = SimpleNamespace(sec=5, nanosec=6)
    return SimpleNamespace(
        data=bytes(SIZE.height * SIZE.width * 3), height=SIZE.height, width=SIZE.width,
        step=SIZE.width * 3, encoding=encoding,
        header=SimpleNamespace(stamp=stamp, frame_id="camera"),
    )  # fmt: skip


def test_the_node_answers_an_image_with_its_stamp_and_camera(node):
    node.answer(frame())
    depth, info = node.published["depth"], node.published["depth/camera_info"]
    for message in (depth, info):
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 6)
        assert message.header.frame_id == "camera"
    alone = np.frombuffer(depth.data, np.float32)
    node.learn(camera_of(SIZE, 2 * info.k[0]))
    node.answer(frame())
    nearer = np.frombuffer(node.published["depth"].data, np.float32)
    np.testing.assert_allclose(nearer, 2 * alone, rtol=1e-5)  # twice the focal length, twice as far
    assert node.published["depth/camera_info"].k[2] == 9


def camera_of(size, focal):
    matrix = [focal, 0, 9, 0, 0, focal, 7, 0, 0, 0, 1, 0]
    return SimpleNamespace(p=matrix, height=size.height, width=size.width)


def test_an_image_that_cannot_be_is_logged(node):
    node.answer(frame("bayer_rggb8"))
    cut = frame()
    cut.data = cut.data[:-1]
    node.answer(cut)
    node.learn(camera_of(Size(48, 64), 50.0))
    node.answer(frame())
    assert not node.published
    for error, said in zip(
        node.errors, ("convert it", "bytes are no", "camera_info is of 64x48, image of 32x24"),
        strict=True,
    ):  # fmt: skip
        assert said in error
