"""What a benchmark measured: one :class:`Row` a network, runtime, size and scenario.

The types here are the JSON of a results file, both ways, and the schema beside this file is
generated from them: see :mod:`fastdepth_bench.results.schema`. What stands after ``Attributes:``
describes the key of the same name; a unit in brackets at its end is the key's unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta

from fastdepth.metrics import METRICS
from fastdepth.size import Size
from fastdepth.variants import CHECKPOINT_BYTES
from fastdepth_export.recipe import Form

Scenario = Literal["single-stream", "multi-stream", "server", "offline"]

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
                for name, metric in METRICS.items()
            }
        }
    ),
]

SINGLE_STREAM: Scenario = "single-stream"
OFFLINE: Scenario = "offline"

LEARNT = " train"
"""Ends the name of data of the training split: that a network knows them shows that its recipe
learns, and says nothing of accuracy."""


COUNTED = {*METRICS, "pixels", "nonfinite"}
"""Keys of a row's metrics that are never negative."""


def _check_order(what: str, *values: float | None) -> None:
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
        _check_order("latency", self.min, self.p50, self.p90, p95, self.p99, self.max)
        _check_order("iqr", self.iqr, self.max - self.min)


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
        _check_order("interval", self.low, self.high)
        _check_order("interval", self.end_to_end_low, self.end_to_end_high)


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


@dataclass(frozen=True)
class Row:
    """What was measured of one network in one runtime. What could not be measured is None.

    Attributes:
        variant: network, or the name of a third-party file
        weights: tag or file name, or untrained
        weights_hash: of the weights' tensors, or of a third-party file
        untrained: random weights; metrics are None
        runtime: what ran it, a name of the table of targets
        precision: of the weights in the file
        size: network input, height and width [px]
        device: cpu, cuda or cuda:N
        threads: CPU threads of the runtime
        batch: images per inference
        params: parameters of the network as trained; None of a third-party file
        deployed_params: parameters of what was timed
        gmac: multiply-adds per image of what was timed [10^9]
        bytes: of what was timed [B]
        fps: images per second at the median latency [1/s]
        latency_ms: image in host memory to depth in host memory, over all n inferences [ms]
        n: inferences timed
        cv: standard deviation of the latency by its mean
        warm_up: what came before
        data: what accuracy was measured on
        depth_kind: which depth of it, where there are several; else empty
        samples: number of samples
        sample_hash: hash of their names
        protocol: of the accuracy
        protocol_description: the protocol and what else decides accuracy, in one line
        flip: whether depth of image and mirrored image was averaged
        metrics: accuracy by name, and the numbers of valid and of non-finite pixels
        d1_minus_torch: d1 less that of the same weights in fp32 PyTorch; None where that was not
            measured beside it
        error: why the row has no figures
        form: the exported graph: folded, plain (as written) or last-axis (softmax there)
        fold: whether the form is folded; all that old files know
        scenario: how images come in, in MLPerf's words
        model: a third-party file; None of fastdepth's own networks
        initialisation: what training began from
        weights_bytes: of the parameters alone, as stored in what was timed [B]
        checkpoint_bytes: of a training checkpoint, with AdamW's two moments [B]
        spinning: whether ONNX Runtime's threads on the CPU waited for the next inference at work;
            files from before do not say, and theirs did
        noisy: whether the coefficient of variation is above .15
        restarts: processes in which the row was timed anew
        fps_interval: 95 % bootstrap interval of fps over restarts [1/s]
        fps_wall: images by all time of the measurement, checks of the answers included [1/s]
        end_to_end_fps: images per second at the median from frame to depth at its size [1/s]
        end_to_end_fps_interval: of that, like fps_interval [1/s]
        end_to_end_ms: from the camera's frame to depth at its size, over all n passes [ms]
        stages_ms: medians of the stages [ms]
        host_copies_ms: the host's copies in the latency, timed alone; None on the CPU [ms]
        peak_resident_bytes: greatest resident set of the row's process while it was timed [B]
        peak_gpu_bytes: greatest memory of the process on its GPU; None without one [B]
        joules_per_picture: energy of the whole measurement by images; None where not read [J]
        queries: of scenarios with queries
        from_disk: images read from disk in the scenario offline
        training_images_per_second: of training steps in PyTorch, decoding left out [1/s]
        frame_size: of the timed frames, height and width [px]
        ceiling: the roofline of this machine; None on a GPU
        against: the network that took turns with this one
        metrics_minus_torch: every metric less that of fp32 PyTorch, like d1_minus_torch
        max_difference_to_torch: largest difference of depth to fp32 PyTorch's [m]
        max_difference_to_against: largest difference of depth to the other's, every pixel of the
            compared images; None where the input sizes differ [m]
        max_difference_to_float64: the same to the network in float64 in PyTorch [m]
    """

    variant: Text
    weights: Text
    weights_hash: Digits | None
    untrained: bool
    runtime: Text
    precision: Text
    size: Size
    device: Text
    threads: Natural
    batch: Natural
    params: Natural | None
    deployed_params: Natural | None
    gmac: Positive | None
    bytes: Natural | None
    fps: Positive | None
    latency_ms: Latency | None
    n: Natural | None
    cv: Amount | None
    warm_up: WarmUp | None
    data: Text
    depth_kind: Text
    samples: Natural
    sample_hash: Digits
    protocol: Text
    protocol_description: Text
    flip: bool
    metrics: ByMetric | None
    d1_minus_torch: Annotated[float, Meta(ge=-1, le=1)] | None
    error: Annotated[str, Meta(min_length=1, max_length=100_000)] | None
    form: Form = "folded"
    fold: bool = True
    scenario: Scenario = SINGLE_STREAM
    model: ThirdPartyFigures | None = None
    initialisation: Text | None = None
    weights_bytes: Count | None = None
    spinning: bool | None = None
    checkpoint_bytes: Count | None = None
    noisy: bool | None = None
    restarts: Count | None = None
    fps_interval: Span | None = None
    fps_wall: Amount | None = None
    end_to_end_fps: Amount | None = None
    end_to_end_fps_interval: Span | None = None
    end_to_end_ms: Latency | None = None
    stages_ms: Stages | None = None
    host_copies_ms: Amount | None = None
    peak_resident_bytes: Count | None = None
    peak_gpu_bytes: Count | None = None
    joules_per_picture: Amount | None = None
    queries: QueryFigures | None = None
    from_disk: FromDisk | None = None
    training_images_per_second: Positive | None = None
    frame_size: Size | None = None
    ceiling: RooflineFigures | None = None
    against: Against | None = None
    metrics_minus_torch: ByMetric | None = None
    max_difference_to_torch: Amount | None = None
    max_difference_to_against: Amount | None = None
    max_difference_to_float64: Amount | None = None

    def __post_init__(self) -> None:
        """Let ``form`` and ``fold`` say the same, whichever of the two a file had.

        Raises:
            ValueError: an interval or a score that is none.
        """
        for span in filter(None, (self.fps_interval, self.end_to_end_fps_interval)):
            _check_order("interval", *span)
        for name, score in (self.metrics or {}).items():
            most = 1 if name in METRICS and METRICS[name].higher_is_better else math.inf
            if name in COUNTED and not 0 <= score <= most:
                raise ValueError(f"{name} {score} is no such score")
        form = self.form if self.fold or self.form != "folded" else "plain"
        object.__setattr__(self, "form", form)
        object.__setattr__(self, "fold", form == "folded")

    @property
    def name(self) -> str:
        """The network, with ``:plain`` or ``:last-axis`` after it where it is not folded."""
        return self.variant if self.form == "folded" else f"{self.variant}:{self.form}"

    @property
    def target(self) -> str:
        """Runtime, and precision where it is not fp32."""
        return self.runtime if self.precision == "fp32" else f"{self.runtime} {self.precision}"

    @property
    def yardstick(self) -> tuple[str, str, str, str]:
        """What must agree before two rows' scores compare."""
        return self.data, self.depth_kind, self.sample_hash, self.protocol_description

    @property
    def learnt(self) -> bool:
        """Whether the scores are of images that the network was trained on."""
        return self.data.endswith(LEARNT)

    @property
    def checkpoint(self) -> int | None:
        """Bytes of a training checkpoint; counted where the file does not say."""
        return self.checkpoint_bytes or (self.params and self.params * CHECKPOINT_BYTES)
