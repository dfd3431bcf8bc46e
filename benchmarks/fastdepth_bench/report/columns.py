"""The one table of columns: what every table, plot and comparison shows of a row.

A heading stands here and nowhere else. Terminal, Markdown, README, model cards, the compression
study, the tables of publications, ``compare`` and the axes of plots are selections of what is
here; columns of accuracy are made of :data:`fastdepth.metrics.ALL_METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from fastdepth.metrics import ALL_METRICS
from fastdepth.published import PublishedSystem
from fastdepth_bench.report.cells import (
    Column,
    always,
    as_code,
    as_reported,
    fixed,
    joined,
    percent,
    short,
    signed,
    text_of,
    times,
    tiny,
)
from fastdepth_bench.report.select import Reproduction, Step, ratio, scored
from fastdepth_bench.results.row import SINGLE_STREAM, Row
from fastdepth_export.targets import Target

# what a row is

NETWORK: Column[Row] = text_of("network", lambda row: row.name)
RUNTIME: Column[Row] = text_of("runtime", lambda row: row.target)
INPUT: Column[Row] = text_of("input", lambda row: row.size)
PRECISION: Column[Row] = text_of("precision", lambda row: row.precision)
WEIGHTS: Column[Row] = text_of("weights", lambda row: row.weights)
BEGUN: Column[Row] = text_of("trained from", lambda row: row.initialisation or row.weights)
FLIP: Column[Row] = text_of("mirror", lambda row: "mean of both" if row.flip else "no")


def _scenario(row: Row) -> str | None:
    """The scenario, with the rate and the 99th percentile of its queries where it has some."""
    if row.scenario == SINGLE_STREAM:
        return None if row.batch == 1 else f"batch {row.batch}"
    queries = row.queries
    batch = f" x{row.batch}" if row.batch != 1 else ""
    rate = f" {short(queries.rate)}/s" if queries and queries.rate else ""
    late = f", p99 {short(queries.p99_ms)} ms" if queries and queries.p99_ms else ""
    return f"{row.scenario}{batch}{rate}{late}"


SCENARIO: Column[Row] = text_of("scenario", _scenario)


def _data(row: Row) -> str:
    kind = f" ({row.depth_kind})" if row.depth_kind else ""
    return f"{row.data}{kind}, {row.samples} images"


DATA: Column[Row] = text_of("measured on", _data)

# speed

FPS = Column[Row](
    "frames/s",
    lambda row: row.fps,
    interval=lambda row: row.fps_interval,
    meaning=always(
        "at the median latency, network input in host memory to depth in host memory; in brackets "
        "the 95 % bootstrap interval over restarts of the process"
    ),
)
WHOLE_FPS = Column[Row](
    "end-to-end frames/s",
    lambda row: row.end_to_end_fps,
    meaning=always("the same from a camera's frame to depth at its size"),
)
P50 = Column[Row]("p50", lambda row: row.latency_ms and row.latency_ms.p50, unit="ms")
P99 = Column[Row]("p99", lambda row: row.latency_ms and row.latency_ms.p99, unit="ms")


def _others(rows: Sequence[Row]) -> str:
    """Which network the rows of a table were compared with."""
    found = dict.fromkeys(row.against.name for row in rows if row.against)
    return (
        f"as {' or '.join(found)}, timed in turns, frame by frame, in the same processes; ratio of "
        "the medians and its 95 % interval"
    )


def _whole_interval(row: Row) -> tuple[float, float] | None:
    other = row.against
    if other is None or other.end_to_end_low is None or other.end_to_end_high is None:
        return None
    return other.end_to_end_low, other.end_to_end_high


TIMES = Column[Row](
    "times as fast",
    lambda row: row.against and row.against.ratio,
    fixed(2),
    interval=lambda row: (row.against.low, row.against.high) if row.against else None,
    meaning=_others,
)
WHOLE_TIMES = Column[Row](
    "end-to-end times as fast",
    lambda row: row.against and row.against.end_to_end_ratio,
    fixed(2),
    interval=_whole_interval,
)

# cost


def _memory(row: Row) -> float | None:
    peak = row.peak_resident_bytes if row.device == "cpu" else row.peak_gpu_bytes
    return None if peak is None else peak / 1e6


MB = Column[Row](
    "file",
    lambda row: row.bytes and row.bytes / 1e6,
    unit="MB",
    meaning=always("of what was timed; MB of 10^6 bytes"),
)
MEMORY = Column[Row](
    "memory",
    _memory,
    unit="MB",
    meaning=always(
        "greatest resident set of the row's own process, with Python and its libraries; on a GPU "
        "its memory"
    ),
)
PARAMS = Column[Row](
    "params", lambda row: row.deployed_params and row.deployed_params / 1e6, unit="M"
)
GMAC = Column[Row]("GMAC", lambda row: row.gmac)
ENERGY = Column[Row]("energy", lambda row: row.joules_per_picture, unit="J")
ROOFLINE = Column[Row](
    "of roofline",
    lambda row: row.ceiling and row.ceiling.share,
    percent,
    meaning=always(
        "least time of an inference by p50: what its multiply-adds or its bytes take at the "
        "machine's own rates"
    ),
)

# accuracy


def _score(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.metrics.get(name) if row.metrics else None


SCORES: Mapping[str, Column[Row]] = MappingProxyType(
    {
        metric.name: Column(metric.heading, _score(metric.name), fixed(metric.digits), metric.unit)
        for metric in ALL_METRICS.values()
    }
)
"""A column for every metric, by its name."""

D1, D2, D3, ABS_REL, RMSE = (SCORES[name] for name in ("d1", "d2", "d3", "abs_rel", "rmse"))
EDGE_F1, DBE_ACCURACY, DBE_COMPLETENESS = (
    replace(SCORES[name], meaning=always(meaning))
    for name, meaning in (
        (
            "edge_f1",
            "of occlusion boundaries, pixel by pixel at the truth's own size, after Depth Pro; "
            "scale does not matter, blur does",
        ),
        ("dbe_accuracy", "how far predicted edges lie from true ones, after iBims-1"),
        ("dbe_completeness", "how far true edges lie from predicted ones, 10 px at most"),
    )
)
TO_TORCH = Column[Row](
    f"{D1.heading} - PyTorch",
    lambda row: row.d1_minus_torch,
    signed,
    meaning=always("less that of the same weights in fp32 PyTorch"),
)
TO_OTHER = Column[Row](
    "to the other",
    lambda row: row.max_difference_to_against,
    tiny,
    "m",
    meaning=always("largest difference of depth to the other network's, over every pixel"),
)
TO_FLOAT64 = Column[Row](
    "to float64",
    lambda row: row.max_difference_to_float64,
    tiny,
    "m",
    meaning=always("the same to the network in float64 in PyTorch"),
)

# selections of rows' columns

Columns = Sequence[Column[Row]]

TERMINAL: Sequence[Columns] = (
    (NETWORK, RUNTIME, INPUT, SCENARIO),
    (FPS, P50, P99),
    (WHOLE_FPS, TIMES, WHOLE_TIMES),
    (MB, MEMORY, PARAMS, GMAC, ROOFLINE, ENERGY),
    (D1, D2, D3, ABS_REL, RMSE, TO_TORCH),
    (TO_OTHER, TO_FLOAT64),
)
"""What a terminal shows; a group stays together where a table must be split."""

WIDEST = 8
"""Columns of a table in Markdown at most."""

RESULTS: Columns = (
    NETWORK, RUNTIME, INPUT, SCENARIO, FPS, TIMES, WHOLE_FPS, MB, D1, ABS_REL, TO_OTHER,
    TO_FLOAT64,
)  # fmt: skip
SPARE: Columns = (TO_FLOAT64, TO_OTHER, WHOLE_FPS, ABS_REL)
"""What makes room first where a table in Markdown would be too wide; the JSON has it all."""

THIRD_PARTY: Columns = (NETWORK, BEGUN, INPUT, FPS, TIMES, WHOLE_TIMES, MB, D1)
FOLDING: Columns = (NETWORK, GMAC, MB, FPS, TIMES, ROOFLINE, TO_OTHER, TO_FLOAT64)
EDGES: Columns = (
    NETWORK, RUNTIME, INPUT, D1, ABS_REL, EDGE_F1, DBE_ACCURACY, DBE_COMPLETENESS,
)  # fmt: skip
CARD: Columns = (DATA, INPUT, PRECISION, FLIP, D1, ABS_REL, RMSE, MB)
SHIPPED: Columns = (
    NETWORK, INPUT, replace(FPS, interval=lambda _: None), MB, D1,
    replace(WEIGHTS, show=as_code, code=True),
)  # fmt: skip

# a row beside another


def row_of(step: Step) -> Row:
    """The row of a step."""
    return step.row


def more(column: Column[Row]) -> Column[Step]:
    """By how much a figure is above the base's."""

    def value(step: Step) -> float | None:
        own, base = column.value(step.row), column.value(step.base)
        return None if own is None or base is None or step.own else own - base

    return Column(f"{column.title} - base", value, signed)


X_BASE = Column[Step](
    "x base",
    lambda step: None if step.own else step.faster,
    fixed(2),
    interval=lambda step: (step.turns.low, step.turns.high) if step.turns else None,
    meaning=always(
        "frames/s by the base's; with brackets the two were timed in turns, frame by frame"
    ),
)
X_OLD = Column[Step]("x old", lambda step: ratio(step.row.fps, step.base.fps), times)
"""Speed now by speed then, of one row in two files."""

OF_BASE = Column[Step](
    "bytes of base",
    lambda step: None if step.own else ratio(step.row.bytes, step.base.bytes),
    fixed(2),
)
D1_MORE, ABS_REL_MORE = more(D1), more(ABS_REL)

FROM: Column[Step] = text_of("from", lambda step: step.base_name)
TO: Column[Step] = text_of("to", lambda step: step.name)
LEVER: Sequence[Column[Step]] = (
    replace(TO, heading=NETWORK.heading, value=lambda step: step.name + " (base)" * step.own),
    GMAC.of(row_of), FPS.of(row_of), X_BASE, MB.of(row_of), OF_BASE, D1.of(row_of), D1_MORE,
)  # fmt: skip
SUMMARY: Sequence[Column[Step]] = (
    text_of("lever", lambda step: step.lever), FROM, TO, X_BASE, OF_BASE, D1_MORE, ABS_REL_MORE,
)  # fmt: skip

# a published system beside what was measured of it


def _here(entry: Reproduction) -> Row | None:
    return entry.row


def _scored(entry: Reproduction) -> Row | None:
    return entry.row if entry.row and scored(entry.row) else None


def _system(entry: Reproduction) -> PublishedSystem:
    return entry.system


def _beside(entry: Reproduction) -> Step | None:
    return entry.step


def _reported(column: Column[Any], name: str) -> Column[PublishedSystem]:
    """What was reported of a column's figure; ``name`` is that of the system's attribute."""
    return Column(column.heading, attrgetter(name), as_reported, column.unit)


def _both(*names: str) -> tuple[Column[Reproduction], Column[Reproduction]]:
    """These metrics as reported, and as measured here."""
    reported = joined(*(_reported(SCORES[name], name) for name in names))
    here = joined(*(SCORES[name] for name in names)).of(_scored, "here")
    said = replace(here, value=lambda entry: here.value(entry) or entry.system.unscored or None)
    return reported.of(_system, "reported"), said


def _loss(heavy: Sequence[float | None], light: Sequence[float | None]) -> str | None:
    """By how much thresholds are lower, in hundredths."""
    found = [(a, b) for a, b in zip(heavy, light, strict=True) if a is not None and b is not None]
    return " / ".join(f"{100 * (a - b):.1f}" for a, b in found) if heavy != light else None


def _reported_loss(entry: Reproduction) -> str | None:
    return _loss(*((each.d1, each.d2, each.d3) for each in (entry.reference, entry.system)))


def _loss_here(step: Step) -> str | None:
    """Where both were judged on the same images."""
    rows = (step.base, step.row)
    if rows[0].yardstick != rows[1].yardstick or not all(map(scored, rows)):
        return None
    return _loss(*([column.value(row) for column in (D1, D2, D3)] for row in rows))


SYSTEM: Column[Reproduction] = text_of(NETWORK.heading, lambda entry: entry.system.variant)
AUTHORS: Column[Reproduction] = text_of("reported by", lambda entry: entry.system.authors)
TRAINED: Column[Reproduction] = text_of(WEIGHTS.heading, lambda entry: entry.weights)
NOTE: Column[Reproduction] = text_of("on", lambda entry: entry.note or None)

SPEEDS = _reported(FPS, "fps").of(_system, "reported"), FPS.of(_here, "here")

REPRODUCED: Sequence[Column[Reproduction]] = (
    SYSTEM, AUTHORS, *_both("d1", "abs_rel", "rmse"), *SPEEDS, TRAINED, NOTE,
)  # fmt: skip
"""Of every system that fastdepth reproduces."""

THRESHOLDS: Sequence[Column[Reproduction]] = (
    SYSTEM,
    *_both("d1", "d2", "d3"),
    Column("reported loss", _reported_loss, str),
    Column("loss", _loss_here, str).of(_beside, "here"),
)
COSTS: Sequence[Column[Reproduction]] = (
    SYSTEM,
    *SPEEDS,
    Column('reported "Mb"', lambda entry: entry.system.megabytes, as_reported),
    Column("checkpoint", lambda entry: entry.checkpoint / 1e6, fixed(1), MB.unit),
    MB.of(_here),
    TRAINED,
    NOTE,
)
GAINS: Sequence[Column[Reproduction]] = (
    SYSTEM,
    Column("reported times faster", lambda e: ratio(e.system.fps, e.reference.fps)),
    replace(X_BASE, heading="times faster", show=short).of(_beside, "here"),
    Column("reported times smaller", lambda e: ratio(e.reference.megabytes, e.system.megabytes)),
    Column("checkpoint times smaller", lambda entry: entry.fewer_params),
    Column[Step]("times smaller", lambda s: ratio(s.base.bytes, s.row.bytes)).of(_beside, "file"),
    Column[Step]("times faster", lambda step: step.faster_training).of(_beside, "training"),
)
"""Against the reference, how many times."""

RESIDUAL: Sequence[Column[Reproduction]] = (
    SYSTEM, *_both("d1", "abs_rel", "rmse"), TRAINED, NOTE,
)  # fmt: skip

# targets


def _codes(words: Sequence[str]) -> str:
    return " ".join(map(as_code, words))


RUNTIMES: Sequence[Column[Target]] = (
    replace(text_of(RUNTIME.heading, lambda target: target.name), show=as_code, code=True),
    text_of("devices", lambda target: ", ".join(target.devices)),
    text_of("precisions", lambda target: ", ".join(target.precisions)),
    replace(text_of("files", lambda target: _codes(target.suffixes) or "-"), code=True),
    replace(text_of("extra", lambda target: target.extra), show=as_code, code=True),
)
FORMATS: Sequence[Column[Target]] = (
    RUNTIMES[0],
    text_of("what it is", lambda target: target.summary),
    *RUNTIMES[1:3],
    text_of("`--format`", lambda target: target.format or "-"),
    *RUNTIMES[3:],
)
