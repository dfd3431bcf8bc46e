"""What every reader of foreign bytes must hold, and inputs that try to break it.

A family is one reader with a strategy of hostile inputs. Each input is either answered or refused
by a :class:`~fastdepth.errors.FastDepthError` of one line; anything else (another exception, more
than :data:`LIMIT` seconds, more than :data:`MEMORY` bytes, an assertion of the reader's own about
what it answered) is a fall. Inputs are bytes, so that a fallen one can be kept as a file below
``tests/fuzz/found/FAMILY`` and is tried first ever after.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fastdepth.errors import FastDepthError

LIMIT = 20
"""A reader that needs longer than this hangs [s]."""

MEMORY = 1_000_000_000
"""A reader whose input makes the process grow by more than this has no bound [bytes]."""

LINE = 2_000
"""Characters that a message has at most: it tells of the input and does not repeat it."""

ROUND = 40
"""Inputs that are drawn from one seed."""

FOUND = Path(__file__).parent / "fuzz" / "found"


class HangError(BaseException):
    """A reader took too long; no Exception, for a reader may turn each of those into its own."""


@dataclass(frozen=True)
class Family:
    """One reader and what is thrown at it.

    Attributes:
        name: as the table of ``docs/reliability.md`` has it, and folder of its found inputs.
        inputs: strategy of hostile inputs.
        read: gives one input to the reader, with an empty folder to write into; asserts what must
            hold of an answer (finite, positive, of the right shape).
    """

    name: str
    inputs: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], object]


@dataclass
class Tally:
    """How the inputs of a family ended."""

    answered: int = 0
    refused: int = 0
    fell: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """All inputs."""
        return self.answered + self.refused + len(self.fell)


def attack(family: Family, folder: Path, seconds: float, first_seed: int = 0) -> Tally:
    """Try what was found before, then new inputs until the time is up.

    Args:
        family: reader and inputs.
        folder: gets a sub-folder an input, for as long as it is tried, and what fell.
        seconds: how long new inputs are drawn; at least one round is.
        first_seed: seed of the first round; the next rounds take the numbers after it.
    """
    tally = Tally()
    for path in sorted((FOUND / family.name).glob("*")):
        _try(family, path.read_bytes(), folder, tally)
    until = time.monotonic() + seconds
    for number in _rounds(first_seed, until):

        @seed(number)
        @settings(
            max_examples=ROUND,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(family.inputs)
        def draw(data: bytes) -> None:
            _try(family, data, folder, tally)

        draw()
    return tally


def _rounds(first: int, until: float) -> Iterator[int]:
    """Seeds, one at least, until the clock says so."""
    number = first
    while number == first or time.monotonic() < until:
        yield number
        number += 1


def _try(family: Family, data: bytes, folder: Path, tally: Tally) -> None:
    """One input; a fall is kept as a file in ``folder`` and told in the tally."""
    name = hashlib.sha256(data).hexdigest()[:12]
    place = folder / f"{tally.tried}"
    place.mkdir()
    before = _peak()
    try:
        with _time_limit(LIMIT):
            family.read(data, place)
        fault = ""
        refused = False
    except FastDepthError as error:
        text = str(error)
        fault = "" if 0 < len(text) <= LINE else f"a message of {len(text)} characters"
        refused = True
    except (Exception, HangError) as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__}: {str(error)[:200]!r} ({where.filename}:{where.lineno})"
        refused = False
    shutil.rmtree(place, ignore_errors=True)  # pytest would at the end, minutes for thousands
    if not fault and _peak() - before > MEMORY:
        fault = f"{(_peak() - before) / 1e9:.1f} GB of memory"
    if fault:
        (folder / f"fell-{name}").write_bytes(data)
        tally.fell.append(f"{name}: {fault}")
    elif refused:
        tally.refused += 1
    else:
        tally.answered += 1


def _peak() -> int:
    """Most memory that the process ever had [bytes]."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Raise HangError out of a body that takes longer."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"hangs: more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# Strategies that families share.

NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)


def damaged(good: Sequence[bytes], most: int = 4) -> st.SearchStrategy[bytes]:
    """Good files with one to ``most`` faults: cut, bits turned, parts lost, doubled or foreign."""
    return _damaged(lambda: good, most)  # hypothesis would print whole files


@st.composite
def _damaged(draw: st.DrawFn, good: Callable[[], Sequence[bytes]], most: int) -> bytes:
    data = bytearray(draw(st.sampled_from(range(len(good()))).map(good().__getitem__)))
    for _ in range(draw(st.integers(1, most))):
        _DAMAGE[draw(st.integers(0, len(_DAMAGE) - 1))](draw, data)
    return bytes(data)


def _span(draw: st.DrawFn, data: bytearray) -> slice:
    """Somewhere in the data, more often in its first part, where headers are."""
    end = draw(st.sampled_from([64, 512, len(data)]))
    start = draw(st.integers(0, max(0, min(end, len(data)) - 1)))
    return slice(start, start + draw(st.integers(1, 64)))


def _cut(draw: st.DrawFn, data: bytearray) -> None:
    del data[_span(draw, data).start :]


def _lose(draw: st.DrawFn, data: bytearray) -> None:
    del data[_span(draw, data)]


def _turn(draw: st.DrawFn, data: bytearray) -> None:
    if data:
        data[_span(draw, data).start] ^= draw(st.sampled_from([1, 128, 255]))


def _double(draw: st.DrawFn, data: bytearray) -> None:
    where = _span(draw, data)
    data[where.stop : where.stop] = data[where]


def _foreign(draw: st.DrawFn, data: bytearray) -> None:
    data[_span(draw, data)] = draw(st.binary(max_size=64))


def _number(draw: st.DrawFn, data: bytearray) -> None:
    """Write an extreme number over 1, 2, 4 or 8 bytes of a header."""
    width = draw(st.sampled_from([1, 2, 4, 8]))
    value = draw(st.sampled_from(NUMBERS)) % 2 ** (8 * width)
    start = _span(draw, data).start
    data[start : start + width] = value.to_bytes(width, draw(st.sampled_from(["little", "big"])))


_DAMAGE: tuple[Callable[[st.DrawFn, bytearray], None], ...] = (
    _cut,
    _lose,
    _turn,
    _double,
    _foreign,
    _number,
)

_WORDS = "|a| =1+1 -1 nan inf 1e999 true null ../../x /dev/zero \0 \x1b[31mred \u202eltr \ufeff"
HOSTILE_TEXT = st.sampled_from([*_WORDS.split(" "), "", " ", "a\nb", "x" * 5000])
"""Words that do harm where they are printed, opened, parsed or calculated with."""

HOSTILE_VALUES: st.SearchStrategy[Any] = st.one_of(
    HOSTILE_TEXT,
    st.sampled_from((None, True, False, [], {}, [[]], [{}], {"": None})),
    st.sampled_from((0, -1, 1, 2**31, 2**63, 10**400, -(10**30))),
    st.sampled_from((0.0, -0.0, 0.5, -1.5, 1e-300, 1e300, math.nan, math.inf, -math.inf)),
).map(copy.deepcopy)  # a list that is drawn may be spoiled further
"""Values that a document has where it should have another."""


@st.composite
def spoiled(draw: st.DrawFn, good: Sequence[Any], most: int = 3) -> Any:
    """Good documents (of dicts, lists and plain values) with some values or keys spoiled."""
    document = json.loads(json.dumps(draw(st.sampled_from(list(good)))))
    for _ in range(draw(st.integers(1, most))):
        document = _spoil(draw, document)
    return document


def _hostile_value(draw: st.DrawFn) -> Any:
    """A value of its own, so that no list comes to hold itself."""
    return copy.deepcopy(draw(HOSTILE_VALUES))


def _spoil(draw: st.DrawFn, node: Any) -> Any:
    """Walk down at random, then replace, drop, add or rename what is there."""
    if not isinstance(node, dict | list) or not node or draw(st.integers(0, 7)) == 0:
        return _hostile_value(draw)
    key: Any = draw(st.sampled_from(sorted(node))) if isinstance(node, dict) else None
    key = draw(st.integers(0, len(node) - 1)) if key is None else key
    match draw(st.sampled_from(("walk", "walk", "walk", "drop", "add"))):
        case "walk":
            node[key] = _spoil(draw, node[key])
        case "drop":
            del node[key]
        case "add" if isinstance(node, dict):
            node[draw(HOSTILE_TEXT)] = _hostile_value(draw)
        case "add":
            node.append(_hostile_value(draw))
    return node


def as_json(document: Any) -> bytes:
    """The document as JSON, NaN and infinities as Python writes them."""
    return json.dumps(document).encode()
