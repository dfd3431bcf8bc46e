"""Any ONNX depth model in ONNX Runtime, as its
:class:`~fastdepth.runtime.third_party.ThirdPartyFile` says.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ModelFileError, UsageError
from fastdepth.preprocess import resize
from fastdepth.runtime.session import open_session, provider_name
from fastdepth.runtime.third_party import NORMALISE, ThirdPartyFile, inspect, map_axis
from fastdepth.size import Size


class ThirdPartyModel:
    """A file in ONNX Runtime, opened as fastdepth's own files are.

    Its own preprocessing belongs to it as ours is in our files: a table look-up for each pixel,
    which is the quickest that NumPy and OpenCV offer.

    Attributes:
        graph: how the file is called.
    """

    def __init__(
        self, file: ThirdPartyFile, provider: str = "cpu", threads: int | None = None
    ) -> None:
        """Open the file.

        Args:
            file: the file and what it does not say itself.
            provider: ``cpu`` or ``cuda``.
            threads: for one operator on the CPU; None takes all cores.

        Raises:
            ModelFileError, UsageError: see :func:`~fastdepth.runtime.third_party.inspect`; or ONNX
                cannot read the file.
            DeviceError: the provider is not there, or leaves a part of the file to the CPU.
            MissingExtraError: ONNX or ONNX Runtime is not installed.
        """
        self.graph = inspect(file)
        self._file = file
        self._table = NORMALISE[file.normalise or "raw"].table()
        self._session: Any = open_session(file.path, provider_name(provider), threads)

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth of images.

        Args:
            batch: (B, h, w, 3) uint8 RGB of the graph's size.

        Returns:
            (B, 1, h, w) float32, [m] or disparity of a unit of its own.

        Raises:
            ModelFileError: it cannot run at this size, or does not answer with one map an image.
            UsageError: it takes another number of images.
        """
        return self.postprocess(self.run(self.preprocess(batch)), Size(*batch.shape[1:3]))

    def preprocess(self, batch: NDArray[np.uint8]) -> NDArray[Any]:
        """Images (B, h, w, 3) uint8 as the file wants them."""
        graph = self.graph
        if graph.batch not in (None, len(batch)):
            raise UsageError(
                f"input {graph.input!r} of {self._file.path} takes {graph.batch} image(s) at "
                f"once, not {len(batch)}; export it with an open batch"
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

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """The network alone, on what :meth:`preprocess` returned; its answer is as it comes."""
        graph = self.graph
        try:
            answer: NDArray[Any] = self._session.run([graph.output], {graph.input: images})[0]
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            reason = " ".join(str(error).split())[-200:]
            raise ModelFileError(
                f"{self._file.path} cannot run at {graph.size} with {len(images)} image(s); "
                f"use the {self._file.options.size} that it was exported for ({reason})"
            ) from None
        return answer

    def postprocess(self, answer: NDArray[Any], size: Size) -> NDArray[np.float32]:
        """What :meth:`run` returned as (B, 1, H, W) float32 of this size."""
        axis = map_axis(answer.shape) if answer.ndim == 4 else 0
        maps = answer.squeeze(axis) if axis else answer
        if maps.ndim != 3:
            raise ModelFileError(
                f"output {self.graph.output!r} of {self._file.path} came as {answer.shape}; "
                "export it with one map an image: (B, 1, H, W), (B, H, W) or (B, H, W, 1)"
            )
        maps = np.ascontiguousarray(maps, np.float32)
        if maps.shape[1:] != size:
            maps = np.stack([resize(depth, size) for depth in maps])
        return maps[:, None]
