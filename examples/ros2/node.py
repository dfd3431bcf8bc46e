"""A ROS 2 node that answers images with depth; needs rclpy, see README.md."""

from __future__ import annotations

import sys

import rclpy
from messages import camera_info, depth_image, header, rgb_of, set_fields
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

import fastdepth


class DepthNode(Node):
    """Depth of each image; the camera's focal length is taken of its CameraInfo where one comes."""

    def __init__(self) -> None:
        super().__init__("fastdepth")
        self.declare_parameter("model", "mnv2-64-dws")
        self.declare_parameter("threads", 2)
        self.declare_parameter("millimetres", False)
        self.model = fastdepth.load(
            self.get_parameter("model").value, threads=self.get_parameter("threads").value
        )
        self.camera: fastdepth.Intrinsics | None = None
        self.size = fastdepth.Size(0, 0)  # of the images that it is the camera of
        self.depth = self.create_publisher(Image, "depth", qos_profile_sensor_data)
        self.info = self.create_publisher(CameraInfo, "depth/camera_info", qos_profile_sensor_data)
        # The sensors' profile keeps few images: those that come while one is computed are dropped.
        self.create_subscription(Image, "image", self.answer, qos_profile_sensor_data)
        self.create_subscription(CameraInfo, "camera_info", self.learn, qos_profile_sensor_data)

    def learn(self, info: CameraInfo) -> None:
        """Remember the camera of rectified images; one that was never calibrated says zeros."""
        fx, fy, cx, cy = (info.p[0], info.p[5], info.p[2], info.p[6])
        self.camera = fastdepth.Intrinsics(fx, fy, cx, cy) if fx > 0 else None
        self.size = fastdepth.Size(info.height, info.width)

    def answer(self, image: Image) -> None:
        """Publish depth and its camera, with the image's own stamp and frame."""
        size = fastdepth.Size(image.height, image.width)
        try:
            if self.camera and self.size != size:
                raise fastdepth.FastDepthError(
                    f"camera_info is of {self.size}, image of {size}; remap the one of the image"
                )
            pixels = rgb_of(image.data, image.height, image.width, image.step, image.encoding)
            depth = self.model(pixels, focal=self.camera.fx if self.camera else None)
        except fastdepth.FastDepthError as error:
            self.get_logger().error(str(error))
            return
        stamp = image.header.stamp
        head = header(image.header.frame_id, stamp.sec * 1_000_000_000 + stamp.nanosec)
        camera = self.camera or self.model.camera(size)
        millimetres = self.get_parameter("millimetres").value
        self.depth.publish(set_fields(Image(), depth_image(depth, head, millimetres=millimetres)))
        self.info.publish(set_fields(CameraInfo(), camera_info(camera, size, head)))


if __name__ == "__main__":
    rclpy.init()
    try:
        rclpy.spin(DepthNode())
    except fastdepth.FastDepthError as error:  # no such model
        sys.exit(f"fastdepth: {error}")
    except KeyboardInterrupt:
        pass
