"""Any ONNX depth model, under the same clock as fastdepth's own."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fastdepth.extras import require
from fastdepth.runtime.third_party_model import ThirdPartyModel
from fastdepth_bench.case import ThirdPartyNetwork
from fastdepth_bench.runners.providers import DEVICE_PROVIDERS, check_device

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost


class ThirdPartyRunner(ThirdPartyModel):
    """A file in ONNX Runtime; its preprocessing is inside the time, as ours is in our files."""

    def __init__(
        self,
        file: ThirdPartyNetwork,
        device: str = "cpu",
        threads: int | None = 1,
        *,
        spinning: bool = False,
    ) -> None:
        """Open the file.

        Args:
            file: it, and what it does not say itself.
            device: ``cpu`` or ``cuda``.
            threads: for one operator on the CPU; None takes all cores.
            spinning: whether they wait for the next inference at work.

        Raises:
            FastDepthError: see :class:`fastdepth.runtime.third_party_model.ThirdPartyModel`.
        """
        super().__init__(file, DEVICE_PROVIDERS[device], threads, spinning=spinning)
        if device != "cpu":
            self._session = BoundSession(self._session, device)

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

    def on_device(self) -> None:
        """None: on a GPU too its parts are not timed apart."""

    def cost(self) -> GraphCost:
        """Parameters, multiply-adds an image and bytes of the file.

        Raises:
            ModelFileError: its multiply-adds cannot be counted.
        """
        from fastdepth_export.cost import graph_cost

        batch = self.graph.batch or 1
        cost = graph_cost(self._file.path, self.graph.shape(batch))
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
        self._image: Any = None
        self._host: NDArray[Any] | None = None

    def run(
        self, outputs: list[str], inputs: dict[str, NDArray[Any]], options: Any = None
    ) -> list[NDArray[Any]]:
        """As a session's own ``run``, for one input; answers lie in the host's memory."""
        ((name, array),) = inputs.items()
        if self._host is not None and self._host.shape == array.shape:
            self._image.update_inplace(array)
        else:
            values = require("onnxruntime", "cpu").OrtValue
            self._image = values.ortvalue_from_numpy(array, self._device, 0)
            self._binding.bind_ortvalue_input(name, self._image)
            for output in outputs:
                self._binding.bind_output(output, self._device, 0)
        self._host = array
        self._session.run_with_iobinding(self._binding, options)
        return [np.array(value) for value in self._binding.copy_outputs_to_cpu()]
