"""What all runners of exported files share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from fastdepth_bench.case import Case
from fastdepth_bench.runners import cache
from fastdepth_bench.runners.protocol import Batch, DepthBatch, Infers, OnDevice
from fastdepth_export.targets import FORMATS, load_part

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost


class FileRunner:
    """An exported file, made now unless the cache has it, opened as its target says."""

    def __init__(self, case: Case) -> None:
        self._recipe = case.recipe()
        self._model: Infers | None = self._open(cache.exported(self._recipe), case)

    def _open(self, path: Path, case: Case) -> Infers:
        """The file, ready to run."""
        opener = FORMATS[self._recipe.format].opener
        return cast("Infers", load_part(opener)(path, case.threads))

    @staticmethod
    def check_device(device: str) -> None:
        """See :meth:`Runner.check_device`; the kinds of device are the target's to check."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._model = None  # released with its last reference

    def infer(self, batch: Batch) -> DepthBatch:
        """See :meth:`Infers.infer`."""
        assert self._model is not None, "used outside its with block"
        return self._model.infer(batch)

    def on_device(self) -> OnDevice | None:
        """See :meth:`Runner.on_device`."""
        return cast("OnDevice", self._model) if hasattr(self._model, "copy_in") else None

    def cost(self) -> GraphCost:
        """Counted in the ONNX file or network that the timed file is built from.

        Bytes are of what is timed.
        """
        from fastdepth_export.cost import deployed_cost, graph_cost

        if FORMATS[self._recipe.format].from_network:
            return deployed_cost(self._recipe, cache.cached_files(self._recipe))
        cost = graph_cost(cache.exported(cache.as_onnx(self._recipe)))
        files = cache.cached_files(self._recipe)
        return replace(cost, bytes=sum(path.stat().st_size for path in files))
