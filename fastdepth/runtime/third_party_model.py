"""Any ONNX depth model in ONNX Runtime, as its
:class:`~fastdepth.runtime.third_party.ThirdPartyFile` says.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.documents import MOST
from fastdepth.errors import ModelFileError, UsageError
from fastdepth.preprocess import resize
from fastdepth.runtime.answer import check_answer, run
from fastdepth.runtime.onnx_file import Source, name_of
from fastdepth.runtime.opening import Opening
from fastdepth.runtime.session import check_graph, open_session, provider_name
from fastdepth.runtime.third_party import NORMALISE, Graph, ThirdPartyFile, inspect, map_axis
from fastdepth.size import MAX_SIDE, Size

LARGEST = MAX_SIDE**2
"""Pixels of a map that is resized to the image."""


class GraphAdapter:
    """Images as a graph wants them, and what it answers as maps; whatever runs it.

    Attributes:
        graph: how the file is called.
    """

    def __init__(self, graph: Graph, source: Source) -> None:
        """Prepare.

        Args:
            graph: how the file is called.
            source: the file, for messages.
        """
        self.graph = graph
        self._source = source
        self._table = NORMALISE[graph.normalise].table()

    def preprocess(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """Images (B, h, w, 3) uint8 as the file wants them."""
        graph = self.graph
        if graph.batch not in (None, len(batch)):
            raise UsageError(
                f"input {graph.input[:MOST]!r} of {name_of(self._source)} takes {graph.batch} "
                f"image(s) at once, not {len(batch)}; export it with an open batch"
            )
        if graph.dtype == np.uint8:
            return np.ascontiguousarray(
                batch.transpose(0, 3, 1, 2) if graph.channels_first else batch
            )
        images = np.empty(graph.shape(len(batch)), graph.dtype)
        planes = images if graph.channels_first else images.transpose(0, 3, 1, 2)
        for target, image in zip(planes, batch, strict=True):
            for colour, plane in enumerate(cv2.split(image)):
                target[colour] = cv2.LUT(plane, self._table[:, colour])
        return images

    def maps(self, answer: NDArray[Any], size: Size, batch: int) -> NDArray[np.float32]:
        """What the network answered for so many images as (B, 1, H, W) float32 of this size."""
        if self.graph.metadata:
            shape, span = (batch, 1, *size), self.graph.metadata.depth_range
            return check_answer(answer, shape, span, self._source)
        axis = map_axis(answer.shape) if answer.ndim == 4 else 0
        maps = answer.squeeze(axis) if axis else answer
        if maps.ndim != 3 or len(maps) != batch or not 0 < maps.size <= LARGEST * batch:
            raise ModelFileError(
                f"output {self.graph.output[:MOST]!r} of {name_of(self._source)} came as "
                f"{answer.shape} for {batch} image(s); export it with one map an image: "
                "(B, 1, H, W), (B, H, W) or (B, H, W, 1)"
            )
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite
            maps = np.ascontiguousarray(maps, np.float32)
        if not np.isfinite((maps.min(), maps.max())).all():
            raise ModelFileError(
                f"{name_of(self._source)} answered NaN or infinite for an image; use another file"
            )
        if maps.shape[1:] != size:
            maps = np.stack([resize(depth, size) for depth in maps])
        return maps[:, None]

    def postprocess(self, answer: NDArray[Any], size: Size, batch: int) -> NDArray[np.float32]:
        """The same after the correction that the file may have."""
        maps, correction = self.maps(answer, size, batch), self.graph.correction
        return maps if correction is None else correction.apply(maps)


class ThirdPartyModel(GraphAdapter):
    """A file in ONNX Runtime, opened as fastdepth's own files are.

    Its own preprocessing belongs to it as ours is in our files: a table look-up for each pixel,
    which is the quickest that NumPy and OpenCV offer.

    Attributes:
        graph: how the file is called.
    """

    def __init__(
        self,
        file: ThirdPartyFile,
        provider: str = "cpu",
        threads: int | None = None,
        *,
        spinning: bool = False,
    ) -> None:
        """Open the file.

        Args:
            file: the file and what it does not say itself.
            provider: ``cpu`` or ``cuda``.
            threads: for one operator on the CPU; None takes all cores.
            spinning: whether they wait for the next inference at work, not asleep.

        Raises:
            ModelFileError, UsageError: see :func:`~fastdepth.runtime.third_party.inspect`; or ONNX
                cannot read the file.
            DeviceError: the provider is not there, or leaves a part of the file to the CPU.
            MissingExtraError: ONNX or ONNX Runtime is not installed.
        """
        super().__init__(inspect(file), file.path)
        self._file = file
        self._opening = Opening(file.path, provider_name(provider), threads, spinning=spinning)
        self._session: Any = open_session(self._opening)
        if self.graph.metadata:
            check_graph(self._session, self.graph.metadata, file.path)

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth of images.

        Args:
            batch: (B, h, w, 3) uint8 RGB of the graph's size.

        Returns:
            (B, 1, h, w) float32, [m] or disparity of a unit of its own; [m] of a calibrated file.

        Raises:
            ModelFileError: it cannot run at this size, or does not answer with one map an image.
            UsageError: it takes another number of images.
        """
        size = Size(*batch.shape[1:3])
        return self.postprocess(self.run(self.preprocess(batch)), size, len(batch))

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """The network alone, on what :meth:`preprocess` returned; its answer is as it comes."""
        graph, option = self.graph, self._file.options.size
        (answer,) = run(
            self._session,
            [graph.output],
            {graph.input: images},
            self._opening,
            graph.size,
            f"use the {option} that it was exported for",
        )
        return np.asarray(answer)
