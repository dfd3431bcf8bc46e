"""Runs a :class:`fastdepth_bench.rival.Rival` in ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from fastdepth._session import open_session, provider_name
from fastdepth.errors import ModelFileError, UsageError
from fastdepth.extras import require
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.providers import DEVICE_PROVIDERS, check_device
from fastdepth_bench.rival import NORMALISE, Rival, inspect, map_axis

if TYPE_CHECKING:
    from fastdepth_bench.runners import Batch, DepthBatch
    from fastdepth_export.cost import GraphCost


class RivalRunner:
    """A rival in ONNX Runtime, opened as fastdepth's own files are.

    Its own preprocessing belongs to it as ours is in our files, and so it is inside the time: a
    table look-up for each pixel, which is the quickest that NumPy and OpenCV offer.

    Attributes:
        graph: how the file is called.
    """

    def __init__(self, rival: Rival, device: str = "cpu", threads: int | None = 1) -> None:
        """Open the file.

        Args:
            rival: the file and what it does not say itself.
            device: ``cpu`` or ``cuda``.
            threads: for one operator on the CPU; None takes all cores.

        Raises:
            ModelFileError, UsageError: see :func:`inspect`; or ONNX Runtime cannot read the file.
            DeviceError: the device is not there, or leaves a part of the file to the CPU.
            MissingExtraError: ONNX or ONNX Runtime is not installed.
        """
        self.graph = inspect(rival)
        self._rival = rival
        self._table = NORMALISE[rival.normalise or "raw"].table()
        provider = provider_name(DEVICE_PROVIDERS[device])
        session = open_session(rival.path, provider, threads)
        self._session: Any = session if device == "cpu" else BoundSession(session, device)

    @staticmethod
    def check_device(device: str) -> None:
        """Raise UsageError or DeviceError if ONNX Runtime has no provider for the device."""
        check_device(device)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session = None  # released with its last reference

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`fastdepth_bench.runners.Infers.infer`; disparity has a unit of its own.

        Raises:
            ModelFileError: it cannot run at this size, or does not answer with one map a picture.
            UsageError: it takes another number of pictures.
        """
        return self.postprocess(self.run(self.preprocess(batch)), Size(*batch.shape[1:3]))

    def preprocess(self, batch: Batch) -> NDArray[Any]:
        """Pictures (B, H, W, 3) uint8 as the file wants them."""
        graph = self.graph
        if graph.batch not in (None, len(batch)):
            raise UsageError(
                f"input {graph.input!r} of {self._rival.path} takes {graph.batch} picture(s) at "
                f"once, not {len(batch)}; export it with an open batch"
            )
        if graph.dtype == np.uint8:
            return np.ascontiguousarray(
                batch.transpose(0, 3, 1, 2) if graph.channels_first else batch
            )
        pictures = np.empty(graph.shape(len(batch)), graph.dtype)
        planes = pictures if graph.channels_first else pictures.transpose(0, 3, 1, 2)
        for target, picture in zip(planes, batch, strict=True):
            for colour, plane in enumerate(cv2.split(picture)):
                target[colour] = cv2.LUT(plane, self._table[:, colour])
        return pictures

    def run(self, pictures: NDArray[Any]) -> NDArray[Any]:
        """The network alone, on what :meth:`preprocess` returned; its answer is as it comes."""
        graph = self.graph
        try:
            answer: NDArray[Any] = self._session.run([graph.output], {graph.input: pictures})[0]
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            reason = " ".join(str(error).split())[-200:]
            raise ModelFileError(
                f"{self._rival.path} cannot run at {graph.size} with {len(pictures)} picture(s); "
                f"use the --input-size that it was exported for ({reason})"
            ) from None
        return answer

    def postprocess(self, answer: NDArray[Any], size: Size) -> DepthBatch:
        """What :meth:`run` returned as (B, 1, H, W) float32 of this size."""
        axis = map_axis(answer.shape) if answer.ndim == 4 else 0
        maps = answer.squeeze(axis) if axis else answer
        if maps.ndim != 3:
            raise ModelFileError(
                f"output {self.graph.output!r} of {self._rival.path} came as {answer.shape}; "
                "export it with one map a picture: (B, 1, H, W), (B, H, W) or (B, H, W, 1)"
            )
        maps = np.ascontiguousarray(maps, np.float32)
        if maps.shape[1:] != size:
            maps = np.stack([resize(depth, size) for depth in maps])
        return maps[:, None]

    def on_device(self) -> None:
        """None: on a GPU too its parts are not timed apart."""

    def cost(self) -> GraphCost:
        """Parameters, multiply-adds a picture and bytes of the file.

        Raises:
            ModelFileError: its multiply-adds cannot be counted.
        """
        from fastdepth_export.cost import graph_cost

        batch = self.graph.batch or 1
        cost = graph_cost(self._rival.path, self.graph.shape(batch))
        return replace(cost, macs=cost.macs // batch)


class BoundSession:
    """A session whose input stays at one place in a device's memory."""

    def __init__(self, session: Any, device: str) -> None:
        """Prepare.

        Args:
            session: opened on the device.
            device: ONNX Runtime's name of it, ``cuda``.
        """
        self._session, self._device = session, device
        self._binding = session.io_binding()
        self._picture: Any = None
        self._host: NDArray[Any] | None = None

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As a session's own ``run``, for one input; answers lie in the host's memory."""
        ((name, array),) = inputs.items()
        if self._host is not None and self._host.shape == array.shape:
            self._picture.update_inplace(array)
        else:
            values = require("onnxruntime", "cpu").OrtValue
            self._picture = values.ortvalue_from_numpy(array, self._device, 0)
            self._binding.bind_ortvalue_input(name, self._picture)
            for output in outputs:
                self._binding.bind_output(output, self._device, 0)
        self._host = array
        self._session.run_with_iobinding(self._binding)
        return [np.array(value) for value in self._binding.copy_outputs_to_cpu()]
