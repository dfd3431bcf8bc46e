"""What one process measures, with fakes for runners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastdepth.data import Sample
from fastdepth.size import Size
from fastdepth_bench.case import Case
from fastdepth_bench.machine.energy import EnergyMeter
from fastdepth_bench.measure.accuracy import Yardstick, timing_frames
from fastdepth_bench.measure.trial import attempt, examine


@pytest.fixture
def small(case: Case) -> Case:
    return replace(case, size=Size(16, 24))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, fake_runner: Callable[..., Any]) -> list[str]:
    """Names of the cases whose runner was opened, in their order."""
    names: list[str] = []

    def open_runner(case: Case) -> Any:
        names.append(case.name)
        return fake_runner()

    monkeypatch.setattr("fastdepth_bench.measure.trial.open_runner", open_runner)
    return names


def test_which_comes_first_alternates_and_memory_is_that_of_the_row_alone(
    small: Case, samples: list[Sample], opened: list[str]
) -> None:
    other, frames, said = replace(small, form="plain"), timing_frames(samples), []
    for other_first in (False, True):
        trial = attempt(
            said.append,
            small,
            frames,
            other,
            seconds=0.01,
            minimum_n=3,
            other_first=other_first,
        )
        assert len(trial.passes) >= 3
        assert len(trial.rounds) >= 3
        assert (trial.peak_resident is None) == other_first
    assert opened == ["unet128-dws", "unet128-dws:plain", "unet128-dws:plain", "unet128-dws"]
    assert "in turns with unet128-dws:plain" in said[1]


def test_energy_is_that_of_the_passes_whose_number_divides_it(
    small: Case,
    samples: list[Sample],
    fake_runner: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An inference takes a joule here, in the warm-up too."""
    runner = fake_runner()
    monkeypatch.setattr(EnergyMeter, "_counters", lambda _: {"NVML cuda": float(len(runner.seen))})
    monkeypatch.setattr("fastdepth_bench.measure.trial.open_runner", lambda _: runner)
    trial = attempt(lambda _: None, small, timing_frames(samples), None, seconds=0.01, minimum_n=7)
    assert trial.warm_up.n > 0
    assert trial.joules == len(trial.passes)


def test_a_row_alone_has_no_rounds(small: Case, samples: list[Sample], opened: list[str]) -> None:
    frames = timing_frames(samples)
    trial = attempt(
        lambda text: None, small, frames, None, seconds=0.01, minimum_n=3, other_first=True
    )
    assert (trial.rounds, trial.queries, trial.from_disk) == ((), None, None)
    assert trial.peak_resident is not None
    assert opened == ["unet128-dws"]


def test_a_runner_that_is_not_done_is_never_timed(
    small: Case,
    samples: list[Sample],
    yardstick: Yardstick,
    monkeypatch: pytest.MonkeyPatch,
    fake_runner: Callable[..., Any],
) -> None:
    constant = np.ones((1, 1, 16, 24), np.float32)
    monkeypatch.setattr(
        "fastdepth_bench.measure.trial.open_runner", lambda _: fake_runner(lambda _: constant)
    )
    with pytest.raises(Exception, match="not timed"):
        examine(lambda text: None, small, timing_frames(samples), samples, [yardstick])
