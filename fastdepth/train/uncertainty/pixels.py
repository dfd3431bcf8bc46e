"""What an uncertainty head learns from: pixels, what it reads there, and how wrong depth is.

A network is far less wrong on the images that it was trained on than on others. In colours that its
training never drew it errs more like on new scenes, at the like places, and there are many times as
many images of that kind as of scenes that were held out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fastdepth.console import progress
from fastdepth.data import Source
from fastdepth.data.sample import Image
from fastdepth.errors import DataError, InputError, UsageError
from fastdepth.metrics import DEFAULT_PROTOCOL, get_protocol
from fastdepth.models.network import DepthNetwork
from fastdepth.models.uncertainty import Cues, UncertaintyHead, read_cues
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth.train.validation import predict_sample

PER_IMAGE = 300
"""Pixels that are drawn of an image."""

Change: TypeAlias = Callable[[Image, np.random.Generator], Image]


class Pixels(NamedTuple):
    """Pixels of images, n of each.

    Attributes:
        cues: what a head reads there: features (N, C, n, 1), depth (N, ``CUES``, n, 1), image
            (N, D).
        logs: (N, n), ln of the predicted depth.
        error: (N, n), ln of the predicted depth less ln of the truth.
        scenes: N names.
    """

    cues: Cues
    logs: Tensor
    error: Tensor
    scenes: tuple[str, ...]

    def at(self, images: Tensor) -> Pixels:
        """Those of some of the images, by their indices."""
        cues = Cues(*(part[images] for part in self.cues))
        names = tuple(self.scenes[index] for index in images.tolist())
        return Pixels(cues, self.logs[images], self.error[images], names)

    def head(self) -> UncertaintyHead:
        """A new head for these cues."""
        return UncertaintyHead(self.cues.features.shape[1], self.cues.image.shape[1])


class _Recorder(nn.Module):
    """Stands in a head's place and keeps what that would read."""

    cues: Cues | None = None

    def forward(self, features: Tensor, deepest: Tensor, depth: Tensor) -> Tensor:
        self.cues = read_cues(features, deepest, depth)
        return depth


@torch.inference_mode()
def draw_pixels(
    network: DepthNetwork,
    source: Source,
    size: Size,
    *,
    seed: int = 0,
    change: Change | None = None,
    title: str = "",
) -> Pixels:
    """Run a network over images and draw pixels whose truth is known, at random.

    Args:
        network: is put into evaluation mode.
        source: images with depth; one that cannot be read, or has no pixel, is left out.
        size: network input.
        seed: decides which pixels, and the change.
        change: made to each image at the network's input.
        title: what the progress calls the images.

    Raises:
        UsageError: the network calls no uncertainty head.
        DataError: there is no image left.
    """
    recorder = _Recorder()
    network.eval().uncertainty = recorder
    scenes = cast("list[str]", getattr(source, "scenes", source.names))
    generator, found, names = np.random.default_rng(seed), [], []
    try:
        with progress(title or source.name, len(source)) as advance:
            for index in range(len(source)):
                drawn = _draw(network, recorder, source, index, size, generator, change)
                if drawn is not None:
                    found.append(drawn)
                    names.append(scenes[index])
                advance()
    finally:
        network.uncertainty = None
    if not found:
        raise DataError(f"no image of {source.name} can be used; give others with --data")
    *cues, logs, error = (torch.stack(parts) for parts in zip(*found, strict=True))
    return Pixels(Cues(*cues), logs, error, tuple(names))


def _draw(
    network: DepthNetwork,
    recorder: _Recorder,
    source: Source,
    index: int,
    size: Size,
    generator: np.random.Generator,
    change: Change | None,
) -> tuple[Tensor, ...] | None:
    """Cues, ln of the predicted depth and its error at pixels of an image, or None without any."""
    try:
        sample = source[index]
    except InputError:
        return None
    image = resize(sample.image, size)
    image = change(image, generator) if change else image
    _, prediction = predict_sample(network, image, size)
    if recorder.cues is None:
        raise UsageError("this network takes no uncertainty head; give another --variant")
    height, width = prediction.depth.shape[2:]
    valid = get_protocol(DEFAULT_PROTOCOL).valid(sample.depth)
    known = np.where(valid, sample.depth, 0).astype(np.float32)
    truth = cv2.resize(known, (width, height), interpolation=cv2.INTER_NEAREST)
    places = np.flatnonzero(truth)
    if not len(places):
        return None
    chosen = torch.from_numpy(generator.choice(places, PER_IMAGE))
    features, depth, whole = recorder.cues
    rows = chosen // width * features.shape[2] // height  # cues have a lower resolution
    columns = chosen % width * features.shape[3] // width
    logs = prediction.depth.flatten()[chosen].log()
    error = logs - torch.from_numpy(truth).flatten()[chosen].log()
    here = [part[0][:, rows, columns, None] for part in (features, depth)]
    return (*here, whole[0], logs, error)


def recolour(image: Image, generator: np.random.Generator) -> Image:
    """Another gamma and gain for each channel, maybe swapped or grey, then blur and noise.

    Args:
        image: (H, W, 3) uint8 RGB.
        generator: decides what of that, and how much.
    """
    pixels: NDArray[np.floating] = (image / 255) ** generator.uniform(0.5, 2, 3)
    pixels *= generator.uniform(0.6, 1.4, 3)
    if generator.random() < 0.4:
        pixels = pixels[..., generator.permutation(3)]
    if generator.random() < 0.2:
        pixels[:] = pixels.mean(axis=-1, keepdims=True)
    blurred = cv2.GaussianBlur(pixels, (0, 0), generator.uniform(0.1, 2))
    pixels = blurred + generator.normal(0, generator.uniform(0, 0.06), pixels.shape)
    return (255 * pixels).clip(0, 255).astype(np.uint8)
