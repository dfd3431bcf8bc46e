"""Accuracy against number and kind of known distances, for every estimator.

The network is run once for each image; all draws of points and all estimators use its depth. All
see the same points. Where an image has none of a kind, such as corners, all answer with the
network's depth.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdepth.anchors.prior import AnchorPrior
from fastdepth.console import Advance, silent
from fastdepth.data import Sample, Source
from fastdepth.data.sample import Depth
from fastdepth.errors import DataError, UsageError
from fastdepth.metrics import evaluate_image, get_protocol
from fastdepth.preprocess import resize
from fastdepth.runtime.model import DepthModel
from fastdepth.runtime.third_party import inspect
from fastdepth.size import Size
from fastdepth.weights import find_weights, read_card
from fastdepth_bench.anchors.clip import measure_clip
from fastdepth_bench.anchors.coverage import INTERVAL, coverage, open_with_std
from fastdepth_bench.anchors.estimators import ESTIMATORS, Estimator, Prediction
from fastdepth_bench.anchors.placing import Kind, kinds
from fastdepth_bench.case import Case
from fastdepth_bench.machine.environment import EnvironmentRecorder
from fastdepth_bench.measure.accuracy import Yardstick, infer_image
from fastdepth_bench.measure.bootstrap import mean_interval
from fastdepth_bench.options import Options
from fastdepth_bench.results.anchors import AnchorRow, AnchorStudy
from fastdepth_bench.runners.opening import open_runner
from fastdepth_bench.runners.protocol import Infers

STRIDE = 4
"""Of every so many rows and columns one pixel is scored, as neighbours tell the same."""

NETWORK = "none"
"""The estimator that ignores points, and that gains are over."""

SCORED = ("d1", "rmse")
"""Metrics that are kept, and the coverage of the interval after them."""


@dataclass(frozen=True)
class Plan:
    """How points are drawn.

    Attributes:
        numbers: of random points.
        draws: times that points are drawn of each image.
        noise: standard deviation of a distance as a share of it.
    """

    numbers: tuple[int, ...] = (1, 4, 16, 64)
    draws: int = 5
    noise: float = 0.02

    @property
    def kinds(self) -> list[Kind]:
        """Kinds of points, in the order of tables."""
        return kinds(self.numbers)


Scores = NDArray[np.float64]
"""(draws, images, metrics of ``SCORED`` and coverage)."""


def measure(
    options: Options, plan: Plan, advance: Advance = silent, clip: Path | None = None
) -> AnchorStudy:
    """Run a network on all images, and every estimator on every draw of points.

    Args:
        options: of one network that answers in metres; data, split, limit and protocol are used.
        plan: how points are drawn.
        advance: moves a progress bar, a step an image and a frame.
        clip: a video on which flicker is measured too.

    Raises:
        UsageError: several networks, or one that answers with disparity.
        FastDepthError: an option that cannot work, data that cannot be read, or a file that cannot
            be exported.
    """
    options.check()
    case, source, recorder = the_case(options), options.open_data(), EnvironmentRecorder()
    advance(0, "loading")
    prior, uncertain, flicker = prior_of(case), open_with_std(case), None
    factors = uncertain.metadata.interval if uncertain else None
    found = _Found(plan, len(source), factors.at(INTERVAL) if factors else None)
    with open_runner(case) as runner:
        for index, sample in enumerate(_samples(source, advance)):
            network = _predict(runner, case, sample, prior, uncertain)
            found.add(index, sample, network, options.protocol)
        if clip:
            flicker = measure_clip(runner, case, clip, prior, plan.noise, advance)
    yardstick = Yardstick.of(source, options.protocol, split=options.split)
    return AnchorStudy(
        recorder.finish(),
        variant=case.name,
        weights=case.weights_name,
        weights_hash=case.weights_hash,
        input=case.size,
        prior=prior is not None,
        data=yardstick.data,
        depth_kind=yardstick.depth_kind,
        samples=yardstick.samples,
        sample_hash=yardstick.sample_hash,
        protocol=yardstick.protocol,
        protocol_description=yardstick.rules,
        stride=STRIDE,
        draws=plan.draws,
        noise=plan.noise,
        rows=tuple(found.rows()),
        interval=INTERVAL if factors else None,
        clip=flicker,
    )


def the_case(options: Options) -> Case:
    """The network of a run.

    Raises:
        UsageError: there are several, or it answers with disparity.
    """
    cases = options.cases()
    if len(cases) > 1:
        raise UsageError(f"{len(cases)} networks; give one, and run once for each")
    if cases[0].model and not cases[0].model.in_metres:
        raise UsageError(f"{cases[0].name} answers with disparity; distances need metres")
    return cases[0]


def prior_of(case: Case) -> AnchorPrior | None:
    """The network's own prior; None where it has none."""
    if case.model:
        metadata = inspect(case.model).metadata
        return metadata.anchor_prior if metadata else None
    return read_card(find_weights(case.weights)).anchor_prior if case.trained else None


def _samples(source: Source, advance: Advance) -> Iterator[Sample]:
    for index in range(len(source)):
        advance(1, f"image {index + 1}")
        yield source[index]


def _predict(
    runner: Infers,
    case: Case,
    sample: Sample,
    prior: AnchorPrior | None,
    uncertain: DepthModel | None,
) -> Prediction:
    """What the network says of an image, at the size of the truth."""
    size = Size(*sample.depth.shape)
    depth = resize(infer_image(runner, sample.image, case.size), size)
    std = resize(uncertain.depth_and_std(sample.image)[1], size) if uncertain else None
    return Prediction(np.maximum(depth, np.float32(1e-3)), resize(sample.image, size), prior, std)


class _Found:
    """Scores of every kind of points and every estimator."""

    def __init__(self, plan: Plan, images: int, factor: float | None) -> None:
        self._plan = plan
        self._kinds = plan.kinds
        self._factor = factor
        shape = (plan.draws, images)
        self._scores: dict[tuple[str, str], Scores] = {
            (kind.name, estimator): np.full((*shape, len(SCORED) + 1), np.nan)
            for kind in self._kinds
            for estimator in ESTIMATORS
        }
        self._points = {kind.name: np.zeros(shape) for kind in self._kinds}

    def add(self, index: int, sample: Sample, network: Prediction, protocol: str) -> None:
        """Score an image; one without a pixel that counts stays NaN."""
        valid = get_protocol(protocol).valid(sample.depth)
        alone = self._score(network.depth, network.std, sample.depth, protocol)
        if alone is None:
            return
        name = zlib.crc32(sample.name.encode())
        for kind in self._kinds:
            for draw in range(self._plan.draws):
                seed = (name, draw, zlib.crc32(kind.name.encode()))
                generator = np.random.default_rng(seed)
                points = kind.draw(generator, sample, valid, self._plan.noise)
                self._points[kind.name][draw, index] = len(points)
                for estimator in ESTIMATORS.values():
                    scores = alone
                    if len(points) and estimator.name != NETWORK:
                        answer = estimator.estimate(network, points)
                        std = None
                        if estimator.deviate and network.std is not None:
                            std = estimator.deviate(network, points)
                        scores = self._score(answer, std, sample.depth, protocol) or alone
                    self._scores[kind.name, estimator.name][draw, index] = scores

    def _score(
        self, depth: Depth, std: Depth | None, truth: Depth, protocol: str
    ) -> tuple[float, ...] | None:
        """Metrics of ``SCORED`` of an image, and coverage or NaN; None where no pixel counts."""
        some = np.s_[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
        scores = evaluate_image(depth[some], truth[some], get_protocol(protocol))
        if scores is None:
            return None
        held = math.nan
        if std is not None and self._factor:
            held = coverage(depth[some], std[some], truth[some], self._factor, protocol)
        return *(scores.values[name] for name in SCORED), held

    def rows(self) -> Iterator[AnchorRow]:
        """A row for each kind of points and each estimator.

        Raises:
            DataError: no image has a pixel that counts.
        """
        for kind in self._kinds:
            network = _scored(self._scores[kind.name, NETWORK])
            if not network.size:
                raise DataError("no image has a pixel that counts; check the depth's unit")
            for estimator in ESTIMATORS.values():
                scores = _scored(self._scores[kind.name, estimator.name])
                points = float(self._points[kind.name].mean())
                yield _row(kind, estimator, points, scores, network)


def _scored(scores: Scores) -> Scores:
    """Those of images that have any."""
    return scores[:, ~np.isnan(scores[0, :, 0])]


def _row(
    kind: Kind, estimator: Estimator, points: float, scores: Scores, network: Scores
) -> AnchorRow:
    d1, rmse = (mean_interval(scores[..., each]) for each in range(len(SCORED)))
    gain = mean_interval(scores[..., 0] - network[..., 0])
    by_draw: Sequence[tuple[float, ...]] = [
        tuple(scores[..., each].mean(axis=1).tolist()) for each in range(len(SCORED))
    ]
    held = float(scores[..., len(SCORED)].mean())
    return AnchorRow(
        kind=kind.name,
        number=kind.number,
        points=points,
        estimator=estimator.name,
        d1=d1.value,
        d1_interval=(d1.low, d1.high),
        d1_draws=by_draw[0],
        gain=gain.value,
        gain_interval=(gain.low, gain.high),
        rmse=rmse.value,
        rmse_interval=(rmse.low, rmse.high),
        rmse_draws=by_draw[1],
        coverage=None if estimator.deviate is None or math.isnan(held) else held,
    )
