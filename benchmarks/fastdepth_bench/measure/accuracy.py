"""Accuracy of the very network or file that is timed, and the images for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fastdepth.data import Sample, Source, sample_list_hash
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import UsageError
from fastdepth.metrics import (
    DEFAULT_ALIGNMENT,
    Evaluation,
    Scores,
    get_alignment,
    get_protocol,
    valid_pixels,
)
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.measure.inputs import stack_frames
from fastdepth_bench.measure.timing import resized

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Batch, Infers, Runner

TIMED_IMAGES = 8
"""Images of the data that are timed, each as it is and mirrored."""

IN_MEMORY = 100
"""Greatest number of samples held in memory for all rows; more are read anew for each."""


class Samples(Protocol):
    """What accuracy needs of a source, and what a list of samples is too."""

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int, /) -> Sample:
        """One sample, read or drawn now or before."""
        ...


@dataclass(frozen=True)
class Yardstick:
    """What accuracy is measured on and how; only figures with equal yardsticks compare.

    Attributes:
        data: name of the data source, and the split where that is not the test split.
        depth_kind: which depth of it, where the source has several; else empty.
        samples: number of samples.
        sample_hash: hash of their names.
        protocol: a name of :data:`fastdepth.metrics.PROTOCOLS`.
        flip: whether the mirrored image is used too.
        alignment: a name of :data:`fastdepth.metrics.ALIGNMENTS`.
        disparity: whether what is scored is disparity and not depth.
    """

    data: str
    depth_kind: str
    samples: int
    sample_hash: str
    protocol: str
    flip: bool = False
    alignment: str = DEFAULT_ALIGNMENT
    disparity: bool = False

    @classmethod
    def of(
        cls, source: Source, protocol: str, *, flip: bool = False, split: str = "test"
    ) -> Yardstick:
        """The yardstick that a source of a split and a protocol make."""
        kind = str(getattr(source, "depth_kind", ""))
        name = source.name if split == "test" else f"{source.name} {split}"
        return cls(name, kind, len(source), sample_list_hash(source), protocol, flip)

    def describe(self) -> str:
        """One line to print with every figure."""
        kind = f" ({self.depth_kind})" if self.depth_kind else ""
        return f"{self.data}{kind}: {self.samples} samples, hash {self.sample_hash}; {self.rules}"

    @property
    def rules(self) -> str:
        """Protocol, alignment, and what else decides the figures, in one line."""
        alignment = get_alignment(self.alignment, disparity=self.disparity)
        return get_protocol(self.protocol).describe(self.flip, alignment)

    def evaluation(self) -> Evaluation:
        """An evaluation by these rules, of no image yet."""
        alignment = get_alignment(self.alignment, disparity=self.disparity)
        return Evaluation(get_protocol(self.protocol), alignment)


def measure_accuracy(
    runner: Runner,
    samples: Samples,
    yardsticks: Sequence[Yardstick],
    size: Size,
    before_each: Callable[[int], None] = lambda index: None,
    *,
    edges: bool = False,
) -> dict[Yardstick, Scores]:
    """Mean scores of a runner over samples by yardstick; each image is inferred once for all.

    Args:
        runner: entered already.
        samples: images are resized to ``size``, depth goes back to the size of the truth.
        yardsticks: at least one; they differ in their alignment alone.
        size: network input.
        before_each: told the number of each sample before its turn, for a progress bar.
        edges: whether boundaries of depth are scored, too.

    Raises:
        DataError: a sample cannot be read, or none has a pixel that counts.
    """
    evaluations = {yardstick: yardstick.evaluation() for yardstick in yardsticks}
    for index in range(len(samples)):
        before_each(index)
        sample = samples[index]
        image = resize(sample.image, size)
        depth: NDArray[np.floating] = infer_image(runner, image, size)
        if yardsticks[0].flip:
            mirrored = infer_image(runner, image[:, ::-1], size)
            depth = (depth + mirrored[:, ::-1]) / 2
        pixels = valid_pixels(depth, sample.depth, get_protocol(yardsticks[0].protocol))
        for evaluation in evaluations.values():
            evaluation.add_pixels(*pixels)
            if edges:
                evaluation.add_edges(depth, sample.depth)
    return {yardstick: evaluation.scores() for yardstick, evaluation in evaluations.items()}


def infer_image(runner: Infers, image: Image, size: Size) -> Depth:
    """Depth (h, w) float32 [m] of an image (H, W, 3) uint8, h x w the network's input ``size``."""
    scaled = np.ascontiguousarray(resize(image, size))
    depth: Depth = runner.infer(scaled[None])[0, 0]
    return depth


def load_samples(
    source: Source, before_each: Callable[[int], None] = lambda index: None
) -> Samples:
    """All samples of a small source, drawn or read once; a large source as it is."""
    if len(source) > IN_MEMORY:
        return source
    samples = []
    for index in range(len(source)):
        before_each(index)
        samples.append(source[index])
    return samples


def spread(total: int, limit: int) -> list[int]:
    """Numbers of at most so many of all samples, evenly spread from the first to the last."""
    found: list[int] = np.linspace(0, total - 1, min(limit, total)).round().astype(int).tolist()
    return found


def timing_frames(samples: Samples, batch: int = 1) -> list[Batch]:
    """Different frames to time on: some of the data, evenly spread, and their mirror images.

    Args:
        samples: at least one.
        batch: images per inference.

    Returns:
        Arrays (batch, H, W, 3) uint8 at the size of the images; as few as show all of them, at
        least two, and each begins with another one.

    Raises:
        UsageError: images of several sizes, which share no batch.
    """
    images = [samples[index].image for index in spread(len(samples), TIMED_IMAGES)]
    images += [image[:, ::-1] for image in images]
    if batch > 1 and len({image.shape for image in images}) > 1:
        raise UsageError("images of several sizes share no batch; take other --data")
    return stack_frames(images, batch)


def timing_batches(samples: Samples, size: Size, batch: int = 1) -> list[Batch]:
    """The same at the size of a network's input: (batch, H, W, 3) uint8."""
    return [resized(frames, size) for frames in timing_frames(samples, batch)]
