"""What the figures of a row are made of: their types and ranges, and the groups that they come in.

What stands after ``Attributes:`` describes the key of the same name; a unit in brackets at its end
is the key's unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta

from fastdepth.metrics import ALL_METRICS
from fastdepth.size import Size

Text = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[float, Meta(ge=1e-9, le=1e18)]
"""Figures of which ratios are taken, so that these are finite too."""

Natural = Annotated[int, Meta(ge=1, le=2**53)]
Amount = Annotated[float, Meta(ge=0, le=1e18)]
Finite = Annotated[float, Meta(ge=-1e18, le=1e18)]
Digits = Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
Span = tuple[Positive, Positive]
ByMetric = Annotated[
    dict[Text, Finite],
    Meta(
        extra_json_schema={
            "properties": {
                name: {"type": "number", "description": f"{metric.heading} {metric.unit}".strip()}
                for name, metric in ALL_METRICS.items()
            }
        }
    ),
]


def check_order(what: str, *values: float | None) -> None:
    """Raise ValueError unless the values that are there grow, but for rounding."""
    found = [value for value in values if value is not None]
    if any(high < low - 1e-9 * abs(low) for low, high in pairwise(found)):
        raise ValueError(f"{what} {found} is in no order")


@dataclass(frozen=True)
class Latency:
    """A distribution of times, none left out.

    Attributes:
        p50: median [ms]
        p90: 90th percentile [ms]
        p95: 95th percentile; absent in old files [ms]
        p99: 99th percentile [ms]
        min: fastest [ms]
        max: slowest [ms]
        iqr: distance of the quartiles [ms]
    """

    p50: Positive
    p90: Positive
    p99: Positive
    min: Positive
    max: Positive
    iqr: Amount
    p95: Positive | None = None

    def __post_init__(self) -> None:
        """Refuse a distribution that is none.

        Raises:
            ValueError: its figures are not in their order.
        """
        p95 = self.p90 if self.p95 is None else self.p95
        check_order("latency", self.min, self.p50, self.p90, p95, self.p99, self.max)
        check_order("iqr", self.iqr, self.max - self.min)


@dataclass(frozen=True)
class WarmUp:
    """What came before the measurement.

    Attributes:
        n: inferences
        seconds: how long it took [s]
        stable: whether the median stood still before time was up
    """

    n: Count
    seconds: Amount
    stable: bool


@dataclass(frozen=True)
class Stages:
    """Median time of each stage; None for what there is none of.

    Attributes:
        decode: a frame from JPEG in memory; no part of the way from frame to depth [ms]
        preprocess: frames to the network's input [ms]
        copy_in: images to a device of its own memory [ms]
        inference: the network; where nothing is copied, all between image and depth in host memory
            [ms]
        copy_out: depth back to the host [ms]
        postprocess: depth to the size of the frames [ms]
    """

    decode: Amount | None
    preprocess: Amount
    copy_in: Amount | None
    inference: Positive
    copy_out: Amount | None
    postprocess: Amount


@dataclass(frozen=True)
class QueryFigures:
    """Queries of the scenarios that have some.

    Attributes:
        n: queries
        samples: images in each
        rate: at which they came by themselves; None where each waits for the one before [1/s]
        achieved_rate: at which they were answered [1/s]
        p99_ms: 99th percentile of their latency [ms]
        overloaded: whether they came faster than they could be answered
    """

    n: Count
    samples: Natural
    rate: Positive | None = None
    achieved_rate: Positive | None = None
    p99_ms: Positive | None = None
    overloaded: bool | None = None


@dataclass(frozen=True)
class FromDisk:
    """Images read from disk, decoded, resized and inferred, in the scenario offline.

    Attributes:
        pictures: how many images
        failed: how many of them could not be read
        fps: images per second by the clock on the wall [1/s]
    """

    pictures: Natural
    failed: Count
    fps: Positive


@dataclass(frozen=True)
class RooflineFigures:
    """Least time on this machine, and its share of the median latency.

    Attributes:
        least_ms: least time of an inference [ms]
        share: of the median latency; 1 is the roofline
        binds: what decides it
        macs_per_second: float32 multiply-adds that the machine did at best [1/s]
        bytes_per_second: bytes that it copied at best, read and written [B/s]
    """

    least_ms: Positive
    share: Positive
    binds: Literal["multiply-adds", "bytes"]
    macs_per_second: Positive
    bytes_per_second: Positive


@dataclass(frozen=True)
class Against:
    """The other network that took turns with this one, and how many times faster this one is.

    Attributes:
        name: of the other, with its form where it is not folded
        ratio: median latency of the other by this one's
        low: lower end of its 95 % interval
        high: upper end of its 95 % interval
        size: input of the other, height and width [px]
        end_to_end_ratio: the same from frame to depth
        end_to_end_low: lower end of its 95 % interval
        end_to_end_high: upper end of its 95 % interval
        p50_ms: median latency of the other in these rounds [ms]
        rounds: rounds in all restarts
    """

    name: Text
    ratio: Positive
    low: Positive
    high: Positive
    size: Size | None = None
    end_to_end_ratio: Positive | None = None
    end_to_end_low: Positive | None = None
    end_to_end_high: Positive | None = None
    p50_ms: Positive | None = None
    rounds: Natural | None = None

    def __post_init__(self) -> None:
        """Refuse intervals that are none.

        Raises:
            ValueError: the lower end is above the upper one.
        """
        check_order("interval", self.low, self.high)
        check_order("interval", self.end_to_end_low, self.end_to_end_high)


@dataclass(frozen=True)
class ThirdPartyFigures:
    """An ONNX file that fastdepth did not write.

    Attributes:
        file: its name
        normalise: what it wants of pixels; None where the file does it
        output: metres or disparity
        hash: of the file
    """

    file: Text
    normalise: Text | None
    output: Text
    hash: Text
