"""Compare an exported model with the network it came from, and name the stage that differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from fastdepth.data.rooms.dataset import Rooms
from fastdepth.errors import ParityError
from fastdepth.extras import require
from fastdepth.models import DepthNetwork
from fastdepth.size import Size
from fastdepth_export.network import CameraToDepth

TOLERANCE = 1e-4
"""Allowed |difference| of depth, times the larger of 1 m and the depth; stages likewise."""

BATCHES = (1, 3)

STAGES = (
    "stage_normalised",
    "stage_features",
    "stage_coarse",
    "stage_centres",
    "stage_depth",
    "stage_std",
)
"""Fields of :class:`~fastdepth.models.Prediction` in the order in which they are computed."""

Arrays = dict[str, NDArray[np.float32]]

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8."""

Verify = Callable[..., dict[str, Any]]
"""Given what :func:`compare` takes of an opened file, answers with figures of its metadata."""


def verify(
    model: onnx.ModelProto, network: DepthNetwork, size: Size, batch: int | None = None
) -> float:
    """Run the model in ONNX Runtime on drawn rooms, one and more, and compare with PyTorch.

    Args:
        model: with input ``image`` and output ``depth``, maybe ``std``.
        network: in evaluation mode, on the CPU.
        size: network input.
        batch: that which is fixed in the graph; None where it takes any.

    Returns:
        Largest |difference| of depth [m].

    Raises:
        ParityError: a difference above ``TOLERANCE``, or a NaN; names the first stage with one.
    """

    def check(output: str) -> float:
        return compare(
            answer(model, output),
            network,
            size,
            batches=batches_of(batch),
            blame=lambda images, expected: _first_stage(model, images, expected),
            output=output,
        )

    differences = {output.name: check(output.name) for output in model.graph.output}
    return differences["depth"]


def batches_of(batch: int | None) -> Sequence[int]:
    """Images per inference at which a file is compared: several counts, or the one it takes."""
    return (batch,) if batch else BATCHES


def compare(
    infer: Infer,
    network: DepthNetwork,
    size: Size,
    *,
    batches: Sequence[int] = BATCHES,
    blame: Callable[[NDArray[np.uint8], Arrays], str] | None = None,
    output: str = "depth",
) -> float:
    """Run any opened file on drawn rooms and compare its depth with PyTorch's.

    Args:
        infer: depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8.
        network: in evaluation mode, on the CPU.
        size: network input.
        batches: images per inference.
        blame: names the first stage that differs, where that can be told.
        output: what is compared if not depth.

    Returns:
        Largest |difference| [m].

    Raises:
        ParityError: a difference above ``TOLERANCE``, or a NaN.
    """
    drawn = draw_images(size, max(batches))
    largest = 0.0
    for batch in batches:
        images = drawn[-batch:]
        expected = run_network(network, images)
        got = infer(images)
        problem = difference(got, expected[output])
        if problem:
            if got.shape == expected[output].shape:
                problem = stuck(got, expected[output]) or problem
            stage = blame(images, expected) if blame else ""
            raise ParityError(
                f"the exported file differs from PyTorch at batch {batch}: {output} {problem}; "
                + (f"first stage that differs: {stage}; " if stage else "")
                + "nothing was written"
            )
        largest = max(largest, float(np.abs(got - expected[output]).max()))
    return largest


def draw_images(size: Size, count: int) -> NDArray[np.uint8]:
    """Rooms (count, H, W, 3) uint8 on which files are compared."""
    rooms = Rooms(count, seed=7, size=size)
    return np.stack([rooms[index].image for index in range(count)])


@torch.inference_mode()
def run_network(network: DepthNetwork, images: NDArray[np.uint8]) -> Arrays:
    """Depth and stages in PyTorch for (B, H, W, 3) uint8 images, by their names in the file."""
    outputs = CameraToDepth(network).eval().outputs(torch.from_numpy(images))
    return {name: value.numpy() for name, value in outputs.items()}


def run_model(model: onnx.ModelProto, images: NDArray[np.uint8], names: Sequence[str]) -> Arrays:
    """Outputs of a model in ONNX Runtime's CPU provider for (B, H, W, 3) uint8 images."""
    outputs = open_model(model).run(list(names), {"image": images})
    return dict(zip(names, outputs, strict=True))


def answer(model: onnx.ModelProto, output: str = "depth") -> Infer:
    """A model, opened once, as a function of images (B, H, W, 3) uint8 to one of its outputs."""
    session = open_model(model)

    def infer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        values: NDArray[np.float32] = session.run([output], {"image": images})[0]
        return values

    return infer


def open_model(model: onnx.ModelProto) -> Any:
    """An ``onnxruntime.InferenceSession`` of a model on the CPU provider."""
    runtime = require("onnxruntime", "cpu")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy of the model that also answers with inner tensors, of whatever type."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    known = {output.name for output in opened.graph.output}
    opened.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in known
    )
    return opened


def difference(
    got: NDArray[Any], expected: NDArray[np.float32], allowed: float | None = None
) -> str:
    """What is wrong with an array, or nothing; ``TOLERANCE`` is allowed if nothing else."""
    allowed = TOLERANCE if allowed is None else allowed
    if got.shape != expected.shape:
        return f"has shape {got.shape}, not {expected.shape}"
    wrong = int(np.count_nonzero(~np.isfinite(got)))
    if wrong:
        return f"is NaN or infinite at {wrong} of {got.size} values"
    excess = largest_excess(got, expected)
    return f"is off by {excess:.2g} (allowed {allowed:g})" if excess > allowed else ""


FLAT = 1e-3
"""Answers that differ by less [m] where PyTorch's differ by more do not follow the image."""

LEAST_SPREAD = 0.1
"""Least standard deviation of an answer, by that of PyTorch's."""

MOST_AT_END = 0.2
"""Largest share of pixels at an answer's own least or greatest value, beyond that at the least or
greatest of PyTorch's."""


def stuck(got: NDArray[Any], expected: NDArray[Any]) -> str:
    """What is wrong with answers that do not follow the images, or nothing.

    A runtime that loads a file, runs it, and gives one depth whatever it sees is no rare thing;
    where little is known of the truth, the bounds of parity and of d1 need not notice.

    Args:
        got: (B, ...) answers [m].
        expected: what PyTorch answers to the same images, of the same shape.
    """
    if not np.isfinite(got).all():
        return f"is NaN or infinite at {np.count_nonzero(~np.isfinite(got))} of {got.size} values"
    for own, true in zip(got, expected, strict=True):
        if own.std() < LEAST_SPREAD * true.std() and true.std() > FLAT:
            return f"is constant: {own.mean():.3g} m with a deviation of {own.std():.2g} m"
        for end, usual in ((own.min(), true.min()), (own.max(), true.max())):
            share = float((own == end).mean())
            if share - float((true == usual).mean()) > MOST_AT_END and true.std() > FLAT:
                return f"is saturated: {end:.3g} m at {share:.0%} of the pixels"
    if len(got) > 1 and (got == got[:1]).all() and np.abs(expected - expected[:1]).max() > FLAT:
        return "is the same for different images"
    return ""


def largest_excess(got: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest |difference|, divided by the larger of 1 and the expected value."""
    return float((np.abs(got - expected) / np.maximum(1, np.abs(expected))).max())


def stages_in(model: onnx.ModelProto, expected: Arrays) -> list[str]:
    """Names of the network's stages that are tensors of the graph, as they are computed."""
    inner = {name for node in model.graph.node for name in node.output}
    return [name for name in STAGES if name in expected and name in inner]


def stage_label(name: str) -> str:
    """A stage, or what the file answers with, as it is called in messages."""
    stage = name.removeprefix("stage_")
    return stage if stage != name else f"{name} at the image's size"


def _first_stage(model: onnx.ModelProto, images: NDArray[np.uint8], expected: Arrays) -> str:
    """Name of the first stage whose values differ, depth at the image's size being the last."""
    names = [*stages_in(model, expected), *(output.name for output in model.graph.output)]
    got = run_model(with_outputs(model, names), images, names)
    for name in names:
        problem = difference(got[name], expected[name])
        if problem:
            return f"{stage_label(name)}, which {problem}"
    return "none on its own; ONNX Runtime's graph optimisation is at fault"
