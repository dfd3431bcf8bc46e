"""Run an exported model: an image of any size in, metres at that size out.

::

    model = load("unet128-dws.onnx", provider="cuda")
    depth = model(image)  # (H, W) float32 [m]

A call is three public steps that can be timed apart: :meth:`DepthModel.preprocess`,
:meth:`DepthModel.infer` and :meth:`DepthModel.postprocess`. ONNX Runtime does the work; torch is
never imported.

The aspect ratio of an image is kept: it is scaled until it fits into the network's input, and the
rest is filled by repeating the image's outermost pixels. Any flat colour would put an edge around
the image that no camera sees, and a network reads such edges as the frame of a window or a door.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.field import anchored
from fastdepth.anchors.points import Points, as_points
from fastdepth.arguments import checked
from fastdepth.calibrate.correction import corrected
from fastdepth.camera import Intrinsics, check_focal
from fastdepth.errors import DeviceError, ImageError, UsageError
from fastdepth.metadata import ModelMetadata
from fastdepth.preprocess import resize
from fastdepth.runtime.answer import check_answer, check_time_limit, run
from fastdepth.runtime.arrays import check_image, check_out
from fastdepth.runtime.calibrated import described
from fastdepth.runtime.onnx_file import as_source, name_of
from fastdepth.runtime.session import (
    Opening,
    check_graph,
    open_session,
    provider_in_use,
    provider_name,
)
from fastdepth.runtime.uncertainty import AnswersWithStd
from fastdepth.size import Size


@dataclass(frozen=True)
class Prepared:
    """An image as the network takes it, and what must be undone afterwards.

    Attributes:
        batch: (1, h, w, 3) uint8 RGB at the network's size.
        size: size of the image as it was given.
        inner: where the image lies in the batch: rows and columns; the rest is padding.
        scale: pixels of the batch per pixel of the image.
        depth_factor: factor on the network's metres, not 1 where the camera is another one.
    """

    batch: NDArray[np.uint8]
    size: Size
    inner: tuple[slice, slice]
    scale: float
    depth_factor: float


class DepthModel(AnswersWithStd):
    """An exported model, ready to run; made by :func:`load`.

    Pickles and copies are its source and the options of :func:`load`, so that another process opens
    the file again.

    Attributes:
        metadata: what the file says of itself.
        session: the ``onnxruntime.InferenceSession``, for I/O binding and other special needs.
        provider: execution provider in use: ``cpu``, ``cuda`` or ``tensorrt``.
        sizes: the network's inputs, of which each image is brought to the best; see
            :meth:`size_for`.
        opening: how the file was opened.
    """

    def __init__(
        self, session: Any, metadata: ModelMetadata, sizes: tuple[Size, ...], opening: Opening
    ) -> None:
        self.session = session
        self.metadata = metadata
        self.provider = provider_in_use(session)
        self.sizes = sizes
        self.opening = opening

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self.opening,)

    def __repr__(self) -> str:
        return f"DepthModel({self.metadata.variant}, {_join(self.sizes)}, {self.provider})"

    @property
    def size(self) -> Size:
        """The network's input; the first where there are several."""
        return self.sizes[0]

    @checked
    def size_for(self, image: Size) -> Size:
        """The input that an image of this size is brought to.

        That with the least padding, which is the nearest in shape; the first of equal ones.
        """

        def filled(size: Size) -> float:
            scale = _scale(image, size)
            return round(scale**2 * image.height * image.width / (size.height * size.width), 6)

        return max(self.sizes, key=filled)

    @checked
    def __call__(
        self,
        image: NDArray[np.uint8],
        *,
        focal: float | None = None,
        points: Points | None = None,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Depth of one image.

        Args:
            image: (H, W, 3) uint8 RGB of any size from 16 px a side; what OpenCV reads is BGR and
                must be turned first: ``image[..., ::-1]``.
            focal: focal length [px in ``image``] of the camera; None assumes the training camera.
            points: distances that are known, which the depth is anchored at; in pixels of
                ``image``, see :func:`fastdepth.anchors.points.as_points`.
            out: (H, W) float32 array to write into, for example the one of the last call.

        Returns:
            (H, W) float32 depth along the optical axis [m], in ``out`` or else in a new array.

        Raises:
            ImageError: ``image`` is something else.
            UsageError: ``focal`` is not positive, ``points`` are none of this image, or ``out``
                cannot be written into.
            ModelFileError: the file fails at it, or answers with anything but depth.
        """
        prepared = self.preprocess(image, focal=focal)
        known = None if points is None else as_points(points, prepared.size)
        depth = self.postprocess(self.infer(prepared.batch), prepared, out)
        if known is None:
            return depth
        return anchored(depth, known, image, prior=self.metadata.anchor_prior, out=depth)

    @checked
    def preprocess(self, image: NDArray[np.uint8], *, focal: float | None = None) -> Prepared:
        """Fit an image into the network's input; first step of a call.

        Args:
            image: (H, W, 3) uint8 RGB.
            focal: focal length [px in ``image``]; None assumes the training camera.

        Raises:
            ImageError: ``image`` is something else.
            UsageError: ``focal`` is not positive.
        """
        check_image(image)
        size = Size(*image.shape[:2])
        outer = self.size_for(size)
        scale = _scale(size, outer)
        inner = Size(*(max(1, round(side * scale)) for side in size))  # 20,000x16 keeps a row
        top, left = (outer.height - inner.height) // 2, (outer.width - inner.width) // 2
        bottom, right = outer.height - inner.height - top, outer.width - inner.width - left
        scaled = resize(np.ascontiguousarray(image), inner)
        if inner != outer:
            border = cv2.BORDER_REPLICATE
            scaled = cv2.copyMakeBorder(scaled, top, bottom, left, right, border)
        factor = 1.0 if focal is None else check_focal(focal) / self.training_focal(size)
        return Prepared(
            batch=scaled[np.newaxis],
            size=size,
            inner=(slice(top, top + inner.height), slice(left, left + inner.width)),
            scale=scale,
            depth_factor=factor,
        )

    @checked
    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network; second step of a call.

        Args:
            batch: (B, h, w, 3) uint8 RGB at one of the network's :attr:`sizes`.

        Returns:
            (B, 1, h, w) float32 [m].

        Raises:
            ImageError: ``batch`` is something else.
            ModelFileError: the file fails at it, or answers with anything but depth.
        """
        batch = np.asarray(batch)
        fits = batch.ndim == 4 and batch.shape[1:3] in self.sizes and batch.shape[3] == 3
        if batch.dtype != np.uint8 or not fits:
            shapes = " or ".join(f"(B, {size.height}, {size.width}, 3)" for size in self.sizes)
            raise ImageError(
                f"batch is {batch.dtype} {batch.shape}; this model takes uint8 {shapes}, "
                "as preprocess returns it"
            )
        if self.metadata.batch not in (None, len(batch)):
            raise ImageError(
                f"batch has {len(batch)} image(s); this file takes {self.metadata.batch} at once"
            )
        return self._run(["depth"], batch)[0]

    def _run(self, outputs: Sequence[str], batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """What the file answers for a batch that it takes: metres within its range, corrected."""
        source, (near, far) = self.opening.source, self.metadata.depth_range
        answers = run(
            self.session,
            outputs,
            {"image": batch},
            self.opening,
            Size(*batch.shape[1:3]),
            "export it again with fastdepth-export",
        )
        shape = (len(batch), 1, *batch.shape[1:3])
        spans = {"depth": (near, far), "std": (0.0, far - near)}
        checked = [
            check_answer(answer, shape, spans[name], source)
            for name, answer in zip(outputs, answers, strict=True)
        ]
        return corrected(self.metadata.correction, outputs, checked)

    def postprocess(
        self,
        depth: NDArray[np.float32],
        prepared: Prepared,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Crop the padding, return to the image's size and camera; last step of a call.

        Args:
            depth: (1, 1, h, w) float32 [m] of :meth:`infer`.
            prepared: what :meth:`preprocess` returned.
            out: (H, W) float32 array to write into.

        Returns:
            (H, W) float32 [m], in ``out`` or else in a new array.

        Raises:
            UsageError: ``out`` cannot be written into.
        """
        if out is not None:
            check_out(out, prepared.size)
        inner = depth[0, 0][prepared.inner]
        resized = resize(inner, prepared.size)
        if out is None and resized is not inner and prepared.depth_factor == 1:
            return resized  # already a new array: spare large images one more pass
        metres: NDArray[np.float32] = np.multiply(
            resized, np.float32(prepared.depth_factor), out=out
        )
        return metres

    def training_focal(self, size: Size) -> float:
        """Focal length [px] at which metres of an image of this size are right as they are.

        It is the training camera's in the network's input, seen at the image's own scale.
        """
        camera = self.metadata.training_focal_length / self.metadata.training_width
        outer = self.size_for(size)
        return camera * outer.width / _scale(size, outer)

    @checked
    def camera(self, size: Size, focal: float | None = None) -> Intrinsics:
        """The camera with which depth of an image becomes points, as ``--ply`` of the command does.

        Args:
            size: of the image; also the shape of its depth.
            focal: focal length [px in the image], as it was given for the depth; None is the
                training camera's.

        Raises:
            UsageError: ``focal`` is not positive.
        """
        return Intrinsics.from_focal(self.training_focal(size) if focal is None else focal, size)


@checked
def load(
    path: str | Path | bytes | BinaryIO,
    *,
    provider: str = "cpu",
    threads: int | None = None,
    size: Size | None = None,
    allow_fallback: bool = False,
    spinning: bool = False,
    time_limit: float | None = None,
) -> DepthModel:
    """Open an exported model.

    Args:
        path: the .onnx file that fastdepth-export or fastdepth-calibrate wrote; or its bytes, or a
            file open in binary mode, which is read from where it stands.
        provider: ``cpu``, ``cuda`` or ``tensorrt``; ONNX Runtime's names work as well.
        threads: threads for one operator on the CPU; None takes all cores.
        size: bring every image to this input, one of those that the file lists; None chooses
            for each image, see :meth:`DepthModel.size_for`.
        allow_fallback: go on with the CPU where the provider is not there or leaves a part of the
            network to it, instead of raising; :attr:`DepthModel.provider` says which it is.
        spinning: let the threads of the CPU wait for the next image at work instead of asleep. That
            can be quicker by a little where images come back to back and the machine does nothing
            else; between the frames of a camera it burns cores.
        time_limit: stop an inference after so long [s] with an error; None waits for its end,
            which a file from elsewhere may not have.

    Raises:
        ModelFileError: the file is missing, truncated or not one of fastdepth's.
        DeviceError: the provider is not really there, or leaves a part of the network to the CPU.
        UsageError: no such provider, fewer than one thread, no time, or a size that the file lacks.
        MissingExtraError: ONNX Runtime is not installed.
    """
    name = provider_name(provider)
    if threads is not None and threads < 1:
        raise UsageError(f"threads is {threads}; give 1 or more, or leave it out for all cores")
    check_time_limit(time_limit)
    source = as_source(path)
    if isinstance(source, Path):
        source = source.absolute()  # for copies in processes that run in other folders
    return _open(Opening(source, name, threads, allow_fallback, spinning, time_limit, size))


def _open(opening: Opening) -> DepthModel:
    """The model, in this process or in one that was sent it."""
    source, size = opening.source, opening.size
    try:
        session = open_session(opening)
    except DeviceError:
        if not opening.allow_fallback:
            raise
        session = open_session(replace(opening, provider="cpu"))
    session, metadata = described(session, source)
    check_graph(session, metadata, source)
    if size is not None and size not in metadata.sizes:
        raise UsageError(
            f"{name_of(source)} takes {_join(metadata.sizes)}, not {size}; "
            f"export it with --size {size}, or leave the size out"
        )
    return DepthModel(session, metadata, metadata.sizes if size is None else (size,), opening)


def _scale(image: Size, size: Size) -> float:
    """Pixels of a network's input per pixel of an image that is fitted into it."""
    return min(size.height / image.height, size.width / image.width)


def _join(sizes: Sequence[Size]) -> str:
    return ", ".join(map(str, sizes))
