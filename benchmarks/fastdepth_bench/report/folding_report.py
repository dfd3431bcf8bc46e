"""What ``python -m fastdepth_bench.measure.folding`` measured, and its JSON.

``folding.schema.json`` beside this file describes the JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fastdepth.data import Source, sample_list_hash
from fastdepth_bench.case import Case
from fastdepth_bench.machine.roofline import Ceiling, Rates
from fastdepth_bench.measure.bootstrap import Interval
from fastdepth_bench.measure.exactness import Exactness
from fastdepth_bench.measure.timing import Timing
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.result import SCHEMA_FILE as ROWS_SCHEMA
from fastdepth_bench.results.result import timing_keys

if TYPE_CHECKING:
    from fastdepth_export.cost import GraphCost

SCHEMA = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys do not raise it."""

SCHEMA_FILE = ROWS_SCHEMA.with_name("folding.schema.json")


@dataclass(frozen=True)
class ImageList:
    """What depths were compared on, and some of which were timed.

    Attributes:
        data: name of the data source.
        samples: number of images.
        sample_hash: hash of their names.
    """

    data: str
    samples: int
    sample_hash: str

    @classmethod
    def of(cls, source: Source) -> ImageList:
        """The images of a source."""
        return cls(source.name, len(source), sample_list_hash(source))


@dataclass(frozen=True)
class Form:
    """One file of a variant.

    Attributes:
        name: ``plain``, ``last-axis`` or ``folded``.
        cost: parameters, multiply-adds and bytes of the file.
        ceiling: least time on this machine.
        same_as: form with the same graph, which was measured in its place; None where there is
            none.
        timing: latency, in turns with the variant's other files; None before and where ``same_as``.
        speedup: how many times faster than plain; None for plain itself too.
        exactness: differences to plain and to PyTorch in float64.
    """

    name: str
    cost: GraphCost
    ceiling: Ceiling
    same_as: str | None = None
    timing: Timing | None = None
    speedup: Interval | None = None
    exactness: Exactness | None = None

    def to_row(self) -> dict[str, Any]:
        """The file's part of a row of the JSON."""
        return {
            "form": self.name,
            "same_as": self.same_as,
            "deployed_params": self.cost.params,
            "gmac": self.cost.macs / 1e9,
            "bytes": self.cost.bytes,
            "ceiling_ms": {**asdict(self.ceiling), "binds": self.ceiling.binds},
            "ceiling_share": self.timing and self.ceiling.share(self.timing.p50),
            **timing_keys(self.timing),
            "speedup": self.speedup and asdict(self.speedup),
            "difference_to_plain": self.exactness and self.exactness.to_first,
            "difference_to_float64": self.exactness and self.exactness.to_float64,
        }


@dataclass(frozen=True)
class FoldedVariant:
    """All files of one variant."""

    case: Case
    forms: tuple[Form, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """One row a file, as they stand in the JSON."""
        case = self.case
        shared = {
            "variant": case.variant,
            "weights": case.weights_name,
            "weights_hash": case.weights_hash,
            "untrained": not case.trained,
            "size": list(case.size),
            "batch": case.batch,
        }
        return [{**shared, **form.to_row()} for form in self.forms]


@dataclass(frozen=True)
class FoldingReport:
    """All variants of a run and the machine that they were measured on."""

    environment: Environment
    rates: Rates
    images: ImageList
    variants: tuple[FoldedVariant, ...]

    def as_dict(self) -> dict[str, Any]:
        """What the JSON holds."""
        return {
            "schema": SCHEMA,
            "environment": self.environment.as_dict(),
            "rates": asdict(self.rates),
            **asdict(self.images),
            "rows": [row for variant in self.variants for row in variant.to_rows()],
        }

    def to_json(self) -> str:
        """One JSON object, as ``folding.schema.json`` describes it; no NaN in it."""
        return json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n"
