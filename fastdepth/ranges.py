"""What options may be: ranges declared in their types, shown by --help and checked in one place.

::

    @dataclass(frozen=True)
    class Options:
        seconds: Annotated[float, real(0, 3600, above=True)] = 10.0
        threads: Annotated[int, whole(1, 1024)] | None = None

NaN and infinity are in no range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from numbers import Real
from typing import Annotated, Any, get_args, get_type_hints

from tyro.constructors import PrimitiveConstructorSpec

from fastdepth.errors import UsageError
from fastdepth.runtime.opening import LONGEST, MOST_THREADS

MANY = 10**9
"""More images, epochs, rows or minutes than anybody has."""

SHOWN = 40
"""Characters of a number that a message repeats."""


class Range(PrimitiveConstructorSpec[Any]):
    """Numbers that an option takes; stands in its ``Annotated`` type, see the module.

    Args:
        kind: int or float.
        least: least number.
        most: greatest number.
        above: whether the least itself is left out.
        below: whether the greatest itself is left out.
    """

    def __init__(self, kind: type, least: float, most: float, above: bool, below: bool) -> None:
        first = f"above {least} and" if above else f"{least} to"
        last = f"below {most}" if below else f"at most {most}" if above else str(most)
        text = f"{first} {last}" if least < most else str(most)
        # the base is frozen
        vars(self).update(text=text, ends=(least, most), open=(above, below))
        super().__init__(
            nargs=1,
            metavar=f"{kind.__name__.upper()} ({text})",
            instance_from_str=lambda words: kind(words[0]),
            is_instance=lambda value: isinstance(value, kind),
            str_from_instance=lambda value: [str(value)],
        )

    text: str
    """The range in words."""

    ends: tuple[float, float]
    open: tuple[bool, bool]

    def __repr__(self) -> str:
        return self.metavar

    def __contains__(self, value: float) -> bool:
        """Whether a number is in the range."""
        (least, most), (above, below) = self.ends, self.open
        return (least < value if above else least <= value) and (
            value < most if below else value <= most
        )


def whole(least: int, most: int) -> Range:
    """Whole numbers, both ends among them."""
    return Range(int, least, most, above=False, below=False)


def real(least: float, most: float, *, above: bool = False, below: bool = False) -> Range:
    """Numbers; ``above`` and ``below`` leave the ends out."""
    return Range(float, least, most, above, below)


Threads = Annotated[int, whole(1, MOST_THREADS)]
"""Threads or processes."""

TimeLimit = Annotated[float, real(0, LONGEST, above=True)]
"""For an inference [s]."""

FocalLength = Annotated[float, real(0, 1_000_000, above=True)]
"""Of a camera [px]; :func:`fastdepth.camera.check_focal` says which it may have."""

Seed = Annotated[int, whole(0, 2**32 - 1)]
"""What every generator of random numbers takes."""

Quantity = Annotated[int, whole(1, MANY)]
"""Of images, epochs, batches and the like."""


def check_ranges(options: object) -> None:
    """Refuse the first number of a dataclass that is not in its field's range, or not finite.

    Raises:
        UsageError: names the option, the number and the range.
    """
    for name, hint in get_type_hints(type(options), include_extras=True).items():
        ranges = [*_ranges(hint)]
        for value in _numbers(getattr(options, name, None)):
            wrong = next((each.text for each in ranges if value not in each), "")
            if wrong or not abs(value) < math.inf:
                option, shown = name.replace("_", "-"), str(value)[:SHOWN]
                raise UsageError(f"{option} {shown} must be {wrong or 'finite'}")


def check_needed(options: Any, there: object, what: str, *names: str) -> None:
    """Refuse options that mean nothing without another one, unless that is there.

    Args:
        options: a dataclass.
        there: whether it is.
        what: the other option, and what to do, for the message.
        names: of the fields that need it.

    Raises:
        UsageError: one of them is not its default.
    """
    for field in () if there else fields(options):
        if field.name in names and getattr(options, field.name) != field.default:
            flag = f"no_{field.name}" if field.default is True else field.name
            raise UsageError(f"--{flag.replace('_', '-')} is for {what}")


def _ranges(hint: Any) -> Iterator[Range]:
    """The ranges in a type; what it holds several of has one for all."""
    yield from (part for part in get_args(hint) if isinstance(part, Range))
    for part in get_args(hint):
        yield from _ranges(part)


def _numbers(value: Any) -> Iterator[float]:
    """The numbers in a value."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, Real):
        yield value  # type: ignore[misc]
