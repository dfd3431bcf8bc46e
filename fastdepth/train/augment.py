"""Joint random changes of an image and its depth.

Every random number comes from a generator that the caller seeds, so that a sample of a given
epoch is the same in any worker and after any restart.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from fastdepth.camera import TRAINING_FOCAL_LENGTH
from fastdepth.data.sample import Depth, Image, Sample
from fastdepth.errors import ImageError
from fastdepth.models._timm import prepare_torchvision
from fastdepth.preprocess import resize, resize_nearest
from fastdepth.size import Size
from fastdepth.train.recipes import Augmentation

prepare_torchvision()
from torchvision.transforms.v2 import functional as T  # noqa: E402

Uniform = Callable[..., Tensor]
"""``uniform(low, high, count=1)`` draws from the sample's own generator."""

CUT_SHARE = 0.75  # of the image right of the strip's beginning, the greatest width of it
CUT_RANGE = 10.0  # [m]
MOST_PIXELS = 2**26  # of an image after the resize
BORDER_SIZE = Size(480, 640)  # the image that ``Augmentation.border`` is written for


def augment(
    sample: Sample, augmentation: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Change a sample at random and cut out what enters the network.

    Args:
        sample: image of any size and its depth [m].
        augmentation: what may happen.
        generator: source of all randomness.

    Returns:
        Image (3, H, W) float32 in [0, 1] and depth (1, H, W) float32 [m], H x W the crop.

    Raises:
        ImageError: the image is too narrow or too small to be brought to the size.
    """

    def uniform(low: float, high: float, count: int = 1) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    zoom = float(uniform(*augmentation.zoom))
    image, depth = _keep_and_scale(sample, augmentation, zoom)
    # An enlarged image with lesser metres is one of the training camera: same focal length.
    focal = TRAINING_FOCAL_LENGTH * augmentation.scale
    pan, tilt = uniform(-augmentation.turn, augmentation.turn, 2)
    roll = uniform(-augmentation.rotation, augmentation.rotation)
    turn = torch.stack([tilt, -pan, *roll]).deg2rad().numpy()
    if turn.any():
        image, depth = _turn_camera(image, depth, turn, focal)
    if augmentation.stretch != 1:
        size = Size(round(image.shape[0] * augmentation.stretch), image.shape[1])
        image, depth = resize(image, size), resize_nearest(depth, size)
    pixels, metres = torch.from_numpy(image).permute(2, 0, 1), torch.from_numpy(depth)[None]
    pixels, metres = _random_crop(pixels, metres, augmentation.crop, uniform)
    if uniform(0, 1) < augmentation.flip:
        pixels, metres = T.horizontal_flip(pixels), T.horizontal_flip(metres)
    pixels = pixels.float() / 255
    if uniform(0, 1) < augmentation.colour:
        pixels = _change_colours(pixels, augmentation, uniform, generator)
    if uniform(0, 1) < augmentation.cut_depth:
        pixels = _cut_depth(pixels, metres, uniform)
    return pixels, metres


def _cut_depth(image: Tensor, depth: Tensor, uniform: Uniform) -> Tensor:
    """Image (3, H, W) in which an upright strip shows its depth (1, H, W) as grey, 10 m white.

    Up to three quarters of what lies right of a random column (CutDepth: Ishii and Yamashita 2021;
    upright strips: Kim et al. 2022, who keep the image's height because it tells the distance).
    """
    width = image.shape[2]
    start, share = uniform(0, 1, 2).tolist()
    left = int(start * width)
    strip = slice(left, left + max(1, int((width - left) * share * CUT_SHARE)))
    image = image.clone()
    image[..., strip] = (depth[..., strip] / CUT_RANGE).clamp(max=1)
    return image


def _change_colours(
    image: Tensor, augmentation: Augmentation, uniform: Uniform, generator: torch.Generator
) -> Tensor:
    """Another light, another camera: image (3, H, W) in [0, 1] to one of the same kind."""
    image = image ** uniform(*augmentation.gamma) * uniform(*augmentation.brightness)
    image = image * uniform(*augmentation.channels, 3).reshape(3, 1, 1)
    if augmentation.contrast != (1, 1):
        image = image.mean().lerp(image, float(uniform(*augmentation.contrast)))
    if augmentation.saturation != (1, 1):
        grey = T.rgb_to_grayscale(image)
        image = grey.lerp(image, float(uniform(*augmentation.saturation)))
    sigma = float(uniform(0, augmentation.blur))
    if sigma > 0.2:  # less is not seen
        image = torch.from_numpy(cv2.GaussianBlur(image.permute(1, 2, 0).numpy(), (0, 0), sigma))
        image = image.permute(2, 0, 1)
    if augmentation.noise:
        strength = uniform(0, augmentation.noise)
        image = image + strength * torch.randn(image.shape, generator=generator)
    return image.clamp(0, 1)


def _turn_camera(
    image: Image, depth: Depth, turn: NDArray[np.float32], focal: float
) -> tuple[Image, Depth]:
    """Image and depth as the camera would have them after a turn about its centre.

    Pixels move by the homography K R K^-1; a point's depth becomes the third coordinate of the
    turned point (Hartley and Zisserman 2004, section 8.4). What comes into view has no depth.

    Args:
        image: (H, W, 3) uint8.
        depth: (H, W) [m].
        turn: axis of the turn times its angle (x right, y down, z forwards) [rad].
        focal: focal length [px]; the optical axis is taken to be at the image's centre.
    """
    height, width = depth.shape
    centre = (width - 1) / 2, (height - 1) / 2
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    rotation = cv2.Rodrigues(turn.astype(np.float64))[0]
    move = camera @ rotation @ np.linalg.inv(camera)
    x = (np.arange(width, dtype=np.float32) - centre[0]) / focal
    y = (np.arange(height, dtype=np.float32) - centre[1]) / focal
    right, down, forwards = rotation[2].astype(np.float32)
    turned = depth * (right * x + (down * y + forwards)[:, None])
    size = (width, height)
    pixels = cv2.warpPerspective(image, move, size).astype(np.uint8, copy=False)
    metres = cv2.warpPerspective(turned, move, size, flags=cv2.INTER_NEAREST)
    return pixels, metres.astype(np.float32, copy=False)


def _keep_and_scale(sample: Sample, augmentation: Augmentation, zoom: float) -> tuple[Image, Depth]:
    """Cut the border off, resize; metres shrink with the zoom."""
    height, width = sample.image.shape[:2]
    depth = resize_nearest(sample.depth, Size(height, width))
    left, top, right, bottom = augmentation.border
    rows = slice(top * height // BORDER_SIZE.height, bottom * height // BORDER_SIZE.height)
    columns = slice(left * width // BORDER_SIZE.width, right * width // BORDER_SIZE.width)
    image, depth = sample.image[rows, columns], depth[rows, columns]
    # Whatever the image's own size, it enters as the training camera's 640x480 would.
    factor = BORDER_SIZE.width / width * augmentation.scale * zoom
    size = _scaled(image, factor)
    if factor != 1:
        image, depth = resize(image, size), resize_nearest(depth, size)
    return image.copy(), (depth / zoom).astype(np.float32)


def _scaled(image: Image, factor: float) -> Size:
    """Size of an image after a resize, if it can be.

    Raises:
        ImageError: it would have no pixel, or very many: it is a stripe, or zoom or scale are odd.
    """
    height, width = (side * factor for side in image.shape[:2])
    if not (min(height, width) > 0.5 and height * width < MOST_PIXELS):
        raise ImageError(
            f"{image.shape[1]}x{image.shape[0]} px of it would become {width:.0f}x{height:.0f}; "
            "leave it out, or change --border, --scale or --zoom"
        )
    return Size(round(height), round(width))


def _random_crop(
    image: Tensor, depth: Tensor, crop: Size, uniform: Uniform
) -> tuple[Tensor, Tensor]:
    """Cut the same window out of both; an image that is too small is padded with no depth."""
    height, width = image.shape[-2:]
    lacking = max(0, crop.width - width), max(0, crop.height - height)
    if any(lacking):
        image, depth = (F.pad(part, (0, lacking[0], 0, lacking[1])) for part in (image, depth))
        height, width = image.shape[-2:]
    top = int(uniform(0, height - crop.height + 1))
    left = int(uniform(0, width - crop.width + 1))
    return (
        T.crop(image, top, left, crop.height, crop.width),
        T.crop(depth, top, left, crop.height, crop.width),
    )
