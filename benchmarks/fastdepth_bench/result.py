"""Results: one :class:`Result` per row, from which JSON and tables are made.

``result.schema.json`` beside this file describes the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.metrics import Scores, get_protocol
from fastdepth.variants import get_variant
from fastdepth_bench.accuracy import Yardstick
from fastdepth_bench.environment import Environment
from fastdepth_bench.targets import REFERENCE, Case
from fastdepth_bench.timing import Timing

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost

SCHEMA = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys do not raise it."""

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


@dataclass(frozen=True)
class Result:
    """One row. What could not be measured is None, and ``error`` says why.

    Attributes:
        case: what was measured.
        yardstick: what accuracy was measured on; the timed pictures come from there too.
        cost: parameters, multiply-adds and bytes of what was timed.
        timing: latency.
        scores: accuracy; None for random weights as well.
        d1_minus_torch: d1 less that of the same weights in PyTorch at the same size; None where
            that was not measured.
        error: why the row is empty, in one line; empty where it is not.
        host_copies: the host's copies in the latency, timed alone [ms]; None on the CPU.
        depth: (B, 1, H, W) float32 [m], the answer to the first timed pictures; not in the JSON.
        max_difference_to_torch: largest |difference| of ``depth`` to PyTorch's [m], like the one
            of d1.
    """

    case: Case
    yardstick: Yardstick
    cost: GraphCost | None = None
    timing: Timing | None = None
    scores: Scores | None = None
    d1_minus_torch: float | None = None
    error: str = ""
    host_copies: float | None = None
    depth: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    max_difference_to_torch: float | None = None

    @property
    def params(self) -> int:
        """Parameters of the network as trained, whatever the file holds."""
        return get_variant(self.case.variant).params

    def to_row(self) -> dict[str, Any]:
        """The row as it stands in the JSON."""
        return {
            **self._identity(),
            "params": self.params,
            "deployed_params": self.cost and self.cost.params,
            "gmac": self.cost and self.cost.macs / 1e9,
            "bytes": self.cost and self.cost.bytes,
            **timing_keys(self.timing),
            "host_copies_ms": self.host_copies,
            "data": self.yardstick.data,
            "depth_kind": self.yardstick.depth_kind,
            "samples": self.yardstick.samples,
            "sample_hash": self.yardstick.sample_hash,
            "protocol": self.yardstick.protocol,
            "protocol_description": get_protocol(self.yardstick.protocol).describe(
                self.yardstick.flip
            ),
            "flip": self.yardstick.flip,
            "metrics": self.scores and self.scores.as_dict(),
            "d1_minus_torch": self.d1_minus_torch,
            "max_difference_to_torch": self.max_difference_to_torch,
            "error": self.error or None,
        }

    def _identity(self) -> dict[str, Any]:
        case = self.case
        return {
            "variant": case.variant,
            "weights": case.weights_name,
            "weights_hash": case.weights_hash,
            "untrained": not case.trained,
            "runtime": case.runtime,
            "precision": case.precision,
            "size": list(case.size),
            "device": case.device,
            "threads": case.threads,
            "batch": case.batch,
        }


def timing_keys(timing: Timing | None) -> dict[str, Any]:
    """A row's keys of a latency; all None where there is none."""
    if timing is None:
        return dict.fromkeys(("fps", "latency_ms", "n", "cv", "warm_up"))
    latency = {
        "p50": timing.p50,
        "p90": timing.p90,
        "p99": timing.p99,
        "min": timing.minimum,
        "max": timing.maximum,
        "iqr": timing.iqr,
    }
    warm = timing.warm_up
    return {
        "fps": timing.fps,
        "latency_ms": latency,
        "n": timing.n,
        "cv": timing.cv,
        "warm_up": {"n": warm.n, "seconds": warm.seconds, "stable": warm.stable},
    }


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
        row = replace(row, d1_minus_torch=row.scores.d1 - torch.scores.d1)
    if torch and row.depth is not None and torch.depth is not None:
        largest = float(np.abs(row.depth - torch.depth).max())
        row = replace(row, max_difference_to_torch=largest)
    return row
