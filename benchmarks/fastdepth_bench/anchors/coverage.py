"""How often an interval holds the truth, with points and without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fastdepth.data.sample import Depth
from fastdepth.metrics import get_protocol
from fastdepth.runtime.model import DepthModel, load
from fastdepth.runtime.third_party import inspect
from fastdepth.runtime.uncertainty import interval_around
from fastdepth.weights import find_weights, read_card
from fastdepth_bench.case import Case
from fastdepth_bench.runners import cache

INTERVAL = 0.9
"""Share of pixels that the interval is meant to hold."""


def open_with_std(case: Case) -> DepthModel | None:
    """A network that answers with std too; None where its intervals are not calibrated.

    Raises:
        FastDepthError: the network cannot be exported, or its file not be opened.
    """
    if case.model:
        metadata = inspect(case.model).metadata
        return (
            load(case.model.path, threads=case.threads) if metadata and metadata.interval else None
        )
    if not case.trained or read_card(find_weights(case.weights)).interval is None:
        return None
    recipe = replace(case.recipe(), outputs=("depth", "std"))
    return load(cache.exported(recipe), threads=case.threads)


def coverage(depth: Depth, std: Depth, truth: Depth, factor: float, protocol: str) -> float:
    """Share of the pixels that count whose truth is in the interval; NaN where none counts.

    Args:
        depth: (H, W) [m].
        std: (H, W) standard deviation of its error [m].
        truth: (H, W) [m].
        factor: of the interval, see :class:`fastdepth.metadata.IntervalFactors`.
        protocol: says which pixels count.
    """
    counted = get_protocol(protocol).valid(truth)
    if not counted.any():
        return float("nan")
    lower, upper = interval_around(depth[counted], std[counted], factor)
    return float(np.mean((lower <= truth[counted]) & (truth[counted] <= upper)))
