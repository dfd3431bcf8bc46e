"""Work in a process of its own is heard, answered, and survived."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest

from fastdepth.errors import DeviceError, FastDepthError
from fastdepth_bench.measure.isolate import (
    OVER,
    ProcessError,
    in_own_process,
    one_line,
    until,
    within,
)


def tell(say, number, *, factor=1):
    say("half")
    say(f"terminal {sys.stderr.isatty()}")
    return os.getpid(), np.full(3, number * factor)


def fail(say, kind):
    raise kind("no\nmemory")


def die(say, how):
    os.kill(os.getpid(), how)


def linger(say, steps, last):
    for number in range(steps):
        time.sleep(0.3)
        say(f"step {number}")
    time.sleep(last)
    return steps


def leave(say):
    os._exit(3)


@pytest.fixture
def heard():
    return []


def test_it_answers_from_another_process_and_says_what_it_does(heard):
    process, numbers = in_own_process(tell, heard.append, 2, factor=3)
    assert process != os.getpid()
    assert numbers.tolist() == [6, 6, 6]
    assert heard == ["half", "terminal False"]


@pytest.mark.parametrize(
    ("work", "argument", "message"),
    [
        (fail, RuntimeError, "RuntimeError: no memory"),
        (fail, DeviceError, "no memory"),
        (die, signal.SIGKILL, "its process was killed by SIGKILL, as one does that takes too much"),
        (die, signal.SIGSEGV, "its process was killed by SIGSEGV"),
        (leave, None, "its process ended with status 3 and no answer"),
    ],
    ids=["exception", "error of the tree", "killed", "crash", "exit"],
)
def test_whatever_ends_it_is_one_line(work, argument, message, heard):
    arguments = () if argument is None else (argument,)
    with pytest.raises(ProcessError) as caught:
        in_own_process(work, heard.append, *arguments)
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, FastDepthError)


def test_one_that_is_silent_for_too_long_is_killed(heard):
    start = time.monotonic()
    with pytest.raises(ProcessError, match=r"did not end within 1 s .* --time-limit") as caught:
        within(1, linger, heard.append, 1, 600)
    assert heard == ["step 0"] and time.monotonic() - start < 60
    assert str(caught.value).isprintable()


def test_one_that_talks_on_is_killed_when_time_is_over(heard):
    ends = time.monotonic() + 4
    with pytest.raises(ProcessError, match=OVER):
        until(ends, linger, heard.append, 1000, 0)
    assert time.monotonic() - ends < 60


@pytest.mark.thorough
def test_one_that_is_heard_of_in_time_may_take_longer(heard):
    assert within(2, linger, heard.append, 9, 0) == 9
    assert len(heard) == 9


def test_an_exception_is_one_line():
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(DeviceError("a\n  b")) == "a b"
