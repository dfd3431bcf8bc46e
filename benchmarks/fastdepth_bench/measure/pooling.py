"""What all restarts of a row come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from fastdepth_bench.measure.bootstrap import Interval, median_interval, ratio_interval
from fastdepth_bench.measure.offline import Throughput
from fastdepth_bench.measure.scenarios import Queries
from fastdepth_bench.measure.timing import Pass, Timing, summarise
from fastdepth_bench.measure.trial import Trial
from fastdepth_bench.results.figures import FromDisk, Latency, QueryFigures, Stages, WarmUp


@dataclass(frozen=True)
class InTurns:
    """How many times faster a row is than the one it took turns with.

    Attributes:
        inference: of the inference alone.
        end_to_end: from frame to depth at the frame's size.
        p50: median inference of the other in these rounds [ms].
        rounds: rounds in all restarts.
    """

    inference: Interval
    end_to_end: Interval
    p50: float
    rounds: int


@dataclass(frozen=True)
class Pooled:
    """Figures of a row over all its restarts.

    Attributes:
        timing: inference: images in host memory to depth in host memory; of queries that came in
            by themselves from their arrival on.
        end_to_end: a camera's frames to depth at their size.
        stages: medians.
        fps: images per second at the median inference, or answered of those that came in by
            themselves, with its interval.
        end_to_end_fps: the same from frame to depth.
        fps_wall: images by all time of the measurement, checks of the answers included.
        restarts: processes.
        peak_resident: greatest resident set of a process [bytes]; None where unknown.
        peak_gpu: greatest memory on the GPU [bytes]; None without one.
        joules_per_picture: energy [J]; None where it cannot be read.
        in_turns: comparison with another row; None where there is none.
        queries: each an inference, or what came in by itself.
        from_disk: of what was read from disk; None where nothing was.
    """

    timing: Timing
    end_to_end: Latency
    stages: Stages
    fps: Interval
    end_to_end_fps: Interval
    fps_wall: float
    restarts: int
    queries: QueryFigures
    peak_resident: int | None = None
    peak_gpu: int | None = None
    joules_per_picture: float | None = None
    in_turns: InTurns | None = None
    from_disk: FromDisk | None = None


def pool(trials: Sequence[Trial], batch: int) -> Pooled:
    """Pool the restarts of a row; no measurement is left out.

    Args:
        trials: at least one.
        batch: images in a pass.
    """
    passes = [trial.passes for trial in trials]
    warm = WarmUp(
        n=sum(trial.warm_up.n for trial in trials),
        seconds=sum(trial.warm_up.seconds for trial in trials),
        stable=all(trial.warm_up.stable for trial in trials),
    )
    inference = _times(passes, lambda one: one.inference)
    queries = [trial.queries for trial in trials if trial.queries]
    latency = [list(found.times) for found in queries] or inference
    whole = _times(passes, lambda one: one.end_to_end)
    images = batch * sum(map(len, passes))
    joules = [trial.joules for trial in trials]
    known = [value for value in joules if value is not None]
    timing = summarise(list(chain.from_iterable(latency)), batch=batch, warm=warm)
    fps = _speed(inference, queries, batch)
    return Pooled(
        timing=timing,
        end_to_end=summarise(list(chain.from_iterable(whole)), batch=batch, warm=warm).latency,
        stages=_stages(trials),
        fps=fps,
        end_to_end_fps=median_interval(whole).inverse(batch),
        fps_wall=images / sum(trial.seconds for trial in trials),
        restarts=len(trials),
        peak_resident=_greatest([trial.peak_resident for trial in trials]),
        peak_gpu=_greatest([trial.peak_gpu for trial in trials]),
        joules_per_picture=sum(known) / images if len(known) == len(joules) else None,
        in_turns=_in_turns(trials),
        queries=_queries(timing, fps, queries),
        from_disk=_from_disk([trial.from_disk for trial in trials if trial.from_disk]),
    )


def _speed(
    inference: Sequence[Sequence[float]], queries: Sequence[Queries], batch: int
) -> Interval:
    if queries:
        return median_interval([[found.fps] for found in queries])
    return median_interval(inference).inverse(batch)


def _times(passes: Sequence[Sequence[Pass]], of: Callable[[Pass], float]) -> list[list[float]]:
    return [[of(one) for one in restart] for restart in passes]


def _stages(trials: Sequence[Trial]) -> Stages:
    every = [one for trial in trials for one in trial.passes]

    def median(times: Sequence[float | None]) -> float | None:
        known = [time for time in times if time is not None]
        return 1000 * float(np.median(known)) if known else None

    def median_of(of: Callable[[Pass], float]) -> float:
        return 1000 * float(np.median([of(one) for one in every]))

    parts = [trial.parts for trial in trials]
    compute = median([part.compute for part in parts])
    return Stages(
        decode=median([part.decode for part in parts]),
        preprocess=median_of(lambda one: one.preprocess),
        copy_in=median([part.copy_in for part in parts]),
        inference=median_of(lambda one: one.inference) if compute is None else compute,
        copy_out=median([part.copy_out for part in parts]),
        postprocess=median_of(lambda one: one.postprocess),
    )


def _in_turns(trials: Sequence[Trial]) -> InTurns | None:
    if not all(trial.rounds for trial in trials):
        return None
    own = [[first for first, _ in trial.rounds] for trial in trials]
    other = [[second for _, second in trial.rounds] for trial in trials]

    def ratio(of: Callable[[Pass], float]) -> Interval:
        return ratio_interval(_times(other, of), _times(own, of))

    times = [one.inference for restart in other for one in restart]
    return InTurns(
        inference=ratio(lambda one: one.inference),
        end_to_end=ratio(lambda one: one.end_to_end),
        p50=1000 * float(np.median(times)),
        rounds=len(times),
    )


def _queries(timing: Timing, fps: Interval, arrived: Sequence[Queries]) -> QueryFigures:
    """Of a row; the rate is the mean of the restarts, and one that could not keep up is enough."""
    rates = [found.rate for found in arrived if found.rate]
    achieved = [found.achieved_rate for found in arrived]
    return QueryFigures(
        n=timing.n,
        samples=timing.batch,
        rate=float(np.mean(rates)) if rates else None,
        achieved_rate=float(np.median(achieved)) if arrived else fps.value / timing.batch,
        p99_ms=timing.latency.p99,
        overloaded=any(found.overloaded for found in arrived) if arrived else None,
    )


def _from_disk(found: Sequence[Throughput]) -> FromDisk | None:
    if not found:
        return None
    images = sum(one.images for one in found)
    failed = sum(one.failed for one in found)
    return FromDisk(images, failed, images / sum(one.seconds for one in found))


def _greatest(values: Sequence[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
