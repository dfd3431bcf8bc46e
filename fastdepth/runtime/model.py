"""Run an exported model: an image of any size in, metres at that size out.

::

    model = load("mnv2-64-dws", provider="cuda")
    depth = model(image)  # (H, W) float32 [m]

A call is three public steps that can be timed apart: :meth:`DepthModel.preprocess`,
:meth:`DepthModel.infer` and :meth:`DepthModel.postprocess`. ONNX Runtime does the work; torch is
never imported.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.field import anchored
from fastdepth.anchors.points import Points, as_points
from fastdepth.arguments import checked
from fastdepth.calibrate.correction import corrected
from fastdepth.camera import Intrinsics, check_focal
from fastdepth.errors import DeviceError, ImageError, UsageError
from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.answer import check_answer, run
from fastdepth.runtime.arrays import check_batch, check_image, check_out
from fastdepth.runtime.batching import predict_batch
from fastdepth.runtime.buffers import Allocate, Buffers, fresh
from fastdepth.runtime.calibrated import described
from fastdepth.runtime.onnx_file import as_source, name_of
from fastdepth.runtime.opening import Opening
from fastdepth.runtime.ready import find_model
from fastdepth.runtime.session import (
    Closed,
    check_graph,
    open_session,
    provider_in_use,
    provider_name,
    write_profile,
)
from fastdepth.runtime.steps import Prepared, Timed, best_size, fit, restore, scale_of
from fastdepth.runtime.uncertainty import AnswersWithStd
from fastdepth.size import Size


class DepthModel(AnswersWithStd):
    """An exported model, ready to run; made by :func:`load`.

    Pickles and copies are its source and the options of :func:`load`, so that another process opens
    the file again. Threads may share one: each has arrays of its own for what lies between image
    and depth, about as large as one image, which are used again for the next image. A ``with``
    block, or :meth:`close`, gives the memory back.

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
        self._buffers = Buffers()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (replace(self.opening, profile=None),)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the network's memory back and write the profile, if one was asked for.

        What is called afterwards raises UsageError. A second time it does nothing.

        Raises:
            OutputError: the profile cannot be written.
        """
        session, self.session = self.session, Closed()
        self._buffers = Buffers()
        if self.opening.profile is not None and not isinstance(session, Closed):
            write_profile(session, self.opening.profile)

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
        return best_size(image, self.sizes)

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
        return self.timed(image, focal=focal, points=points, out=out).depth

    @checked
    def timed(
        self,
        image: NDArray[np.uint8],
        *,
        focal: float | None = None,
        points: Points | None = None,
        out: NDArray[np.float32] | None = None,
    ) -> Timed:
        """Depth of one image as a call answers it, and the time of each step.

        Takes and raises what a call does.
        """
        start = time.perf_counter()
        prepared = self._fit(image, focal, self._buffers.array)
        known = None if points is None else as_points(points, prepared.size)
        if out is not None:
            check_out(out, prepared.size)
        fitted = time.perf_counter()
        (answer,) = self._run(["depth"], prepared.batch, self._buffers)
        inferred = time.perf_counter()
        depth = restore(answer, prepared, out)
        restored = time.perf_counter()
        if known is not None:
            prior = self.metadata.anchor_prior
            depth = anchored(depth, known, image, prior=prior, out=depth)
        done = time.perf_counter()
        steps = (fitted - start, inferred - fitted, restored - inferred, done - restored)
        return Timed(depth, *steps)

    @checked
    def batch(
        self, images: Collection[NDArray[np.uint8]], *, focal: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Depth of several images, up to 32 in one inference where the file takes any number.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes; those of one input run together.
            focal: focal length [px] of the camera of all images; None assumes the training camera.

        Returns:
            As a call answers each, in new arrays and the same order.

        Raises:
            ImageError: an image is something else; the message says which.
            UsageError: ``focal`` is not positive.
            ModelFileError: the file fails at it, or answers with anything but depth.
        """
        return predict_batch(self, images, focal)

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
        return self._fit(image, focal, fresh)

    def _fit(self, image: NDArray[np.uint8], focal: float | None, allocate: Allocate) -> Prepared:
        """As :meth:`preprocess`, in arrays that are made or kept."""
        check_image(image)
        size = Size(*image.shape[:2])
        factor = 1.0 if focal is None else check_focal(focal) / self.training_focal(size)
        return fit(image, self.size_for(size), factor, allocate)

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
        check_batch(batch, self.sizes, "preprocess returns it")
        return self._run(["depth"], batch)[0]

    def _run(
        self, outputs: Sequence[str], batch: NDArray[np.uint8], buffers: Buffers | None = None
    ) -> list[NDArray[np.float32]]:
        """What the file answers for images of its size: metres within its range, corrected."""
        if self.metadata.batch not in (None, len(batch)):
            raise ImageError(
                f"batch has {len(batch)} image(s); this file takes {self.metadata.batch} at once"
            )
        source, (near, far) = self.opening.source, self.metadata.depth_range
        answers = run(
            self.session,
            outputs,
            {"image": batch},
            self.opening,
            Size(*batch.shape[1:3]),
            "export it again with fastdepth-export",
            buffers,
        )
        shape = (len(batch), 1, *batch.shape[1:3])
        spans = {"depth": (near, far), "std": (0.0, far - near)}
        checked = [
            check_answer(answer, shape, spans[name], source)
            for name, answer in zip(outputs, answers, strict=True)
        ]
        return corrected(self.metadata.correction, outputs, checked)

    @checked
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
            UsageError: ``depth`` is none of ``prepared``, or ``out`` cannot be written into.
        """
        return restore(depth, prepared, out)

    def training_focal(self, size: Size) -> float:
        """Focal length [px] at which metres of an image of this size are right as they are.

        It is the training camera's in the network's input, seen at the image's own scale.
        """
        camera = self.metadata.training_focal_length / self.metadata.training_width
        outer = self.size_for(size)
        return camera * outer.width / scale_of(size, outer)

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
    arena: bool = True,
    affinity: Collection[int] | None = None,
    graph_optimisation: str = "all",
    profile: str | Path | None = None,
) -> DepthModel:
    """Open an exported model.

    Args:
        path: name of a network that comes with the package, ``mnv2-64-dws`` or, in int8,
            ``mnv2-64-dws:int8``; or the .onnx file that fastdepth-export or fastdepth-calibrate
            wrote, its bytes, or a file open in binary mode, which is read from where it stands.
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
        arena: keep the memory that an inference took for the next; without, it goes back to the
            system after each, and each is slower.
        affinity: cores, by number from 0, one for each thread but the caller's own, so one less
            than ``threads``; None lets the system choose.
        graph_optimisation: how far ONNX Runtime rewrites the graph: ``all``, ``extended``,
            ``basic`` or ``none``.
        profile: JSON file of the time of every node and call, for Chrome's tracing or Perfetto; it
            is written when the model is closed.

    Raises:
        ModelFileError: the file is missing, truncated or not one of fastdepth's, or no network of
            that name comes with the package.
        DeviceError: the provider is not really there, or leaves a part of the network to the CPU.
        UsageError: no such provider, fewer than one thread, no time, a size that the file lacks, or
            cores or an optimisation that are not there.
        OutputError: the profile cannot be written where it should be.
        MissingExtraError: ONNX Runtime is not installed.
    """
    name = provider_name(provider)
    source = as_source(path)
    if isinstance(source, Path):
        source = find_model(source).absolute()  # for copies in processes that run in other folders
    cores = None if affinity is None else tuple(affinity)
    trace = None if profile is None else Path(profile).absolute()
    opening = Opening(
        source, name, threads, allow_fallback, spinning, time_limit, size,
        arena, cores, graph_optimisation, trace,
    )  # fmt: skip
    opening.check()
    return _open(opening)


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


def _join(sizes: Sequence[Size]) -> str:
    return ", ".join(map(str, sizes))
