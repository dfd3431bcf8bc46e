"""The file that is calibrated: what its network answers alone, and a copy with a correction."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdepth import __version__
from fastdepth.calibrate.correction import Correction, DisparityCorrection, Stored
from fastdepth.calibrate.record import RECORD_KEY, CalibrationRecord
from fastdepth.errors import ParityError, UsageError
from fastdepth.extras import require
from fastdepth.files import replacing
from fastdepth.metadata import METADATA_KEY, METRE, UNCORRECTED
from fastdepth.runtime.answer import run
from fastdepth.runtime.calibrated import CalibratedSession, metadata_of
from fastdepth.runtime.model import DepthModel, load
from fastdepth.runtime.onnx_file import read_graph, unreadable
from fastdepth.runtime.opening import Opening
from fastdepth.runtime.session import open_session
from fastdepth.runtime.third_party import Graph, ThirdPartyFile, inspect
from fastdepth.runtime.third_party_model import GraphAdapter

Answer = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """An ONNX file that is open, without the correction that it may have.

    Attributes:
        path: the file.
        graph: how it is called.
        geometry: fits images into the network's input and its answer back.
        infer: (1, h, w, 3) uint8 RGB to (1, 1, h, w) float32, metres or disparity.
        kind: ``metres`` or ``disparity``.
    """

    path: Path
    graph: Graph
    geometry: DepthModel
    infer: Callable[[NDArray[np.uint8]], Answer]
    kind: str

    @property
    def current(self) -> Stored | None:
        """The correction that the file has."""
        return self.graph.correction

    def answer(self, image: NDArray[np.uint8], focal: float | None) -> tuple[Answer, float]:
        """What the network answers of an image (H, W, 3) uint8 RGB.

        Returns:
            (H, W) float32, and the factor with which the focal length [px] scales metres.

        Raises:
            FastDepthError: as a call of :class:`fastdepth.runtime.model.DepthModel`.
        """
        prepared = self.geometry.preprocess(image, focal=focal)
        same = replace(prepared, depth_factor=1.0)
        answer = self.geometry.postprocess(self.infer(prepared.batch), same)
        return answer, prepared.depth_factor


def open_network(
    file: ThirdPartyFile, threads: int | None = None, time_limit: float | None = None
) -> Network:
    """Open a file of any program.

    Args:
        file: it, and what it does not say itself.
        threads: for one operator; None takes all cores.
        time_limit: for an inference [s]; None waits.

    Raises:
        ModelFileError, UsageError: it cannot be opened as it was given.
        MissingExtraError: ONNX or ONNX Runtime is not installed.
    """
    graph = inspect(file)
    if graph.batch not in (None, 1):
        raise UsageError(
            f"{file.path} takes {graph.batch} images at once, and is given one; export it with an "
            "open batch"
        )
    if graph.metadata:
        model = load(file.path, threads=threads, size=file.size, time_limit=time_limit)
        plain = replace(graph.metadata, correction=None, unit=METRE)
        bare = DepthModel(model.session, plain, model.sizes, model.opening)
        return Network(file.path, graph, bare, bare.infer, "metres")
    disparity = graph.record.disparity is not None if graph.record else not file.in_metres
    opening = Opening(file.path, "cpu", threads, time_limit=time_limit)
    session, adapter = open_session(opening), GraphAdapter(graph, file.path)

    def infer(batch: NDArray[np.uint8]) -> Answer:
        images = {graph.input: adapter.preprocess(batch)}
        mend = f"use the {file.options.size} that it was exported for"
        (answer,) = run(session, [graph.output], images, opening, graph.size, mend)
        return adapter.maps(np.asarray(answer), graph.size, len(batch))

    record = record_of(graph, Correction(0.0))
    wrapped = CalibratedSession(session, record, file.path)
    geometry = DepthModel(wrapped, metadata_of(record, file.path), (graph.size,), opening)
    return Network(file.path, graph, geometry, infer, "disparity" if disparity else "metres")


def record_of(graph: Graph, stored: Stored) -> CalibrationRecord:
    """What a third-party file is given to say of itself."""
    return CalibrationRecord(
        input=graph.input,
        output=graph.output,
        channels_first=graph.channels_first,
        dtype=np.dtype(graph.dtype).name,  # type: ignore[arg-type]
        batch=graph.batch,
        size=graph.size,
        normalise=graph.normalise,  # type: ignore[arg-type]
        version=__version__,
        correction=stored if isinstance(stored, Correction) else None,
        disparity=stored if isinstance(stored, DisparityCorrection) else None,
    )


def write_copy(network: Network, stored: Stored, output: Path, image: NDArray[np.uint8]) -> None:
    """Write a copy of the file with a correction, in the place of the one that it may have.

    Before it takes its name the copy is opened and asked for the depth of an image.

    Args:
        network: the file.
        stored: the correction.
        output: where to.
        image: (H, W, 3) uint8 RGB.

    Raises:
        UsageError: the file keeps its weights beside it, and the copy would lie elsewhere.
        ParityError: the copy does not answer as it was calibrated to.
        OutputError: it cannot be written.
    """
    content = _with_metadata(network, stored, output)
    with replacing(output) as temporary:
        temporary.write_bytes(content)
        copy = load(temporary, threads=network.geometry.opening.threads)
        batch = copy.preprocess(image).batch
        expected = stored.apply(network.infer(batch))
        if not np.allclose(copy.infer(batch), expected, rtol=1e-3, atol=1e-4):
            raise ParityError(f"{output} does not answer as it was calibrated to; not written")


def _with_metadata(network: Network, stored: Stored, output: Path) -> bytes:
    """The bytes of the copy."""
    model = read_graph(network.path)
    external = require("onnx", "calibrate").TensorProto.EXTERNAL
    beside = any(tensor.data_location == external for tensor in model.graph.initializer)
    if beside and output.absolute().parent.resolve() != network.path.absolute().parent.resolve():
        raise UsageError(
            f"{network.path} keeps its weights in a file beside it; write the copy there as well"
        )
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if network.graph.metadata:
        fields = {"unit": UNCORRECTED, "correction": asdict(stored), "version": __version__}
        texts[METADATA_KEY] = json.dumps(json.loads(texts[METADATA_KEY]) | fields)
    else:
        texts[RECORD_KEY] = record_of(network.graph, stored).to_json()
    del model.metadata_props[:]
    for key, value in texts.items():
        model.metadata_props.add(key=key, value=value)
    try:
        content: bytes = model.SerializeToString()
    except Exception as error:  # protobuf's own: it has grown beyond 2 GiB
        raise unreadable(error, network.path, "ONNX") from None
    return content
