"""Calibrated third-party files, opened as fastdepth's own are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.calibrate.record import RECORD_KEY, CalibrationRecord
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.runtime.onnx_file import Source, name_of
from fastdepth.runtime.session import metadata_text, read_metadata
from fastdepth.runtime.third_party import Graph
from fastdepth.runtime.third_party_model import GraphAdapter
from fastdepth.size import Size

ANY_METRES = (1e-6, 1e6)
"""Depth range [m] of files that do not say theirs."""


def described(session: Any, source: Source) -> tuple[Any, ModelMetadata]:
    """A session that is called as those of fastdepth's files are, and what its file says of itself.

    Raises:
        ModelFileError: the file is neither fastdepth's nor one that fastdepth-calibrate wrote.
    """
    if metadata_text(session, source, METADATA_KEY) is None:
        text = metadata_text(session, source, RECORD_KEY)
        if text is not None:
            record = CalibrationRecord.from_json(text, name_of(source))
            return CalibratedSession(session, record, source), metadata_of(record, source)
    return session, read_metadata(session, source)


def metadata_of(record: CalibrationRecord, source: Source) -> ModelMetadata:
    """What a calibrated third-party file would say of itself if it were fastdepth's."""
    name = source.stem if isinstance(source, Path) else "third-party"
    disparity = record.disparity
    return ModelMetadata(
        variant=name,
        weights=name,
        licence="that of the file before its calibration",
        sizes=(record.size,),
        depth_range=(disparity.nearest, disparity.farthest) if disparity else ANY_METRES,
        params=0,
        precision=record.dtype,
        opset=1,
        parity=0.0,
        version=record.version,
        batch=record.batch,
        correction=record.correction,
    )


class CalibratedSession:
    """A session that gives ``depth`` (B, 1, H, W) float32 [m] of ``image`` (B, H, W, 3) uint8.

    Depth of a file in metres is as it comes, for its correction is applied after its range was
    checked; disparity becomes metres here. All else is the session's own.
    """

    def __init__(self, session: Any, record: CalibrationRecord, source: Source) -> None:
        """Wrap.

        Args:
            session: an ``onnxruntime.InferenceSession`` of the file.
            record: what calibration has written into it.
            source: the file, for messages.
        """
        self._session = session
        self._record = record
        self._adapter = GraphAdapter(Graph.of_record(record), source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_inputs(self) -> list[SimpleNamespace]:
        """The image."""
        return [self._tensor("image", "tensor(uint8)", *self._record.size, 3)]

    def get_outputs(self) -> list[SimpleNamespace]:
        """The depth."""
        return [self._tensor("depth", "tensor(float)", 1, *self._record.size)]

    def _tensor(self, name: str, kind: str, *sides: int) -> SimpleNamespace:
        shape = [self._record.batch or "B", *sides]
        return SimpleNamespace(name=name, type=kind, shape=shape)

    def run(
        self, outputs: Sequence[str], inputs: dict[str, NDArray[np.uint8]], options: Any = None
    ) -> list[NDArray[np.float32]]:
        """As a session's own ``run``, for ``depth`` of ``image``."""
        adapter, record = self._adapter, self._record
        (batch,) = inputs.values()
        images = {record.input: adapter.preprocess(batch)}
        (answer,) = self._session.run([record.output], images, options)
        maps = adapter.maps(np.asarray(answer), Size(*batch.shape[1:3]), len(batch))
        if record.disparity:
            return [record.disparity.apply(maps)]
        return [np.maximum(maps, np.float32(0))]
