"""Restarts of a row become its figures, and nothing is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastdepth_bench.measure.offline import Throughput
from fastdepth_bench.measure.pooling import pool
from fastdepth_bench.measure.scenarios import Queries
from fastdepth_bench.measure.timing import Pass, summarise
from fastdepth_bench.measure.trial import Parts, Trial
from fastdepth_bench.results.figures import QueryFigures, WarmUp


def trial(inference: float, n: int = 10, **changes) -> Trial:
    passes = (Pass(0.001, inference, 0.002),) * n
    warm = WarmUp(n=3, seconds=0.5, stable=True)
    whole = Trial(passes, warm, seconds=n * 0.2, parts=Parts(decode=0.004), peak_resident=100)
    return replace(whole, **changes)


def test_all_passes_of_all_restarts_count():
    pooled = pool([trial(0.1, 10), trial(0.3, 20, peak_resident=200)], batch=2)
    assert (pooled.restarts, pooled.timing.n, pooled.timing.batch) == (2, 30, 2)
    assert pooled.timing.latency.p50 == pytest.approx(300)
    assert pooled.timing.latency.min == pytest.approx(100)
    assert pooled.end_to_end.p50 == pytest.approx(303)
    assert pooled.fps.value == pytest.approx(2 / 0.3)
    assert (pooled.fps.low, pooled.fps.high) == pytest.approx((2 / 0.3, 2 / 0.1))
    assert pooled.end_to_end_fps.value == pytest.approx(2 / 0.303)
    assert pooled.fps_wall == pytest.approx(60 / 6)
    assert pooled.peak_resident == 200
    warm = pooled.timing.warm_up
    assert (warm.n, warm.seconds, warm.stable) == (6, 1.0, True)


def test_one_restart_that_was_not_steady_makes_the_row_unsteady():
    unsteady = trial(0.1, warm_up=WarmUp(9, 2.0, stable=False))
    assert not pool([trial(0.1), unsteady], batch=1).timing.warm_up.stable


def test_stages_are_medians_in_milliseconds():
    stages = pool([trial(0.1)], batch=1).stages
    assert (stages.preprocess, stages.inference, stages.postprocess) == pytest.approx((1, 100, 2))
    assert (stages.decode, stages.copy_in, stages.copy_out) == (pytest.approx(4), None, None)


def test_on_a_device_the_inference_is_the_computation_between_the_copies():
    parts = Parts(decode=0.004, copy_in=0.001, compute=0.005, copy_out=0.002)
    pooled = pool([trial(0.009, parts=parts)], batch=1)
    stages = pooled.stages
    assert (stages.copy_in, stages.inference, stages.copy_out) == pytest.approx((1, 5, 2))
    assert pooled.timing.latency.p50 == pytest.approx(9)  # copies belong to the latency


def test_energy_is_known_only_where_every_restart_was_metered():
    assert pool([trial(0.1, joules=5.0), trial(0.1, joules=7.0)], 1).joules_per_picture == 0.6
    assert pool([trial(0.1, joules=5.0), trial(0.1)], 1).joules_per_picture is None


def test_rounds_tell_how_many_times_faster():
    rounds = ((Pass(0.001, 0.1, 0.001), Pass(0.051, 0.3, 0.051)),) * 8
    in_turns = pool([trial(0.1, rounds=rounds)] * 3, batch=1).in_turns
    assert in_turns is not None
    assert (in_turns.inference.value, in_turns.p50, in_turns.rounds) == (pytest.approx(3), 300, 24)
    assert in_turns.end_to_end.value == pytest.approx(0.402 / 0.102)
    assert pool([trial(0.1)], batch=1).in_turns is None


def test_queries_that_came_in_by_themselves_count_from_their_arrival():
    def served(times, achieved, overloaded=False):
        warm = WarmUp(3, 0.5, stable=True)
        timing = summarise(times, batch=1, warm=warm)
        return trial(0.1, queries=Queries(timing, tuple(times), achieved, 7.0, overloaded))

    pooled = pool([served([0.1, 0.3], 6.5), served([0.2, 0.6], 6.9, overloaded=True)], batch=1)
    assert pooled.timing.n == 4
    assert pooled.timing.latency.p50 == pytest.approx(250)
    assert pooled.timing.latency.max == pytest.approx(600)
    assert (pooled.fps.low, pooled.fps.high) == (6.5, 6.9)  # those answered
    assert pooled.stages.inference == pytest.approx(100)  # without waiting
    assert pooled.queries == QueryFigures(
        4, 1, rate=7, achieved_rate=pytest.approx(6.7), p99_ms=pytest.approx(591), overloaded=True
    )


def test_queries_of_the_other_scenarios_are_inferences():
    queries = pool([trial(0.1, 10), trial(0.1, 20)], batch=2).queries
    assert (queries.n, queries.samples, queries.achieved_rate) == (30, 2, pytest.approx(10))
    assert (queries.rate, queries.overloaded) == (None, None)


def test_what_was_read_from_disk_is_pooled():
    found = [
        Throughput(30, 1, "broken.jpg", 2.0, 1.0, 4),
        Throughput(50, 1, "broken.jpg", 2.0, 1.5, 4),
    ]
    pooled = pool([trial(0.1, from_disk=one) for one in found], batch=4)
    assert pooled.from_disk is not None
    assert (pooled.from_disk.pictures, pooled.from_disk.failed, pooled.from_disk.fps) == (80, 2, 20)
