"""Rates are those of work that was really done, and rooflines follow from them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fastdepth.size import Size
from fastdepth_bench.machine import roofline
from fastdepth_bench.machine.roofline import SIDE, Rates, Roofline, fastest, product
from fastdepth_bench.results.figures import RooflineFigures
from fastdepth_export.cost import GraphCost

RATES = Rates(macs_per_second=50e9, bytes_per_second=10e9, threads=1)


def test_a_file_of_much_arithmetic():
    least = Roofline.of(GraphCost(6_000_000, 10_000_000_000, 25_000_000), Size(480, 640), RATES)
    assert least.arithmetic == pytest.approx(200)
    # 25 MB of file, 640 x 480 x 3 bytes of image and x 4 bytes of depth
    assert least.memory == pytest.approx(2.5 + 0.21504)
    assert (least.least, least.binds) == (least.arithmetic, "multiply-adds")
    assert least.share(250) == pytest.approx(0.8)


def test_a_file_of_many_bytes():
    least = Roofline.of(GraphCost(100_000_000, 50_000_000, 400_000_000), Size(64, 64), RATES)
    assert least.binds == "bytes"
    assert least.least == least.memory == pytest.approx(40, rel=1e-3)


def test_a_batch_reads_the_weights_once():
    cost, size = GraphCost(1_000_000, 100_000_000, 400_000_000), Size(100, 100)
    one, eight = (Roofline.of(cost, size, RATES, batch) for batch in (1, 8))
    assert eight.arithmetic == pytest.approx(8 * one.arithmetic) == pytest.approx(16)
    # 400 MB of file and 70 kB for each image with its depth, at 10 GB/s
    assert (one.memory, eight.memory) == (pytest.approx(40.007), pytest.approx(40.056))


def test_what_a_row_says_of_it():
    least = Roofline.of(GraphCost(6_000_000, 10_000_000_000, 25_000_000), Size(480, 640), RATES, 2)
    assert least.figures(500, RATES) == RooflineFigures(
        least_ms=pytest.approx(400),
        share=pytest.approx(0.8),
        binds="multiply-adds",
        macs_per_second=50e9,
        bytes_per_second=10e9,
    )


def test_the_fastest_run_counts(clock):
    lengths = itertools.chain([0.02, 0.004, 0.02], itertools.repeat(0.01))
    calls = []

    def work():
        calls.append(next(lengths))
        clock.work(calls[-1])

    assert fastest(work, seconds=0.001, minimum=5) == pytest.approx(0.004)
    assert len(calls) == 5
    assert fastest(work, seconds=0.105, minimum=1) == pytest.approx(0.01)
    assert len(calls) == 5 + 11


def test_the_product_is_one():
    left, right = np.random.default_rng(0).random((2, 32, 32), np.float32)
    np.testing.assert_allclose(product(32, 1)(), left @ right, rtol=1e-5)


def test_rates_are_work_by_time(monkeypatch):
    """Half a second for each; the work is done once, to see that it can be."""
    monkeypatch.setattr(roofline, "COPIED", 4 * 1001)  # no multiple of the threads
    monkeypatch.setattr(roofline, "fastest", lambda work, seconds: (work(), 0.5)[1])
    rates = roofline.measure_rates(2)
    assert rates == Rates(SIDE**3 / 0.5, 2 * 4 * 1001 / 0.5, threads=2)
    assert "2.1 GMAC/s" in rates.describe()
    assert "2 thread(s)" in rates.describe()


def test_a_copy_is_whole(monkeypatch):
    seen = []
    monkeypatch.setattr(roofline, "COPIED", 4 * 1001)
    monkeypatch.setattr(roofline, "fastest", lambda work, seconds: (work(), 1.0)[1])
    monkeypatch.setattr(np, "copyto", lambda target, source: seen.append(len(source)))
    roofline._copy_seconds(3, 0.1)
    assert sum(seen) == 1001
    assert len(seen) == 3
