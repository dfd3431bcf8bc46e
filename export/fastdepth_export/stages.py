"""A finished file against PyTorch, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fastdepth import load
from fastdepth.errors import ModelFileError, UnknownNameError, WeightsError
from fastdepth.metadata import UNTRAINED, ModelMetadata
from fastdepth.models import DepthNetwork
from fastdepth.runtime.answer import TIME_LIMIT, run
from fastdepth.runtime.onnx_file import read_graph, unreadable
from fastdepth.runtime.opening import Opening
from fastdepth.size import Size
from fastdepth.weights import find_weights
from fastdepth_export.compress.accuracy_loss import BOUNDS, LossMeter
from fastdepth_export.network import build_network
from fastdepth_export.recipe import ExportRecipe
from fastdepth_export.verify import (
    TOLERANCE,
    Arrays,
    batches_of,
    difference,
    draw_images,
    largest_excess,
    open_model,
    run_network,
    stage_label,
    stages_in,
    with_outputs,
)

SUSPECT = 0.1
"""A stage of reduced precision is at fault for too large a loss from this |difference| on, on the
average and as a share of the standard deviation of the stage's values."""


@dataclass(frozen=True)
class StageDifference:
    """A stage of a file against PyTorch's.

    Attributes:
        name: of the stage.
        largest: largest |difference|, divided by the larger of 1 and the value; d1's own change.
        allowed: its bound; None in a file of reduced precision, which is judged by d1.
        share: mean |difference| as a share of the standard deviation of the values.
        problem: what is wrong with it; empty where nothing is.
    """

    name: str
    largest: float
    allowed: float | None
    share: float = 0.0
    problem: str = ""

    def __str__(self) -> str:
        bound = "" if self.allowed is None else f" (allowed {self.allowed:g})"
        return f"{self.name:<28} {self.largest:.2g}{bound}"


def compare_stages(
    path: str | Path,
    *,
    variant: str | None = None,
    weights: str | None = None,
    data: str,
    follow_outside: bool = False,
) -> list[StageDifference]:
    """Run an ONNX file by fastdepth-export at all its sizes and compare it with PyTorch.

    Args:
        path: the file. It says of itself of which network and weights it is.
        variant: network to compare with; the file's own if absent.
        weights: tag or file; those that the file names if absent.
        data: depth data on whose validation split a file of reduced precision is judged.
        follow_outside: see :func:`fastdepth.data.open_source`.

    Returns:
        The stages that are tensors of the graph, in the order in which they are computed; then
        what the file answers with; then, in reduced precision, d1.

    Raises:
        ModelFileError: the file is missing, broken, or not by fastdepth-export.
        FastDepthError: the network cannot be built, its weights or the data are not at hand.
    """
    metadata = load(path).metadata
    reduced = metadata.precision in BOUNDS
    model = read_graph(Path(path), weights=True)
    outputs = tuple(output.name for output in model.graph.output)
    network = _network_of(path, metadata, variant, weights, outputs)
    found: dict[str, StageDifference] = {}
    batches = batches_of(metadata.batch)
    for size in metadata.sizes:
        drawn = draw_images(size, max(batches))
        for batch in batches:
            images = drawn[:batch]
            expected = run_network(network, images)
            for name, got in _values(path, model, images, expected).items():
                stage = _compare(name, got, expected[name], reduced)
                found[name] = max(found.get(name, stage), stage, key=_badness)
    rows = list(found.values())
    if reduced:
        rows.append(_loss(path, network, metadata, data, follow_outside))
    return rows


def check_stages(path: str | Path, rows: list[StageDifference]) -> None:
    """Name the first stage at fault.

    Raises:
        ModelFileError: one of them differs.
    """
    wrong = [row for row in rows if row.problem]
    if not wrong:
        return
    first = wrong[0]
    cause = ""
    if first.name == "d1":
        suspects = [row for row in rows[:-1] if row.share > SUSPECT]
        stage = suspects[0].name if suspects else "none on its own"
        cause = f"; first stage off by more than {SUSPECT:.0%} of its spread: {stage}"
    raise ModelFileError(
        f"{path} differs from PyTorch: {first.name} {first.problem}{cause}; "
        "export it again, or give the --weights that it was made from"
    )


def _network_of(
    path: str | Path,
    metadata: ModelMetadata,
    variant: str | None,
    weights: str | None,
    outputs: tuple[str, ...],
) -> DepthNetwork:
    """The network as trained that the file is to compute."""
    weights = weights or metadata.weights
    if weights != UNTRAINED:
        try:
            find_weights(weights)
        except (UnknownNameError, WeightsError):
            raise WeightsError(
                f"weights {weights} of {path} are not at hand; give them with --weights FILE"
            ) from None
    name = variant or metadata.variant
    return build_network(ExportRecipe(name, weights, sizes=metadata.sizes, outputs=outputs))


def _values(
    path: str | Path, model: onnx.ModelProto, images: NDArray[np.uint8], expected: Arrays
) -> dict[str, NDArray[Any]]:
    """The file's stages, and what it answers with when it is run as it is."""
    answers = [output.name for output in model.graph.output]
    inner = stages_in(model, expected)
    opening = Opening(Path(path), time_limit=TIME_LIMIT)

    def answer(opened: onnx.ModelProto, names: list[str]) -> list[Any]:
        try:
            session = open_model(opened)
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            raise unreadable(error, Path(path), "ONNX Runtime") from None
        size = Size(*images.shape[1:3])
        return run(session, names, {"image": images}, opening, size, "export it again")

    stages = answer(with_outputs(model, inner), inner)
    depth = answer(model, answers)
    return dict(zip([*inner, *answers], [*stages, *depth], strict=True))


def _compare(
    name: str, got: NDArray[Any], expected: NDArray[np.float32], reduced: bool
) -> StageDifference:
    label, allowed = stage_label(name), None if reduced else TOLERANCE
    problem = difference(got, expected, float("inf") if reduced else TOLERANCE)
    if got.shape != expected.shape:
        return StageDifference(label, float("inf"), allowed, float("inf"), problem)
    got = got.astype(np.float32)
    share = float(np.abs(got - expected).mean() / max(expected.std(), TOLERANCE))
    return StageDifference(label, largest_excess(got, expected), allowed, share, problem)


def _badness(row: StageDifference) -> tuple[bool, float]:
    return bool(row.problem), row.largest


def _loss(
    path: str | Path,
    network: DepthNetwork,
    metadata: ModelMetadata,
    data: str,
    follow_outside: bool,
) -> StageDifference:
    """Change of d1 to PyTorch, with the bound that the file had to keep when it was written."""
    bound = BOUNDS[metadata.precision]

    def infer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return run_network(network, images)["depth"]

    meter = LossMeter(infer, metadata.size, data, follow_outside)
    loss = meter.measure(read_graph(Path(path), weights=True))
    if loss.nonfinite:
        problem = f"is of {loss.nonfinite} pixels that are NaN or infinite"
    else:
        problem = f"changes by {loss.d1:+.4f} (allowed {bound:g})" if abs(loss.d1) > bound else ""
    return StageDifference("d1", abs(loss.d1), bound, problem=problem)
