"""Results: one :class:`Result` per row, from which JSON and tables are made.

``result.schema.json`` beside this file describes the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.metrics import Scores
from fastdepth.size import Size
from fastdepth.variants import get_variant
from fastdepth_bench.case import REFERENCE, SINGLE_STREAM, Case
from fastdepth_bench.machine.roofline import Ceiling, Rates
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.pooling import FromDisk, Pooled
from fastdepth_bench.measure.timing import Timing
from fastdepth_bench.results.environment import Environment

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost

SCHEMA = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys do not raise it."""

COUNTS = ("pixels", "nonfinite")
"""What scores count; all else they hold is a metric."""

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


@dataclass(frozen=True)
class Result:
    """One row. What could not be measured is None, and ``error`` says why.

    Attributes:
        case: what was measured.
        yardstick: what accuracy was measured on; the timed images come from there too.
        cost: parameters, multiply-adds and bytes of what was timed.
        pooled: speed and memory over all restarts.
        scores: accuracy; None for random weights as well.
        d1_minus_torch: d1 less that of the same weights in PyTorch at the same size; None where
            that was not measured.
        error: why the row is empty, in one line; empty where it is not.
        depth: (B, 1, H, W) float32 [m], the answer to the first timed images; not in the JSON.
        max_difference_to_torch: largest |difference| of ``depth`` to PyTorch's [m], like the one
            of d1.
        metrics_minus_torch: every metric less PyTorch's, by name, like d1.
        against: what the row was timed in turns with; None where with nothing.
        frame_size: of the frames that were timed; None where none was.
        training_images_per_second: of training steps; None where they were not timed.
        rates: what the machine does at best, for the ceiling; None where it was not measured.
    """

    case: Case
    yardstick: Yardstick
    cost: GraphCost | None = None
    pooled: Pooled | None = None
    scores: Scores | None = None
    d1_minus_torch: float | None = None
    error: str = ""
    depth: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    max_difference_to_torch: float | None = None
    metrics_minus_torch: dict[str, float] | None = None
    against: Case | None = None
    frame_size: Size | None = None
    rates: Rates | None = None
    training_images_per_second: float | None = None

    @property
    def timing(self) -> Timing | None:
        """Latency of the inference, over all restarts."""
        return self.pooled.timing if self.pooled else None

    @property
    def ceiling(self) -> Ceiling | None:
        """Least time of the row on this machine; None where its rates are not known."""
        if self.rates is None or self.cost is None:
            return None
        return Ceiling.of(self.cost, self.case.size, self.rates, self.case.batch)

    @property
    def params(self) -> int | None:
        """Parameters of the network as trained, whatever the file holds; None of a foreign one."""
        return None if self.case.model else get_variant(self.case.variant).params

    def to_row(self) -> dict[str, Any]:
        """The row as it stands in the JSON."""
        case = self.case
        return {
            **self._identity(),
            "params": self.params,
            "deployed_params": self.cost and self.cost.params,
            "gmac": self.cost and self.cost.macs / 1e9,
            "bytes": self.cost and self.cost.bytes,
            "weights_bytes": self.cost and self.cost.weights_bytes,
            "checkpoint_bytes": None if case.model else get_variant(case.variant).checkpoint_bytes,
            **timing_keys(self.timing),
            **_pooled_keys(self.pooled),
            "queries": self._queries_keys(),
            "from_disk": _as_dict(self.pooled.from_disk if self.pooled else None),
            "training_images_per_second": self.training_images_per_second,
            "frame_size": self.frame_size and list(self.frame_size),
            "ceiling": self._ceiling_keys(),
            "against": self._against_keys(),
            "data": self.yardstick.data,
            "depth_kind": self.yardstick.depth_kind,
            "samples": self.yardstick.samples,
            "sample_hash": self.yardstick.sample_hash,
            "protocol": self.yardstick.protocol,
            "protocol_description": self.yardstick.rules,
            "flip": self.yardstick.flip,
            "metrics": self.scores and self.scores.as_dict(),
            "d1_minus_torch": self.d1_minus_torch,
            "metrics_minus_torch": self.metrics_minus_torch,
            "max_difference_to_torch": self.max_difference_to_torch,
            "error": self.error or None,
        }

    def _identity(self) -> dict[str, Any]:
        case = self.case
        return {
            "variant": case.variant,
            "fold": case.fold,
            "scenario": case.scenario,
            "model": case.model and case.model.as_dict(),
            "weights": case.weights_name,
            "weights_hash": case.weights_hash,
            "initialisation": case.initialisation,
            "untrained": not case.trained,
            "runtime": case.runtime,
            "precision": case.precision,
            "size": list(case.size),
            "device": case.device,
            "threads": case.threads,
            "batch": case.batch,
        }

    def _ceiling_keys(self) -> dict[str, Any] | None:
        if self.ceiling is None or self.rates is None or self.pooled is None:
            return None
        return self.ceiling.to_row(self.pooled.stages.inference, self.rates)

    def _queries_keys(self) -> dict[str, Any] | None:
        """Of every scenario but single-stream."""
        pooled = self.pooled
        if pooled is None or self.case.scenario == SINGLE_STREAM:
            return None
        arrivals, timing = pooled.queries, pooled.timing
        achieved = pooled.fps.value / timing.batch
        return {
            "n": timing.n,
            "samples": timing.batch,
            "rate": arrivals and arrivals.rate,
            "achieved_rate": arrivals.achieved_rate if arrivals else achieved,
            "p99_ms": timing.p99,
            "overloaded": arrivals and arrivals.overloaded,
        }

    def _against_keys(self) -> dict[str, Any] | None:
        versus = self.pooled and self.pooled.versus
        if self.against is None or not versus:
            return None
        return {
            "name": self.against.name,
            "size": list(self.against.size),
            "ratio": versus.inference.value,
            "low": versus.inference.low,
            "high": versus.inference.high,
            "end_to_end_ratio": versus.end_to_end.value,
            "end_to_end_low": versus.end_to_end.low,
            "end_to_end_high": versus.end_to_end.high,
            "p50_ms": versus.p50,
            "rounds": versus.rounds,
        }


def timing_keys(timing: Timing | None) -> dict[str, Any]:
    """A row's keys of a latency; all None where there is none."""
    if timing is None:
        return dict.fromkeys(("fps", "latency_ms", "n", "cv", "warm_up"))
    warm = timing.warm_up
    return {
        "fps": timing.fps,
        "latency_ms": _latency(timing),
        "n": timing.n,
        "cv": timing.cv,
        "warm_up": {"n": warm.n, "seconds": warm.seconds, "stable": warm.stable},
    }


def _as_dict(entry: FromDisk | None) -> dict[str, Any] | None:
    return None if entry is None else asdict(entry)


def _latency(timing: Timing) -> dict[str, float]:
    return {
        "p50": timing.p50,
        "p90": timing.p90,
        "p95": timing.p95,
        "p99": timing.p99,
        "min": timing.minimum,
        "max": timing.maximum,
        "iqr": timing.iqr,
    }


_POOLED = (
    "fps",
    "noisy",
    "restarts",
    "fps_interval",
    "fps_wall",
    "end_to_end_fps",
    "end_to_end_fps_interval",
    "end_to_end_ms",
    "stages_ms",
    "host_copies_ms",
    "peak_resident_bytes",
    "peak_gpu_bytes",
    "joules_per_picture",
)


def _pooled_keys(pooled: Pooled | None) -> dict[str, Any]:
    """A row's keys of what its restarts come to; all None where there were none."""
    if pooled is None:
        return dict.fromkeys(_POOLED)
    stages, fps, whole = pooled.stages, pooled.fps, pooled.end_to_end_fps
    copies = None
    if stages.copy_in is not None and stages.copy_out is not None:
        copies = stages.copy_in + stages.copy_out
    values = (
        fps.value,
        pooled.timing.noisy,
        pooled.restarts,
        [fps.low, fps.high],
        pooled.fps_wall,
        whole.value,
        [whole.low, whole.high],
        _latency(pooled.end_to_end),
        asdict(stages),
        copies,
        pooled.peak_resident,
        pooled.peak_gpu,
        pooled.joules_per_picture,
    )
    return dict(zip(_POOLED, values, strict=True))


@dataclass(frozen=True)
class Report:
    """All rows of a run and the machine that they were measured on."""

    environment: Environment
    rows: tuple[Result, ...]

    @property
    def failed(self) -> bool:
        """Whether any row is without figures."""
        return any(row.error for row in self.rows)

    def to_json(self) -> str:
        """One JSON object, as ``result.schema.json`` describes it; no NaN in it."""
        content = {
            "schema": SCHEMA,
            "environment": self.environment.as_dict(),
            "rows": [row.to_row() for row in self.rows],
        }
        return json.dumps(content, indent=2, allow_nan=False) + "\n"


def compare_with_torch(rows: Sequence[Result]) -> tuple[Result, ...]:
    """The rows, compared with PyTorch wherever it was measured beside them."""

    def key(row: Result) -> tuple[Any, ...]:
        return row.case.variant, row.case.weights, row.case.size, row.case.batch, row.yardstick

    references = {
        key(row): row for row in rows if (row.case.runtime, row.case.precision) == REFERENCE
    }
    return tuple(_compared(row, references.get(key(row))) for row in rows)


def _compared(row: Result, torch: Result | None) -> Result:
    """A row with its differences to the one measured in PyTorch."""
    if torch and row.scores and torch.scores:
        own, its = row.scores.as_dict(), torch.scores.as_dict()
        differences = {name: own[name] - its[name] for name in own if name not in COUNTS}
        row = replace(row, d1_minus_torch=differences["d1"], metrics_minus_torch=differences)
    if torch and row.depth is not None and torch.depth is not None:
        largest = float(np.abs(row.depth - torch.depth).max())
        row = replace(row, max_difference_to_torch=largest)
    return row
