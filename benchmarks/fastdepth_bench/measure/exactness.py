"""How far files that should compute one function are apart, over every pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.measure.timing import check_depth

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth_bench.measure.accuracy import Samples
    from fastdepth_bench.runners.protocol import Infers


@dataclass(frozen=True)
class Exactness:
    """Largest |difference| of depth over every pixel of all images, border included [m].

    Attributes:
        to_first: to the first runner; 0 for that one itself.
        to_float64: to the network in PyTorch in float64.
    """

    to_first: float
    to_float64: float


def measure_exactness(
    runners: Mapping[str, Infers],
    network: DepthNetwork,
    samples: Samples,
    size: Size,
    before_each: Callable[[int], None] = lambda index: None,
) -> dict[str, Exactness]:
    """Run every image through all runners and through the network in float64.

    Args:
        runners: by name; the others are compared with the first.
        network: in evaluation mode, in float64 already.
        samples: images are resized to ``size``.
        size: network input.
        before_each: told the number of each sample before its turn, for a progress bar.

    Raises:
        ParityError: an answer is not a depth map.
        DataError: a sample cannot be read.
    """
    largest = {name: np.zeros(2) for name in runners}
    for index in range(len(samples)):
        before_each(index)
        batch = np.ascontiguousarray(resize(samples[index].image, size))[None]
        depths = {name: runner.infer(batch) for name, runner in runners.items()}
        for depth in depths.values():
            check_depth(depth, batch)
        references = next(iter(depths.values())), depth_in_float64(network, batch)
        for name, depth in depths.items():
            apart = [np.abs(depth - reference.astype(np.float64)).max() for reference in references]
            largest[name] = np.maximum(largest[name], apart)
    return {name: Exactness(*found.tolist()) for name, found in largest.items()}


def depth_in_float64(network: DepthNetwork, batch: NDArray[np.uint8]) -> NDArray[np.float64]:
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
