"""Accuracy comes from the runner that is timed, under the protocol that is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastdepth.data import Sample, open_source, sample_list_hash
from fastdepth.metrics import ALIGNMENTS, Scores, evaluate_image
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.measure.accuracy import (
    IN_MEMORY,
    Yardstick,
    load_samples,
    measure_accuracy,
    timing_batches,
)

NATIVE = Size(32, 48)


def truthful(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The depth that the samples have."""
    return batch.mean(axis=3, dtype=np.float32)[:, None] / 50


def measured(runner: Any, samples: list[Sample], yardstick: Yardstick, size: Size) -> Scores:
    """Scores under one yardstick."""
    return measure_accuracy(runner, samples, [yardstick], size)[yardstick]


def test_a_perfect_runner_is_perfect(
    samples: list[Sample], yardstick: Yardstick, fake_runner: Callable[..., Any]
) -> None:
    scores = measured(fake_runner(truthful), samples, yardstick, NATIVE)
    assert (scores.d1, scores.rmse) == (1, pytest.approx(0, abs=1e-6))


def test_images_come_at_the_networks_size(
    samples: list[Sample], yardstick: Yardstick, fake_runner: Callable[..., Any]
) -> None:
    runner, size = fake_runner(truthful), Size(16, 24)
    scores = measured(runner, samples, yardstick, size)
    assert np.array_equal(runner.seen[0][0], resize(samples[0].image, size))
    expected = [
        evaluate_image(truthful(resize(s.image, size)[None])[0, 0], s.depth) for s in samples
    ]
    assert scores.rmse == pytest.approx(np.mean([e.rmse for e in expected if e]))
    assert scores.rmse > 0.1


def test_flip_turns_the_mirrored_depth_back(
    samples: list[Sample], fake_runner: Callable[..., Any]
) -> None:
    """Errors that grow from left to right cancel in the mean of image and mirror."""

    def leaning(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        return truthful(batch) + np.linspace(-0.5, 0.5, batch.shape[2], dtype=np.float32)

    plain = Yardstick("fake", "", 3, "0" * 12, "eigen")
    flipped = Yardstick("fake", "", 3, "0" * 12, "eigen", flip=True)
    assert measured(fake_runner(leaning), samples, plain, NATIVE).rmse > 0.2
    flip = measured(fake_runner(leaning), samples, flipped, NATIVE)
    assert flip.rmse == pytest.approx(0, abs=1e-5)


def test_each_image_is_inferred_once_for_all_alignments(
    samples: list[Sample], yardstick: Yardstick, fake_runner: Callable[..., Any]
) -> None:
    runner = fake_runner(lambda batch: 2 * truthful(batch) + 1)
    yardsticks = [replace(yardstick, alignment=name) for name in ALIGNMENTS]
    scores = measure_accuracy(runner, samples, yardsticks, NATIVE)
    assert len(runner.seen) == len(samples)
    assert list(scores) == yardsticks
    none, median, affine, *_ = (scores[each].rmse for each in yardsticks)
    assert none > median > 0.01 > affine == pytest.approx(0, abs=1e-5)


def test_edges_are_scored_when_asked_for(
    samples: list[Sample], yardstick: Yardstick, fake_runner: Callable[..., Any]
) -> None:
    jump = np.full((96, 128), 50, np.uint8)
    jump[:, 70:] = 150
    room = Sample(np.repeat(jump[..., None], 3, axis=2), jump / np.float32(50), "jump", "scene")
    runner = fake_runner(truthful)
    yardsticks = [yardstick, replace(yardstick, alignment="median")]
    size = Size(96, 128)
    scores = measure_accuracy(runner, [room], yardsticks, size, edges=True)
    for each in yardsticks:
        assert (scores[each].edge_f1, scores[each].dbe_accuracy) == (1, 0)
    small = measure_accuracy(runner, [room], [yardstick], Size(24, 32), edges=True)[yardstick]
    assert small.edge_f1 < 0.5  # compared at the truth's size
    assert "edge_f1" not in measured(runner, [room], yardstick, size).as_dict()


def test_disparity_is_scored_by_its_scale_and_shift(
    samples: list[Sample], yardstick: Yardstick, fake_runner: Callable[..., Any]
) -> None:
    disparity = replace(yardstick, alignment="affine-disparity", disparity=True)
    depth = replace(disparity, disparity=False)
    inverse = fake_runner(lambda batch: 7 / truthful(batch) - 3)
    assert measured(inverse, samples, disparity, NATIVE).rmse == pytest.approx(0, abs=1e-4)
    perfect = fake_runner(truthful)
    assert measured(perfect, samples, depth, NATIVE).rmse == pytest.approx(0, abs=1e-4)
    assert disparity.rules == depth.rules  # figures that compare
    assert "alignment affine-disparity (scale and shift of inverse depth" in disparity.rules


def test_nan_counts_as_wrong(
    samples: list[Sample], yardstick: Yardstick, fake_runner: Callable[..., Any]
) -> None:
    runner = fake_runner(lambda batch: truthful(batch) * np.float32(np.nan))
    scores = measured(runner, samples, yardstick, NATIVE)
    assert (scores.d1, scores.nonfinite) == (0, scores.pixels)


def test_yardstick_names_all_that_decides() -> None:
    source = open_source("rooms:3", "test")
    yardstick = Yardstick.of(source, "densedepth")
    assert yardstick == Yardstick("rooms", "", 3, sample_list_hash(source), "densedepth")
    assert Yardstick.of(source, "densedepth", split="train").data == "rooms train"
    line = yardstick.describe()
    for part in (
        "rooms",
        "3 samples",
        yardstick.sample_hash,
        "densedepth",
        "20:460",
        "0.1",
        "flip no",
        "alignment none",
    ):
        assert part in line


def test_timing_batches_differ(samples: list[Sample]) -> None:
    size = Size(16, 24)
    batches = timing_batches(samples, size)
    assert len({batch.tobytes() for batch in batches}) == 6
    assert {(batch.shape, batch.dtype.name) for batch in batches} == {((1, 16, 24, 3), "uint8")}
    assert all(batch.flags.c_contiguous for batch in batches)
    (mirror,) = (b for b in batches if np.array_equal(b, batches[0][:, :, ::-1]))
    assert not np.array_equal(mirror, batches[0])


def test_timing_batches_of_several(samples: list[Sample]) -> None:
    batches = timing_batches(samples[:1], Size(16, 24), batch=5)
    assert [batch.shape for batch in batches] == [(5, 16, 24, 3)] * 2
    assert not np.array_equal(*batches)


class Counted:
    """A source that counts how often it is read."""

    name = "counted"

    def __init__(self, samples: list[Sample], count: int) -> None:
        self.names = [str(number) for number in range(count)]
        self.reads = 0
        self._samples = samples

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int, /) -> Sample:
        self.reads += 1
        return self._samples[index % len(self._samples)]


def test_only_small_sources_are_held_in_memory(samples: list[Sample]) -> None:
    small, large = Counted(samples, 4), Counted(samples, IN_MEMORY + 1)
    held = load_samples(small)
    assert (len(held), held[3].name, small.reads) == (4, samples[0].name, 4)
    assert load_samples(large) is large
    assert large.reads == 0
