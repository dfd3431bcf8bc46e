"""How far the depths of what should compute one function are apart, over every pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ParityError
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.measure.accuracy import spread
from fastdepth_bench.measure.timing import check_depth
from fastdepth_bench.results.row import SINGLE_STREAM
from fastdepth_bench.runners.opening import open_runner

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth_bench.measure.accuracy import Samples
    from fastdepth_bench.measure.isolate import Say
    from fastdepth_bench.runners.protocol import Batch, Infers

COMPARED = 10
"""Greatest number of the data's samples whose depths are compared, evenly spread: each is inferred
in float64 too, which takes some times as long as what is timed."""

Reference = Callable[["Batch"], NDArray[np.floating]]
"""Depth (B, 1, H, W) [m] of images (B, H, W, 3) uint8."""


@dataclass(frozen=True)
class Differences:
    """Largest |difference| of a row's depth over every pixel of the compared images [m].

    Attributes:
        to_against: to the depth of what it is timed in turns with; None where there is nothing, the
            input sizes differ, or one of the two answers with disparity.
        to_float64: to the network in PyTorch in float64 at the same size; None of an ONNX file that
            fastdepth did not write.
    """

    to_against: float | None = None
    to_float64: float | None = None


def compare_depths(say: Say, case: Case, against: Case | None, samples: Samples) -> Differences:
    """Open both, infer at most ``COMPARED`` samples, and see how far the depths are apart.

    Args:
        say: told what is done.
        case: what is measured.
        against: what it is timed in turns with.
        samples: images are resized to the case's size.

    Raises:
        FastDepthError: one of the two cannot be loaded or run, or answers with something else than
            depth.
    """
    references: dict[str, Reference] = {}
    with ExitStack() as stack:
        runner = stack.enter_context(open_runner(_single(case)))
        if against is not None and _comparable(case, against):
            other = stack.enter_context(open_runner(_single(against)))
            references["to_against"] = other.infer
        if case.model is None:
            references["to_float64"] = _in_float64(case, stack)
        found = largest_differences(
            runner,
            references,
            samples,
            case.size,
            lambda index: say(f"{case}: comparing depth {index + 1}"),
        )
    return Differences(**found)


def has_reference(case: Case, against: Case | None) -> bool:
    """Whether there is anything that a case's depth can be compared with."""
    return case.model is None or (against is not None and _comparable(case, against))


def largest_differences(
    runner: Infers,
    references: Mapping[str, Reference],
    samples: Samples,
    size: Size,
    before_each: Callable[[int], None] = lambda index: None,
) -> dict[str, float]:
    """Largest |difference| of depth to each reference over every pixel, border included [m].

    Args:
        runner: entered already.
        references: by name.
        samples: images are resized to ``size``; at most ``COMPARED`` are used.
        size: network input.
        before_each: told how many samples came before, for a progress bar.

    Raises:
        ParityError: an answer is not a depth map, or a reference is not finite.
        DataError: a sample cannot be read.
    """
    largest = dict.fromkeys(references, 0.0)
    for done, index in enumerate(spread(len(samples), COMPARED)):
        before_each(done)
        batch = np.ascontiguousarray(resize(samples[index].image, size))[None]
        depth = runner.infer(batch)
        check_depth(depth, batch)
        for name, reference in references.items():
            apart = float(np.abs(depth - reference(batch).astype(np.float64)).max())
            if not np.isfinite(apart):
                raise ParityError(f"depth to compare with is NaN or infinite ({name}); not timed")
            largest[name] = max(largest[name], apart)
    return largest


def depth_in_float64(network: DepthNetwork, batch: Batch) -> NDArray[np.float64]:
    """Depth (B, 1, H, W) float64 [m] of images (B, H, W, 3) uint8, no step in less precision.

    Args:
        network: in evaluation mode, in float64 already.
        batch: at the network's input size.
    """
    import torch

    from fastdepth.models.network import upsample

    pixels = torch.from_numpy(batch).permute(0, 3, 1, 2).double() / 255
    with torch.inference_mode():
        depth: Any = upsample(network(pixels).depth.double(), *batch.shape[1:3]).numpy()
    found: NDArray[np.float64] = depth
    return found


def _single(case: Case) -> Case:
    """The same for one image at a time."""
    return replace(case, scenario=SINGLE_STREAM, batch=1, rate=None)


def _comparable(case: Case, against: Case) -> bool:
    metric = case.in_metres and against.in_metres
    return metric and case.size == against.size


def _in_float64(case: Case, stack: ExitStack) -> Reference:
    """A case's network in float64, on the threads of the case until the stack is left."""
    import torch

    from fastdepth_export.network import build_network

    stack.callback(torch.set_num_threads, torch.get_num_threads())
    torch.set_num_threads(case.threads)
    return partial(depth_in_float64, build_network(case.recipe()).double())
