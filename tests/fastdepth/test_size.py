from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth.errors import SizeError, UsageError
from fastdepth.size import Size, SizeRule

RULE = SizeRule(stride=32)


def test_size_is_width_by_height_in_text_and_height_by_width_in_arrays():
    assert Size.parse("640x480") == (480, 640)
    assert str(Size(480, 640)) == "640x480"


@pytest.mark.parametrize("text", ["640", "640x", "axb", "0x480", "640x0", "-1x5", "640x480x3", ""])
def test_text_that_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="write for example 640x480"):
        Size.parse(text)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_text_round_trip(height, width):
    assert Size.parse(str(Size(height, width))) == (height, width)


def test_token_counts_of_the_seeds():
    assert RULE.token_count(Size(480, 640)) == 300
    assert RULE.token_count(Size(416, 544)) == 221
    assert SizeRule(stride=24).token_count(Size(312, 408)) == 221


def test_224_is_refused_with_its_token_count_and_sizes_that_work():
    with pytest.raises(SizeError, match="49 tokens and the bins head takes 129 to 500") as caught:
        RULE.check(Size(224, 224), "unet128")
    named = str(caught.value).rpartition(": ")[2].split(", ")
    assert len(named) == 3
    assert all(RULE.allows(Size.parse(name)) for name in named)


@given(
    st.integers(1, 6000),
    st.integers(1, 6000),
    st.sampled_from([RULE, SizeRule(), SizeRule(multiple=48), SizeRule(only=Size(228, 304))]),
)
def test_nearest_sizes_always_work(height, width, rule):
    nearest = rule.nearest(Size(height, width))
    assert nearest
    assert all(rule.allows(size) for size in nearest)


def test_a_size_that_works_is_its_own_nearest():
    assert RULE.nearest(Size(480, 640))[0] == Size(480, 640)


def test_a_tiny_or_giant_side_is_refused_by_its_length():
    for size in (Size(32, 4096), Size(64, 8192)):
        with pytest.raises(SizeError, match="sides must be 64 to 4096 px"):
            RULE.check(size, "unet128")


def test_the_one_size_of_a_fully_connected_network_is_named():
    rule = SizeRule(only=Size(228, 304))
    assert rule.check(Size(228, 304), "eigen") == Size(228, 304)
    with pytest.raises(SizeError, match="eigen cannot take 640x480: .* one size; use 304x228$"):
        rule.check(Size(480, 640), "eigen")


def test_sides_that_are_no_multiples_are_refused():
    with pytest.raises(SizeError, match="sides must be multiples of 32 px; nearest .*: 224x224, "):
        SizeRule(multiple=32).check(Size(228, 224), "fastdepth-mnv1")
