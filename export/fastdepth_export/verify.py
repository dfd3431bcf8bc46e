"""Compare an exported model with the network it came from, and name the stage that differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from fastdepth.data.rooms import Rooms
from fastdepth.errors import ParityError
from fastdepth.extras import require
from fastdepth.models import DepthNetwork
from fastdepth.size import Size
from fastdepth_export.network import CameraToDepth

TOLERANCE = 1e-4
"""Allowed |difference| of depth, times the larger of 1 m and the depth; stages likewise."""

BATCHES = (1, 3)

STAGES = ("normalised", "features", "centres", "depth")
"""Fields of :class:`~fastdepth.models.Prediction` in the order in which they are computed."""

Arrays = dict[str, NDArray[np.float32]]

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Depth (B, 1, H, W) float32 [m] of pictures (B, H, W, 3) uint8."""

Verify = Callable[..., dict[str, Any]]
"""Given what :func:`compare` takes of an opened file, answers with figures of its metadata."""


def verify(model: onnx.ModelProto, network: DepthNetwork, size: Size) -> float:
    """Run the model in ONNX Runtime on drawn rooms at batch 1 and 3 and compare with PyTorch.

    Args:
        model: with input ``image`` and output ``depth``.
        network: in evaluation mode, on the CPU.
        size: network input.

    Returns:
        Largest |difference| of depth [m].

    Raises:
        ParityError: a difference above ``TOLERANCE``, or a NaN; names the first stage with one.
    """
    return compare(
        lambda images: run_model(model, images, ["depth"])["depth"],
        network,
        size,
        blame=lambda images, expected: _first_stage(model, images, expected),
    )


def compare(
    infer: Infer,
    network: DepthNetwork,
    size: Size,
    *,
    batches: Sequence[int] = BATCHES,
    blame: Callable[[NDArray[np.uint8], Arrays], str] | None = None,
) -> float:
    """Run any opened file on drawn rooms and compare its depth with PyTorch's.

    Args:
        infer: depth (B, 1, H, W) float32 [m] of pictures (B, H, W, 3) uint8.
        network: in evaluation mode, on the CPU.
        size: network input.
        batches: pictures per inference.
        blame: names the first stage that differs, where that can be told.

    Returns:
        Largest |difference| of depth [m].

    Raises:
        ParityError: a difference above ``TOLERANCE``, or a NaN.
    """
    rooms = Rooms(max(batches), seed=7, size=size)
    pictures = np.stack([rooms[index].image for index in range(len(rooms))])
    largest = 0.0
    for batch in batches:
        images = pictures[-batch:]
        expected = run_network(network, images)
        got = infer(images)
        problem = _difference(got, expected["depth"])
        if problem:
            stage = blame(images, expected) if blame else ""
            raise ParityError(
                f"the exported file differs from PyTorch at batch {batch}: depth {problem}; "
                + (f"first stage that differs: {stage}; " if stage else "")
                + "nothing was written"
            )
        largest = max(largest, float(np.abs(got - expected["depth"]).max()))
    return largest


@torch.inference_mode()
def run_network(network: DepthNetwork, images: NDArray[np.uint8]) -> Arrays:
    """Depth and stages in PyTorch for (B, H, W, 3) uint8 pictures, by their names in the file."""
    outputs = CameraToDepth(network).eval().outputs(torch.from_numpy(images))
    return {name: value.numpy() for name, value in outputs.items()}


def run_model(model: onnx.ModelProto, images: NDArray[np.uint8], names: Sequence[str]) -> Arrays:
    """Outputs of a model in ONNX Runtime's CPU provider for (B, H, W, 3) uint8 pictures."""
    outputs = open_model(model).run(list(names), {"image": images})
    return dict(zip(names, outputs, strict=True))


def open_model(model: onnx.ModelProto) -> Any:
    """An ``onnxruntime.InferenceSession`` of a model on the CPU provider."""
    runtime = require("onnxruntime", "cpu")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """A copy of the model that also answers with inner float tensors."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    known = {output.name for output in opened.graph.output}
    opened.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in known
    )
    return opened


def _difference(got: NDArray[np.float32], expected: NDArray[np.float32]) -> str:
    """What is wrong with an array, or nothing."""
    if got.shape != expected.shape:
        return f"has shape {got.shape}, not {expected.shape}"
    wrong = int(np.count_nonzero(~np.isfinite(got)))
    if wrong:
        return f"is NaN or infinite at {wrong} of {got.size} values"
    excess = np.abs(got - expected) / np.maximum(1, np.abs(expected))
    return (
        f"is off by {excess.max():.2g} (allowed {TOLERANCE:g})" if excess.max() > TOLERANCE else ""
    )


def _first_stage(model: onnx.ModelProto, images: NDArray[np.uint8], expected: Arrays) -> str:
    """Name of the first stage whose values differ, depth at the picture's size being the last."""
    inner = {name for node in model.graph.node for name in node.output}
    order = [f"stage_{name}" for name in STAGES] + ["depth"]
    names = [name for name in order if name in expected and name in inner]
    got = run_model(with_outputs(model, names), images, names)
    for name in names:
        problem = _difference(got[name], expected[name])
        if problem:
            label = (
                name.removeprefix("stage_") if name != "depth" else "depth at the picture's size"
            )
            return f"{label}, which {problem}"
    return "none on its own; ONNX Runtime's graph optimisation is at fault"
