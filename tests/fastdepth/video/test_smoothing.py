"""The filter steadies what is still, follows what moves, and lets go of what is new."""

from __future__ import annotations

import numpy as np
import pytest

from fastdepth.video.smoothing import LAG, PAUSE, Smoother

RATE = 30


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A (160, 240, 3) uint8 RGB image with something to see everywhere."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (20, 30, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((8, 8, 1), np.float32)).astype(np.uint8)


def noisy(depth: np.ndarray, seed: int) -> np.ndarray:
    """Depth wrong by a factor of its own, as a frame's may be."""
    factor = 1 + 0.05 * np.random.default_rng(seed).standard_normal()
    return (depth * factor).astype(np.float32)


def change(depths: list[np.ndarray]) -> float:
    return float(np.mean([np.abs(np.log(b / a)).mean() for a, b in zip(depths, depths[1:])]))  # noqa: B905, RUF007


def test_a_still_scene_flickers_less(scene: np.ndarray) -> None:
    smoother, depth = Smoother(), np.full((160, 240), 2.0, np.float32)
    raw = [noisy(depth, seed) for seed in range(40)]
    filtered = [smoother(scene, each, number / RATE) for number, each in enumerate(raw)]
    assert change(filtered[5:]) < 0.5 * change(raw[5:])
    assert np.mean(filtered[5:]) == pytest.approx(2.0, rel=0.02)


def test_depth_goes_with_the_image(scene: np.ndarray) -> None:
    smoother, errors = Smoother(), []
    depth = np.where(np.arange(240) < 120, 1.5, 2.0)[np.newaxis].repeat(160, 0)
    for number in range(12):
        image, truth = (np.roll(each, 4 * number, axis=1) for each in (scene, depth))
        truth = truth.astype(np.float32)
        filtered = smoother(image, truth, number / RATE)
        errors.append(np.abs(np.log(filtered / truth))[:, 70:-10])
    assert np.mean(errors) < 0.01


def test_another_depth_is_taken_at_once(scene: np.ndarray) -> None:
    smoother = Smoother()
    for number in range(5):
        smoother(scene, np.full((160, 240), 1.0, np.float32), number / RATE)
    far = np.full((160, 240), 4.0, np.float32)
    np.testing.assert_allclose(smoother(scene, far, 5 / RATE), far, rtol=1e-3)


def test_a_cut_begins_anew(scene: np.ndarray) -> None:
    smoother = Smoother()
    smoother(scene, np.full((160, 240), 2.0, np.float32), 0.0)
    other, depth = 255 - scene, np.full((160, 240), 2.3, np.float32)
    assert np.median(np.abs(smoother(other, depth, 1 / RATE) - depth)) < 0.3 * 0.3


@pytest.mark.parametrize("time", [0.0, -1.0, PAUSE])
def test_a_pause_or_another_size_begins_anew(scene: np.ndarray, time: float) -> None:
    smoother = Smoother()
    smoother(scene, np.full((160, 240), 2.0, np.float32), 0.0)
    depth = np.full((160, 240), 2.1, np.float32)
    np.testing.assert_array_equal(smoother(scene, depth, time), depth)
    np.testing.assert_array_equal(smoother(scene[:100], depth[:100], time + 1 / RATE), depth[:100])


@pytest.mark.parametrize("rate", [15, 30, 60])
def test_a_step_is_as_late_as_it_is_said_to_be(scene: np.ndarray, rate: int) -> None:
    smoother, rest = Smoother(), []
    for number in range(60):
        metres = 2.0 if number < 20 else 2.02
        filtered = smoother(scene, np.full((160, 240), metres, np.float32), number / rate)
        rest.append(float(np.log(metres / filtered).mean()) / np.log(1.01))
    assert 0 < sum(rest[20:]) / rate <= 1.05 * LAG


@pytest.mark.parametrize("size", [(16, 16), (16, 2000), (333, 17), (48, 64)])
def test_any_size(size: tuple[int, int]) -> None:
    smoother, image = Smoother(), np.full((*size, 3), 90, np.uint8)
    for number in range(3):
        depth = noisy(np.full(size, 2.0), number)
        depth[0, 0] = 0
        filtered = smoother(image, depth, number / RATE)
        assert filtered.shape == size
        assert filtered.dtype == np.float32
        assert np.isfinite(filtered).all()
        assert filtered[0, 0] == 0
