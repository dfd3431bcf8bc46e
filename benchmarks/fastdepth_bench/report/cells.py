"""A column, and how its cells are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastdepth.streams import in_a_line

T = TypeVar("T")
S = TypeVar("S")

Show = Callable[[Any], str]


def short(value: float) -> str:
    """Three digits or more: 2.41, 24.1, 241."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def fixed(digits: int) -> Show:
    """So many decimals."""
    return lambda value: f"{value:.{digits}f}"


def signed(value: float) -> str:
    """Four decimals with a sign; what rounds to nothing is +0.0000."""
    return f"{round(value, 4) + 0.0:+.4f}"


def times(value: float) -> str:
    """``2.41x``."""
    return f"{value:.2f}x"


def tiny(value: float) -> str:
    """A difference by its order of magnitude: 4.3e-06."""
    return f"{value:.1e}" if value else "0"


def percent(value: float) -> str:
    """A share in hundredths."""
    return f"{100 * value:.0f} %"


def as_reported(value: float) -> str:
    """As many digits as were published."""
    return f"{value:g}"


@dataclass(frozen=True)
class Column(Generic[T]):
    """A column of a table, or an axis of a plot.

    Attributes:
        heading: its name.
        value: what it says of a row; None where there is nothing to say.
        show: a value as text.
        unit: of the value, printed after the heading.
        interval: the 95 % interval of the value; None where there is none.
        words: whether it holds words, which stand to the left.
        code: whether its text is Markdown, of code.
        meaning: what a reader must know of it, printed below tables; may depend on their rows.
    """

    heading: str
    value: Callable[[T], Any]
    show: Show = short
    unit: str = ""
    interval: Callable[[T], tuple[float, float] | None] = lambda _: None
    words: bool = False
    code: bool = False
    meaning: Callable[[Sequence[T]], str] = lambda _: ""

    @property
    def title(self) -> str:
        """Heading and unit."""
        return f"{self.heading} {self.unit}".rstrip()

    def text(self, entry: T) -> str:
        """The cell of a row: ``2.41 [2.30, 2.52]``, without brackets where there is no interval."""
        value, span = self.value(entry), self.interval(entry)
        if value is None:
            return ""
        shown = in_a_line(self.show(value))
        return f"{shown} [{self.show(span[0])}, {self.show(span[1])}]" if span else shown

    def of(self, part: Callable[[S], T | None], who: str = "") -> Column[S]:
        """The same column of something that has such a row, or has none.

        Args:
            part: the row; None leaves the cell empty.
            who: stands before the heading.
        """

        def value(entry: S) -> Any:
            found = part(entry)
            return None if found is None else self.value(found)

        def interval(entry: S) -> tuple[float, float] | None:
            found = part(entry)
            return None if found is None else self.interval(found)

        heading = f"{who} {self.heading}".lstrip()
        return Column(heading, value, self.show, self.unit, interval, self.words, self.code)


def text_of(heading: str, value: Callable[[T], Any]) -> Column[T]:
    """A column of words."""
    return Column(heading, value, str, words=True)


def as_code(value: str) -> str:
    """In Markdown, as code."""
    return f"`{value.replace('`', '')}`"


def joined(*columns: Column[T]) -> Column[T]:
    """Several figures in one column: ``0.903 / 0.984 / 0.997``; empty where there is none."""

    def value(entry: T) -> str | None:
        found = [column.text(entry) for column in columns]
        return " / ".join(each or "-" for each in found) if any(found) else None

    return Column(" / ".join(column.title for column in columns), value, str)


def always(text: str) -> Callable[[Sequence[Any]], str]:
    """A meaning that does not depend on the rows."""
    return lambda _: text
