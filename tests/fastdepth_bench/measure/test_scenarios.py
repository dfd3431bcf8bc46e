"""Queries come in as MLPerf says, and queueing theory agrees with what is read."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from fastdepth.errors import ParityError, UsageError
from fastdepth_bench.measure import scenarios
from fastdepth_bench.measure.scenarios import back_to_back, server, wait_until

SERVICE = 0.005


def frames(count=4):
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (count, 8, 8, 3), np.uint8))


def batches():
    return [frame[None] for frame in frames()]


@pytest.fixture
def clock(clock, monkeypatch):
    """The fake clock; sleep ends on time, and moves it."""
    monkeypatch.setattr(clock, "sleep", clock.work, raising=False)
    monkeypatch.setattr(scenarios, "time", clock)
    monkeypatch.setattr(scenarios, "SPIN", 0.0)
    return clock


@pytest.fixture
def working(fake_runner, clock):
    """Makes a runner that takes these times by the fake clock, one after the other."""

    def make(times):
        def depth(batch):
            clock.work(next(times))
            return np.ones((len(batch), 1, 8, 8), np.float32)

        return fake_runner(depth)

    return make


def steady(seconds=SERVICE):
    return itertools.repeat(seconds)


@pytest.mark.parametrize(("load", "within"), [(0.3, 0.03), (0.8, 0.06)])
def test_waiting_is_that_of_an_m_d_1_queue(working, load, within):
    """Pollaczek and Khinchine: a mean wait of load x service / 2 (1 - load) for equal services."""
    rate = load / SERVICE
    found = server(working(steady()), batches(), rate, seconds=20_000 / rate)
    wait = np.array(found.times) - SERVICE
    assert wait.min() == pytest.approx(0, abs=1e-9)
    assert wait.mean() == pytest.approx(load * SERVICE / (2 * (1 - load)), rel=within)
    assert (wait < 1e-9).mean() == pytest.approx(1 - load, abs=0.02)  # found nobody before them
    assert found.achieved_rate == pytest.approx(rate, rel=0.02)
    assert (found.rate, found.overloaded) == (rate, False)


def test_waiting_grows_with_the_spread_of_inferences(working):
    """The same for M/M/1, whose wait is twice that of M/D/1."""
    rng = np.random.default_rng(1)
    times = (rng.exponential(SERVICE) for _ in itertools.count())
    found = server(working(times), batches(), 0.5 / SERVICE, seconds=20_000 * 2 * SERVICE)
    assert np.mean(found.times) == pytest.approx(2 * SERVICE, rel=0.06)
    assert found.timing.latency.p99 == pytest.approx(1000 * 2 * SERVICE * np.log(100), rel=0.1)


def test_equal_seeds_give_equal_arrivals(working):
    def waits(seed):
        return server(working(steady()), batches(), 100, seconds=10, seed=seed).times

    assert len(waits(0)) == 1000
    assert waits(0) == pytest.approx(waits(0))
    assert waits(0) != pytest.approx(waits(1), rel=0.1)


def test_without_a_rate_four_fifths_of_the_single_stream_speed_are_offered(working):
    found = server(working(steady()), batches(), seconds=10)
    assert found.rate == pytest.approx(0.8 / SERVICE)
    assert found.timing.n == 1600
    assert not found.overloaded


def test_a_rate_that_is_too_high_is_an_overload(working):
    found = server(working(steady()), batches(), 1.25 / SERVICE, seconds=10)
    assert found.overloaded
    assert found.achieved_rate == pytest.approx(1 / SERVICE, rel=0.01)
    waits = np.array(found.times)
    assert waits[-100:].mean() > 10 * waits[:100].mean()
    assert waits.max() == pytest.approx(10 * 0.25, rel=0.2)  # a quarter of the work is left over


def test_a_short_run_just_below_the_limit_is_none(working):
    """Its last queries wait, so that it achieves clearly less than it was offered."""
    found = server(working(steady()), batches(), 0.95 / SERVICE, seconds=0.2, seed=2)
    assert found.timing.n == 38
    assert not found.overloaded


def test_a_hopeless_backlog_ends_and_what_waits_counts(working):
    runner = working(steady())
    found = server(runner, batches(), 100 / SERVICE, seconds=1)
    answered = len(runner.seen) - found.timing.warm_up.n
    assert found.timing.n == 20_000
    assert answered == pytest.approx(2 / SERVICE, rel=0.02)
    assert found.overloaded
    assert found.achieved_rate == pytest.approx(1 / SERVICE, rel=0.01)
    assert found.timing.latency.p50 > 1000  # by the answered ones alone it would be less
    assert found.timing.latency.max < 2100


def test_looking_at_an_answer_holds_no_query_up(working, clock, monkeypatch):
    """The check takes ten times as long as the inference and does not make the queue unstable."""
    timed = scenarios.timed

    def slow_check(runner, batch):
        seconds = timed(runner, batch)
        clock.work(10 * SERVICE)
        return seconds

    monkeypatch.setattr(scenarios, "timed", slow_check)
    found = server(working(steady()), batches(), 0.5 / SERVICE, seconds=40)
    assert not found.overloaded
    assert np.mean(found.times) == pytest.approx(1.5 * SERVICE, rel=0.08)
    assert found.achieved_rate == pytest.approx(0.5 / SERVICE, rel=0.05)


def test_oversleeping_counts(working, clock, monkeypatch):
    monkeypatch.setattr(clock, "sleep", lambda seconds: clock.work(seconds + 0.002))
    found = server(working(steady()), batches(), 1.0, seconds=100)
    assert found.timing.latency.p50 == pytest.approx(7)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_must_be_positive(fake_runner, rate):
    with pytest.raises(UsageError, match="positive"):
        server(fake_runner(), batches(), rate, seconds=0.1)


def test_a_wait_never_ends_early_and_seldom_late():
    late = []
    for wait in (0.0005, 0.002, 0.005) * 10:
        instant = time.perf_counter() + wait
        wait_until(instant)
        late.append(time.perf_counter() - instant)
    assert min(late) >= 0
    assert np.quantile(late, 0.25) < 0.001  # by the clock of a machine that others use as well
    before = time.process_time()
    wait_until(time.perf_counter() + 0.1)
    assert time.process_time() - before < 0.05  # most of it was slept
    wait_until(time.perf_counter() - 1)


def test_the_server_runs_by_the_real_clock_too(fake_runner):
    start = time.perf_counter()
    found = server(fake_runner(busy=0.001), batches(), 100, seconds=0.5)
    assert found.timing.n == 50
    assert time.perf_counter() - start > 0.3
    assert found.timing.latency.min >= 1


def test_every_query_counts_and_the_rate_is_no_median(working):
    times = itertools.chain([0.01] * 30, itertools.cycle([0.01, 0.03]))
    found = back_to_back(working(times), batches(), seconds=2.0)
    assert len(found.times) == found.timing.n
    assert found.achieved_rate == pytest.approx(50, rel=0.1)
    assert found.fps == found.achieved_rate
    assert found.timing.latency.p99 == pytest.approx(30)


def test_wrong_answers_and_flattering_inputs_are_refused(fake_runner):
    nan = fake_runner(lambda batch: np.full((len(batch), 1, 8, 8), np.nan, np.float32))
    with pytest.raises(ParityError, match="NaN"):
        server(nan, batches(), 1000, seconds=0.01)
    with pytest.raises(UsageError, match="different images"):
        server(fake_runner(), [batches()[0]] * 2, 1000, seconds=0.01)
