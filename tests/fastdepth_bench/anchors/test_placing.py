"""Points lie where their kind says, and know what the truth says there."""

from __future__ import annotations

import numpy as np
import pytest

from fastdepth.data import Sample
from fastdepth_bench.anchors.placing import CLUSTER, CLUSTERED, REACH, kinds

HEIGHT, WIDTH = 120, 160
KINDS = {kind.name: kind for kind in kinds((1, 40))}


@pytest.fixture
def sample():
    """A slope from 1 to 6 m, right part farther, below an image of random pixels."""
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    depth = np.tile(np.linspace(1, 6, WIDTH, dtype=np.float32), (HEIGHT, 1))
    return Sample(image, depth, "image/0", "scene")


@pytest.fixture
def valid():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:-10, 10:-10] = True
    return mask


def draw(name, sample, valid, noise=0.0, seed=0):
    return KINDS[name].draw(np.random.default_rng(seed), sample, valid, noise)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "8x8 ToF"])
def test_points_are_the_truth_where_it_counts(name, sample, valid):
    points = draw(name, sample, valid)
    rows, columns = points.rows.astype(int), points.columns.astype(int)
    assert len(points) > 0
    assert valid[rows, columns].all()
    assert points.depth == pytest.approx(sample.depth[rows, columns])
    assert np.isnan(points.std).all()
    assert len({*zip(rows, columns, strict=True)}) == len(points)


@pytest.mark.parametrize("name", KINDS)
def test_noise_is_a_share_of_the_distance(name, sample, valid):
    exact, noisy = (
        np.concatenate([draw(name, sample, valid, noise, seed).depth for seed in range(40)])
        for noise in (0.0, 0.1)
    )
    if name != "8x8 ToF":  # has its own
        assert 0.07 < np.std(np.log(noisy / exact)) < 0.13


@pytest.mark.parametrize("name", KINDS)
def test_the_same_seed_draws_the_same_points(name, sample, valid):
    first, second, other = (draw(name, sample, valid, 0.1, seed).depth for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", KINDS)
def test_where_nothing_counts_there_are_no_points(name, sample, valid):
    assert len(draw(name, sample, np.zeros_like(valid))) == 0


def test_how_many_there_are(sample, valid):
    found = {name: len(draw(name, sample, valid)) for name in KINDS}
    assert (found["1 random"], found["40 random"], found["tape measure"]) == (1, 40, 1)
    assert found[f"{CLUSTERED} clustered"] == CLUSTERED
    few = np.zeros_like(valid)
    few[50, 70:73] = True
    assert len(draw("40 random", sample, few)) == 3


def test_a_cluster_is_small_and_a_tape_measure_central(sample, valid):
    for seed in range(20):
        cluster = draw(f"{CLUSTERED} clustered", sample, valid, seed=seed)
        assert max(np.ptp(cluster.rows), np.ptp(cluster.columns)) <= CLUSTER * WIDTH
        tape = draw("tape measure", sample, valid, seed=seed)
        assert HEIGHT / 3 <= tape.rows[0] < 2 * HEIGHT / 3
        assert WIDTH // 3 <= tape.columns[0] < WIDTH - WIDTH // 3


def test_zones_of_the_sensor_see_what_is_in_them(sample, valid):
    points = draw("8x8 ToF", sample, valid)
    middle = np.interp(points.columns, np.arange(WIDTH), sample.depth[0])
    assert 0.02 < np.std(np.log(points.depth / middle)) < 0.06
    assert 20 < len(points) < 64 and points.depth.max() < REACH
    assert points.extent.min() > 10 and points.std == pytest.approx(0.04 * points.depth)


def test_corners_of_an_image_larger_than_its_depth(sample, valid):
    large = Sample(np.repeat(np.repeat(sample.image, 2, 0), 2, 1), sample.depth, "a", "b")
    assert len(draw("corners", large, valid)) > 10
