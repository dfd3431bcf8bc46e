"""Image sizes, and which of them a network can take.

On the command line a size is ``WIDTHxHEIGHT`` (``640x480``); in arrays and JSON it is
``[height, width]``. :class:`Size` is the one place that knows both.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from msgspec import Meta

from fastdepth.arguments import checked
from fastdepth.errors import SizeError, UsageError

MAX_SIDE = 4096  # a larger network input is a typing error, not a wish


Side = Annotated[int, Meta(ge=1, le=2**20)]
"""Of sizes in documents from elsewhere."""


class Size(NamedTuple):
    """Height and width of an image [px]."""

    height: Side
    width: Side

    @classmethod
    @checked
    def parse(cls, text: str) -> Size:
        """Read ``640x480`` as width x height.

        Raises:
            UsageError: the text is not two positive whole numbers joined by an x.
        """
        match = re.fullmatch(r"\s*(\d+)\s*[xX]\s*(\d+)\s*", text)
        size = cls(height=int(match[2]), width=int(match[1])) if match else None
        if size is None or min(size) == 0:
            raise UsageError(f"size {text!r} is not WIDTHxHEIGHT; write for example 640x480")
        return size

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True)
class SizeRule:
    """The input sizes that a network takes.

    Attributes:
        stride: input pixels per transformer token along one side; 0 where there is no transformer.
        tokens: least and most tokens; an AdaBins head needs one for the bins and 128 for the
            queries, and has learned 500 positions.
        smallest: shortest side [px] that survives the network's down-sampling.
        multiple: both sides must be multiples of this [px].
        only: the one size that fully connected layers take; nothing else counts then.
    """

    stride: int = 0
    tokens: tuple[int, int] = (129, 500)
    smallest: int = 64
    multiple: int = 1
    only: Size | None = None

    def token_count(self, size: Size) -> int:
        """Number of transformer tokens that an input of this size gives."""
        return (size.height // self.stride) * (size.width // self.stride)

    def allows(self, size: Size) -> bool:
        """Whether a network with this rule takes this size."""
        return not self._problem(size)

    def check(self, size: Size, variant: str) -> Size:
        """Return the size, or say which are near and work.

        Raises:
            SizeError: the network cannot take this size.
        """
        reason = self._problem(size)
        if not reason:
            return size
        if self.only:
            raise SizeError(f"{variant} cannot take {size}: {reason}; use {self.only}")
        near = ", ".join(str(found) for found in self.nearest(size))
        raise SizeError(f"{variant} cannot take {size}: {reason}; nearest sizes that work: {near}")

    def _problem(self, size: Size) -> str:
        """Why a network with this rule cannot take the size; empty where it can."""
        least, most = self.tokens
        if self.only:
            return "" if size == self.only else "its fully connected layers take one size"
        if min(size) < self.smallest or max(size) > MAX_SIDE:
            return f"sides must be {self.smallest} to {MAX_SIDE} px"
        if size.height % self.multiple or size.width % self.multiple:
            return f"sides must be multiples of {self.multiple} px"
        if self.stride and not least <= self.token_count(size) <= most:
            tokens = self.token_count(size)
            return f"it gives {tokens} tokens and the bins head takes {least} to {most}"
        return ""

    def nearest(self, size: Size, count: int = 3) -> list[Size]:
        """The sizes that work with the least change of either side, in steps of the stride."""
        if self.only:
            return [self.only]
        step = self.stride or math.lcm(32, self.multiple)
        sides = range(step, 41 * step, step)
        allowed = [Size(h, w) for h in sides for w in sides if self.allows(Size(h, w))]

        def change(other: Size) -> float:
            heights = abs(math.log(other.height / max(1, size.height)))
            widths = abs(math.log(other.width / max(1, size.width)))
            return heights + widths + abs(heights - widths) / 2  # keeps the shape if it can

        return sorted(allowed, key=change)[:count]
