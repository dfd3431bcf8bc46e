"""What a file of reduced precision loses against its fp32 form, measured with ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import onnx
from numpy.typing import NDArray

from fastdepth.console import progress
from fastdepth.data import open_source
from fastdepth.errors import ParityError
from fastdepth.metrics import Evaluation
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_export.verify import Infer, answer, stuck

BOUNDS = {"fp16": 1e-3, "bf16": 1e-3, "int8": 1e-2, "int8+bf16": 1e-2}
"""Allowed |change| of d1 by precision."""

MOST_SAMPLES = 64
"""More are not taken of a large set, evenly spread."""

Depth = NDArray[np.float32]


@dataclass(frozen=True)
class AccuracyLoss:
    """A file against its fp32 form.

    Attributes:
        d1: change of d1; negative where it got worse.
        mean: mean |difference| of depth [m].
        largest: largest |difference| of depth [m].
        nonfinite: number of pixels that are NaN or infinite.
        stuck: what is wrong with answers that do not follow the images; empty where they do.
    """

    d1: float
    mean: float
    largest: float
    nonfinite: int
    stuck: str = ""

    def problem(self, precision: str) -> str:
        """What is wrong with the file; empty where it loses no more than its precision may."""
        bound = BOUNDS[precision]
        if self.nonfinite:
            return f"gives {self.nonfinite} pixels that are NaN or infinite"
        if self.stuck:
            return f"does not follow the image: depth {self.stuck}"
        return f"changes d1 by {self.d1:+.4f} (allowed {bound:g})" if abs(self.d1) > bound else ""

    def check(self, precision: str, *, force: bool = False) -> None:
        """Refuse a file that lost too much.

        Args:
            precision: of the file.
            force: allow any change of d1, but not a file that is of no use.

        Raises:
            ParityError: a NaN, depth that does not follow the images, or a change of d1 above the
                bound of the precision.
        """
        problem = self.problem(precision)
        useless = self.nonfinite or self.stuck
        if problem and (useless or not force):
            mend = "another precision"
            if not useless:
                calibrated = precision.startswith("int8")
                images = "more images for --calibration, " if calibrated else ""
                mend = f"{images}{mend}, or --force to write it all the same"
            raise ParityError(f"the {precision} file {problem}; nothing was written; use {mend}")


def worst(losses: Iterable[AccuracyLoss]) -> AccuracyLoss:
    """The loss that is refused first, with the largest |difference| of all."""
    losses = list(losses)
    loss = max(losses, key=lambda found: (found.nonfinite, found.stuck, abs(found.d1)))
    return replace(loss, largest=max(found.largest for found in losses))


def _samples(
    data: str, size: Size, follow_outside: bool = False
) -> tuple[list[NDArray[np.uint8]], list[Depth]]:
    """Images (H, W, 3) of this size, and their depth [m] at its own; :class:`LossMeter` raises."""
    source = open_source(data, "validation", limit=MOST_SAMPLES, follow_outside=follow_outside)
    images, truths = [], []
    with progress("images with depth", len(source)) as advance:
        for index in range(len(source)):
            sample = source[index]
            images.append(np.ascontiguousarray(resize(sample.image, size)))
            truths.append(sample.depth)
            advance()
    return images, truths


_drawn = lru_cache(maxsize=1)(_samples)
"""The same of rooms, drawn once for all files of a network: they are the same at every call, and
take longer than all that is measured on them."""


class LossMeter:
    """Measures files against one fp32 form on the same images."""

    def __init__(
        self,
        reference: onnx.ModelProto | Infer,
        size: Size,
        data: str,
        follow_outside: bool = False,
    ) -> None:
        """Take the images and run the reference on them.

        Args:
            reference: the fp32 form, with input ``image`` and output ``depth``, or what answers
                with its depth.
            size: network input.
            data: depth data, see :func:`fastdepth.data.open_source`; its validation split, of
                which at most ``MOST_SAMPLES`` are taken.
            follow_outside: as there.

        Raises:
            UnknownNameError, UsageError, DataError: the data cannot be used.
        """
        taken = (
            _drawn(data, size) if data.startswith("rooms") else _samples(data, size, follow_outside)
        )
        self._images, self._truths = taken
        infer = answer(reference) if isinstance(reference, onnx.ModelProto) else reference
        self._expected = self._run(infer)
        self._d1 = self._score(self._expected)

    def measure(self, model: onnx.ModelProto) -> AccuracyLoss:
        """Loss of a model with the same input and output."""
        return self.measure_with(answer(model))

    def measure_with(self, infer: Infer) -> AccuracyLoss:
        """Loss of whatever answers with depth (B, 1, H, W) [m] of images (B, H, W, 3) uint8."""
        depths = self._run(infer)
        finite = [np.isfinite(depth) for depth in depths]
        differences = [
            np.abs(depth - expected)[mask]
            for depth, expected, mask in zip(depths, self._expected, finite, strict=True)
        ]
        joined = np.concatenate(differences)
        return AccuracyLoss(
            d1=self._score(depths) - self._d1,
            mean=float(joined.mean()) if joined.size else float("nan"),
            largest=float(joined.max(initial=0)),
            nonfinite=sum(int(np.count_nonzero(~mask)) for mask in finite),
            stuck=stuck(np.stack(depths), np.stack(self._expected)),
        )

    def _run(self, infer: Infer) -> list[Depth]:
        """Depth (H, W) [m] of each image."""
        depths = []
        with progress("depth", len(self._images)) as advance:
            for image in self._images:
                depths.append(infer(image[None])[0, 0].copy())
                advance()
        return depths

    def _score(self, depths: list[Depth]) -> float:
        evaluation = Evaluation()
        for depth, truth in zip(depths, self._truths, strict=True):
            evaluation.add(depth, truth)
        return evaluation.scores().d1
