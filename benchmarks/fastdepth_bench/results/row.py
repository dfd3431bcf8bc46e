"""What a benchmark measured: one :class:`Row` a network, runtime, size and scenario.

The types here are the JSON of a results file, both ways, and the schema beside this file is
generated from them: see :mod:`fastdepth_bench.results.schema`. What stands after ``Attributes:``
describes the key of the same name; a unit in brackets at its end is the key's unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from fastdepth.data.nyu.files import DRAWN
from fastdepth.metrics import ALL_METRICS, DEFAULT_ALIGNMENT
from fastdepth.size import Size
from fastdepth.variants import CHECKPOINT_BYTES
from fastdepth_bench.results.figures import (
    Against,
    Amount,
    ByMetric,
    Count,
    Digits,
    FromDisk,
    Latency,
    Natural,
    Positive,
    QueryFigures,
    RooflineFigures,
    Span,
    Stages,
    Text,
    ThirdPartyFigures,
    WarmUp,
    check_order,
)
from fastdepth_export.recipe import Form

Scenario = Literal["single-stream", "multi-stream", "server", "offline"]

SINGLE_STREAM: Scenario = "single-stream"
OFFLINE: Scenario = "offline"

ROOMS = "rooms"
"""Name of the data that is drawn on the fly: scores on it say nothing of accuracy on images."""

LEARNT = " train"
"""Ends the name of data of the training split: that a network knows them shows that its recipe
learns, and says nothing of accuracy."""


COUNTED = {*ALL_METRICS, "pixels", "nonfinite"}
"""Keys of a row's metrics that are never negative."""


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
        alignment: what was fitted to the truth of each image before it was scored; files from
            before do not say, and nothing was, but of disparity
        flip: whether depth of image and mirrored image was averaged
        metrics: accuracy by name, and the numbers of valid and of non-finite pixels; of edges only
            where that was asked for
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
        joules_per_picture: energy of the timed passes by their images; None where not read [J]
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
    alignment: Text = DEFAULT_ALIGNMENT
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
            check_order("interval", *span)
        for name, score in (self.metrics or {}).items():
            most = 1 if name in ALL_METRICS and ALL_METRICS[name].higher_is_better else math.inf
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
    def yardstick(self) -> tuple[str, ...]:
        """What must agree before two rows' scores compare."""
        rules = self.protocol_description, self.alignment
        return self.data, self.depth_kind, self.sample_hash, *rules

    @property
    def aligned(self) -> bool:
        """Whether the scores are of depth that was fitted to the truth."""
        return self.alignment != DEFAULT_ALIGNMENT

    @property
    def drawn(self) -> bool:
        """Whether the scores are of rooms that fastdepth draws, whose depth is exact."""
        return self.data == ROOMS or self.depth_kind == DRAWN

    @property
    def learnt(self) -> bool:
        """Whether the scores are of images that the network was trained on."""
        return self.data.endswith(LEARNT)

    @property
    def checkpoint(self) -> int | None:
        """Bytes of a training checkpoint; counted where the file does not say."""
        return self.checkpoint_bytes or (self.params and self.params * CHECKPOINT_BYTES)
