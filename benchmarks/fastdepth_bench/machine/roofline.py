"""How fast a file could be at most on this machine, from rates that the machine itself shows.

A float32 matrix product shows how many multiply-adds it does in a second, a copy how many bytes it
moves. A file needs at least the larger of its multiply-adds over the first rate and of the bytes
that it cannot but move over the second (Williams, Waterman, Patterson, "Roofline", CACM 2009).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastdepth.extras import require
from fastdepth.size import Size
from fastdepth_bench.results.figures import RooflineFigures
from fastdepth_bench.runners.providers import CPU

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost

SIDE = 1024
"""Side of the square matrices that are multiplied."""

COPIED = 2**28
"""Bytes that are copied: more than most caches hold."""

SECONDS = 1.0
"""Each rate is that of the fastest run in this time [s]."""

COUNTED = "file, image in, depth out; no map in between"
"""What a file's bytes hold: the least that must pass, whatever the caches keep."""


@dataclass(frozen=True)
class Rates:
    """What a machine did at best.

    Attributes:
        macs_per_second: float32 multiply-adds in ONNX Runtime's matrix product.
        bytes_per_second: bytes of a copy, those read and those written.
        threads: CPU threads that worked.
    """

    macs_per_second: float
    bytes_per_second: float
    threads: int

    def describe(self) -> str:
        """What the roofline is made of, in one line."""
        return (
            f"the larger of multiply-adds over {self.macs_per_second / 1e9:.1f} GMAC/s (float32 "
            f"product of {SIDE}x{SIDE} matrices in ONNX Runtime) and bytes ({COUNTED}) over "
            f"{self.bytes_per_second / 1e9:.1f} GB/s (copy of {COPIED / 1e6:.0f} MB, read and "
            f"written); both measured in this run, {self.threads} thread(s)"
        )


@dataclass(frozen=True)
class Roofline:
    """Least time of a file for one inference [ms].

    Attributes:
        arithmetic: its multiply-adds over the product's rate.
        memory: the bytes that it must move, see ``COUNTED``, over the copy's rate.
    """

    arithmetic: float
    memory: float

    @classmethod
    def of(cls, cost: GraphCost, size: Size, rates: Rates, batch: int = 1) -> Roofline:
        """The roofline of a file with an input of this size.

        Args:
            cost: what the file costs for one image.
            size: of the uint8 image with three colours, and of its float32 depth.
            rates: what the machine does at best, on as many threads as the file is given.
            batch: images of an inference; the file's bytes are read once for all of them.
        """
        moved = cost.bytes + batch * size.height * size.width * (3 + 4)
        return cls(
            1000 * batch * cost.macs / rates.macs_per_second,
            1000 * moved / rates.bytes_per_second,
        )

    @property
    def least(self) -> float:
        """The larger of the two [ms]."""
        return max(self.arithmetic, self.memory)

    @property
    def binds(self) -> Literal["multiply-adds", "bytes"]:
        """Which of the two it is: ``multiply-adds`` or ``bytes``."""
        return "multiply-adds" if self.arithmetic >= self.memory else "bytes"

    def share(self, milliseconds: float) -> float:
        """Share of the roofline's speed that a measured time [ms] reached: 1 is the roofline."""
        return self.least / milliseconds

    def figures(self, milliseconds: float, rates: Rates) -> RooflineFigures:
        """A row's key ``ceiling``: this one, the share of it, and the rates that it comes from.

        Args:
            milliseconds: median latency of the row, whose batch and threads are the roofline's.
            rates: those that the roofline was made of.
        """
        return RooflineFigures(
            least_ms=self.least,
            share=self.share(milliseconds),
            binds=self.binds,
            macs_per_second=rates.macs_per_second,
            bytes_per_second=rates.bytes_per_second,
        )


def measure_rates(threads: int, seconds: float = SECONDS) -> Rates:
    """Measure what this machine does at best; takes about three times ``seconds``.

    Args:
        threads: CPU threads.
        seconds: each rate is that of the fastest run in this time [s].

    Raises:
        MissingExtraError: ONNX or ONNX Runtime is not installed.
    """
    return Rates(
        macs_per_second=SIDE**3 / fastest(product(SIDE, threads), seconds),
        bytes_per_second=2 * COPIED / _copy_seconds(threads, seconds),
        threads=threads,
    )


def fastest(work: Callable[[], object], seconds: float = SECONDS, minimum: int = 5) -> float:
    """Least time [s] of a function, called again and again for so many seconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < minimum or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def product(side: int, threads: int) -> Callable[[], NDArray[np.float32]]:
    """A function that multiplies two random float32 matrices (side, side) in ONNX Runtime.

    The right one is a constant, as a network's weights are, so that ONNX Runtime may pack it.

    Raises:
        MissingExtraError: ONNX or ONNX Runtime is not installed.
    """
    onnx, runtime = require("onnx", "bench"), require("onnxruntime", "cpu")
    left, right = np.random.default_rng(0).random((2, side, side), np.float32)
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", floats, left.shape)],
        [helper.make_tensor_value_info("product", floats, left.shape)],
        [onnx.numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session: Any = runtime.InferenceSession(model.SerializeToString(), options, providers=[CPU])

    def multiply() -> NDArray[np.float32]:
        answer: NDArray[np.float32] = session.run(None, {"left": left})[0]
        return answer

    return multiply


def _copy_seconds(threads: int, seconds: float) -> float:
    """Least time [s] in which ``COPIED`` bytes are copied, each thread a part of them."""
    source = np.ones(COPIED // 4, np.float32)
    target = np.zeros_like(source)
    parts = np.array_split(target, threads), np.array_split(source, threads)
    with ThreadPoolExecutor(threads) as pool:
        return fastest(lambda: list(pool.map(np.copyto, *parts)), seconds)
