"""Joint random changes of a picture and its depth.

Every random number comes from a generator that the caller seeds, so that a sample of a given
epoch is the same in any worker and after any restart.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from fastdepth.data.sample import Sample
from fastdepth.models._timm import prepare_torchvision
from fastdepth.preprocess import resize, resize_nearest
from fastdepth.size import Size
from fastdepth.train.recipes import Augmentation

prepare_torchvision()
from torchvision.transforms.v2 import InterpolationMode  # noqa: E402
from torchvision.transforms.v2 import functional as T  # noqa: E402

Uniform = Callable[..., Tensor]
"""``uniform(low, high, count=1)`` draws from the sample's own generator."""

BORDER_SIZE = Size(480, 640)  # the picture that ``Augmentation.border`` is written for


def augment(
    sample: Sample, augmentation: Augmentation, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Change a sample at random and cut out what enters the network.

    Args:
        sample: picture of any size and its depth [m].
        augmentation: what may happen.
        generator: source of all randomness.

    Returns:
        Picture (3, H, W) float32 in [0, 1] and depth (1, H, W) float32 [m], H x W the crop.
    """

    def uniform(low: float, high: float, count: int = 1) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    zoom = float(uniform(*augmentation.zoom))
    image, depth = _keep_and_scale(sample, augmentation, zoom)
    angle = float(uniform(-augmentation.rotation, augmentation.rotation))
    image = T.rotate(image, angle, InterpolationMode.BILINEAR)
    depth = T.rotate(depth, angle, InterpolationMode.NEAREST)
    image, depth = _random_crop(image, depth, augmentation.crop, uniform)
    if uniform(0, 1) < augmentation.flip:
        image, depth = T.horizontal_flip(image), T.horizontal_flip(depth)
    image = image.float() / 255
    if uniform(0, 1) < augmentation.colour:
        image = image ** uniform(*augmentation.gamma) * uniform(*augmentation.brightness)
        image = (image * uniform(*augmentation.channels, 3).reshape(3, 1, 1)).clamp(0, 1)
    return image, depth


def _keep_and_scale(
    sample: Sample, augmentation: Augmentation, zoom: float
) -> tuple[Tensor, Tensor]:
    """Cut the border off, resize; metres shrink with the zoom."""
    height, width = sample.image.shape[:2]
    depth = resize_nearest(sample.depth, Size(height, width))
    left, top, right, bottom = augmentation.border
    rows = slice(top * height // BORDER_SIZE.height, bottom * height // BORDER_SIZE.height)
    columns = slice(left * width // BORDER_SIZE.width, right * width // BORDER_SIZE.width)
    image, depth = sample.image[rows, columns], depth[rows, columns]
    # Whatever the picture's own size, it enters as the training camera's 640x480 would.
    factor = BORDER_SIZE.width / width * augmentation.scale * zoom
    if factor != 1:
        size = Size(round(image.shape[0] * factor), round(image.shape[1] * factor))
        image, depth = resize(image, size), resize_nearest(depth, size)
    picture = torch.from_numpy(image.copy()).permute(2, 0, 1)
    return picture, torch.from_numpy(depth.copy())[None] / zoom


def _random_crop(
    image: Tensor, depth: Tensor, crop: Size, uniform: Uniform
) -> tuple[Tensor, Tensor]:
    """Cut the same window out of both; a picture that is too small is padded with no depth."""
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
