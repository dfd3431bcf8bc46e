"""What is in a range passes; all else, NaN and infinity above all, is one line that names it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth.errors import UsageError
from fastdepth.ranges import Quantity, Seed, Threads, check_needed, check_ranges, real, whole

Factor = Annotated[float, real(0.5, 2)]


@dataclass(frozen=True)
class Options:
    seconds: Annotated[float, real(0, 60, above=True)] = 1.0
    decay: Annotated[float, real(0, 1, above=True, below=True)] | None = None
    share: Annotated[float, real(0, 1, below=True)] = 0.0
    zoom: tuple[Factor, Factor] | None = None
    limits: tuple[Quantity, ...] = ()
    threads: Threads | None = None
    seed: Seed = 0
    batch: Annotated[int, whole(1, 1)] | None = None
    scores: dict[str, float] = field(default_factory=dict)
    name: str = "nan"
    quick: bool = False
    shuffle: bool = True


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seconds": 60, "decay": 0.999, "share": 0, "zoom": (0.5, 2.0), "batch": 1},
        {"limits": (1, 10**9), "threads": 1024, "seed": 2**32 - 1, "scores": {"d1": -1e300}},
    ],
    ids=str,
)
def test_what_is_in_range_passes(options):
    check_ranges(Options(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 0.0}, "seconds 0.0 must be above 0 and at most 60"),
        ({"decay": 1.0}, "decay 1.0 must be above 0 and below 1"),
        ({"share": 1.0}, "share 1.0 must be 0 to below 1"),
        ({"zoom": (1.0, 2.5)}, "zoom 2.5 must be 0.5 to 2"),
        ({"limits": (3, 0)}, "limits 0 must be 1 to 1000000000"),
        ({"threads": -1}, "threads -1 must be 1 to 1024"),
        ({"seed": 99999999999999999999}, "seed 99999999999999999999 must be 0 to 4294967295"),
        ({"seed": 10**300}, f"seed 1{'0' * 39} must be 0 to 4294967295"),
        ({"batch": 2}, "batch 2 must be 1"),
        ({"scores": {"d1": math.inf}}, "scores inf must be finite"),
    ],
    ids=str,
)
def test_what_is_not_is_one_line_with_option_value_and_range(options, message):
    with pytest.raises(UsageError) as caught:
        check_ranges(Options(**options))
    assert str(caught.value) == message


@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.sampled_from(sorted(vars(Options()))))
def test_what_is_no_number_is_in_no_range(value, name):
    wrong = {"zoom": (1.0, value), "limits": (value,), "scores": {"d1": value}}
    with pytest.raises(UsageError, match=f"{name} .* must be "):
        check_ranges(Options(**{name: wrong.get(name, value)}))


def test_an_option_that_needs_another_one_is_refused_without_it():
    given = Options(share=0.5)
    check_needed(given, True, "--zoom; add that", "share")
    check_needed(given, False, "--zoom; add that", "seconds", "limits")
    with pytest.raises(UsageError, match="^--share is for --zoom; add that$"):
        check_needed(given, False, "--zoom; add that", "seconds", "share")
    with pytest.raises(UsageError, match="^--no-shuffle is for --zoom; add that$"):
        check_needed(Options(shuffle=False), False, "--zoom; add that", "shuffle")
