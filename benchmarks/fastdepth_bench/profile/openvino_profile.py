"""Operators of an .xml of OpenVINO's, timed by its own counters."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from fastdepth.extras import require
from fastdepth_bench.profile.operators import (
    VIEWS,
    Operator,
    Timed,
    convolution_kind,
    convolution_macs,
    kernel_of,
    product_macs,
    transposed_macs,
)


def profile_openvino(path: Path, threads: int, seconds: float) -> Timed:
    """Run a file of fastdepth-export on random pixels and time its operators.

    Args:
        path: the .xml.
        threads: CPU threads.
        seconds: run it for so long, three times at least [s].

    Raises:
        ModelFileError: it cannot be read, or another program wrote it.
        DeviceError: it is to be computed in bfloat16, which this CPU has not.
    """
    from fastdepth_export.formats.openvino_ir import OpenVinoModel

    model = OpenVinoModel(path, threads, counters=True)
    pixels = np.random.default_rng(0).integers(0, 256, (1, *model.metadata.size, 3), np.uint8)
    times: list[float] = []
    by_name: dict[str, list[float]] = defaultdict(list)
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        model.compute(pixels)
        times.append(time.perf_counter() - start)
        for entry in model.request.get_profiling_info():
            by_name[entry.node_name].append(entry.real_time.total_seconds())
    nodes = model.request.get_compiled_model().get_runtime_model().get_ordered_ops()
    operators = [
        _operator(node, median(by_name[node.get_friendly_name()][1:]))
        for node in _run(nodes, by_name)
    ]
    runtime = f"OpenVINO {require('openvino', 'openvino').__version__.partition('-')[0]}"
    return Timed(runtime, len(times) - 1, median(times[1:]), tuple(operators))


def _run(nodes: list[Any], times: dict[str, list[float]]) -> list[Any]:
    """Those nodes that took time after the first inference, in which weights are reordered."""
    return [node for node in nodes if any(times.get(node.get_friendly_name(), [])[1:])]


def _operator(node: Any, seconds: float) -> Operator:
    info = node.get_rt_info()
    kind, precision = (info[key].astype(str) for key in ("layerType", "runtimePrecision"))
    outputs = [_shape(port) for port in node.outputs()]
    inputs = [_shape(port) for port in node.inputs()]
    macs = 0
    if kind in ("Convolution", "Deconvolution"):
        weight, image = inputs[1], inputs[0]
        if len(weight) > len(image):  # (groups, out / groups, in / groups, ...), or in before out
            weight = (weight[0] * weight[1], *weight[2:])
        if kind == "Convolution":
            macs = convolution_macs(weight, outputs[0])
            kind = convolution_kind(kind, weight, image)
        else:
            macs, kind = transposed_macs(weight, image), f"{kind} {kernel_of(weight)}"
    elif kind in ("FullyConnected", "MatMul"):
        macs = product_macs(inputs, outputs[0])
    moved = 0 if kind in VIEWS else sum(map(_bytes, (*node.inputs(), *node.outputs())))
    return Operator(node.get_friendly_name(), f"{kind} {precision}", macs, moved, seconds)


def _bytes(port: Any) -> int:
    return math.prod(_shape(port)) * int(port.get_element_type().size)


def _shape(port: Any) -> tuple[int, ...]:
    """Sides of a tensor; 1 for those that the compiled model leaves open, of which one image is."""
    return tuple(side.get_length() if side.is_static else 1 for side in port.get_partial_shape())
