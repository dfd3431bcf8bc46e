"""An iterator in a thread: order, bounds, errors, and that it ends."""

from __future__ import annotations

import _thread
import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.errors import FastDepthError, ImageError
from fastdepth.video.ahead import Ahead, beside


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 40), most=st.integers(1, 5), depth=st.integers(1, 3))
def test_items_come_in_their_order_and_all(count: int, most: int, depth: int) -> None:
    chain: Iterator[int] = iter(range(count))
    for _ in range(depth):
        chain = Ahead(chain, most=most, stage="counting")
    assert list(chain) == list(range(count))


def wait_until(holds, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.005)
    assert holds()


def test_no_more_than_a_few_wait() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in itertools.count():
            made.append(number)
            yield number

    ahead = Ahead(items(), most=3, stage="counting")
    wait_until(lambda: len(made) == 4)  # three wait, one is held
    time.sleep(0.05)
    assert len(made) == 4
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    assert ahead.dropped == 0
    ahead.stop()
    assert ahead.join(10)


def test_dropping_keeps_the_latest_and_counts() -> None:
    taken = threading.Event()

    def items() -> Iterator[int]:
        yield from range(100)
        taken.set()
        yield 100

    ahead = Ahead(items(), most=1, stage="counting", dropping=True)
    assert taken.wait(10)
    wait_until(lambda: ahead.dropped == 100)
    assert list(ahead) == [100]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ImageError("a frame is bad"), "a frame is bad"),
        (ValueError("odd"), "counting failed: odd"),
        (MemoryError(), "counting failed: not enough memory; make the frames smaller"),
    ],
)
def test_an_error_comes_after_the_items_before_it(raised: Exception, expected: str) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise raised

    outer = Ahead(Ahead(items(), most=2, stage="counting"), most=2, stage="doubling")
    assert next(outer) == 1
    with pytest.raises(FastDepthError, match=expected) as caught:
        next(outer)
    assert (caught.value is raised) == isinstance(raised, FastDepthError)
    assert list(outer) == []


def test_stopping_closes_the_iterator_in_its_thread() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.append(threading.current_thread().name)

    inner = Ahead(items(), most=1, stage="counting")
    outer = Ahead(iter(inner), most=1, stage="doubling")
    assert next(outer) == 0
    inner.stop()
    outer.stop()
    assert inner.join(10)
    assert outer.join(10)
    assert closed == ["fastdepth-counting"]
    assert list(outer) == []


def test_what_is_called_beside_can_be_interrupted() -> None:
    assert beside(lambda: 7) == 7
    with pytest.raises(ImageError, match="no"):
        beside(lambda: (_ for _ in ()).throw(ImageError("no")))
    ended = threading.Event()
    threading.Timer(0.05, _thread.interrupt_main).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        beside(lambda: ended.wait(20))
    assert time.monotonic() - begun < 10
    ended.set()
