"""Picture sizes, and which of them a network can take.

On the command line a size is ``WIDTHxHEIGHT`` (``640x480``); in arrays and JSON it is
``[height, width]``. :class:`Size` is the one place that knows both.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from fastdepth.errors import SizeError, UsageError

MAX_SIDE = 4096  # a larger network input is a typing error, not a wish


class Size(NamedTuple):
    """Height and width of a picture [px]."""

    height: int
    width: int

    @classmethod
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
    """

    stride: int = 0
    tokens: tuple[int, int] = (129, 500)
    smallest: int = 64

    def token_count(self, size: Size) -> int:
        """Number of transformer tokens that an input of this size gives."""
        return (size.height // self.stride) * (size.width // self.stride)

    def allows(self, size: Size) -> bool:
        """Whether a network with this rule takes this size."""
        if min(size) < self.smallest or max(size) > MAX_SIDE:
            return False
        return not self.stride or self.tokens[0] <= self.token_count(size) <= self.tokens[1]

    def check(self, size: Size, variant: str) -> Size:
        """Return the size, or say which are near and work.

        Raises:
            SizeError: the network cannot take this size.
        """
        if self.allows(size):
            return size
        reason = f"sides must be {self.smallest} to {MAX_SIDE} px"
        if self.stride and min(size) >= self.smallest and max(size) <= MAX_SIDE:
            least, most = self.tokens
            reason = f"it gives {self.token_count(size)} tokens and the bins head takes "
            reason += f"{least} to {most}"
        near = ", ".join(str(found) for found in self.nearest(size))
        raise SizeError(f"{variant} cannot take {size}: {reason}; nearest sizes that work: {near}")

    def nearest(self, size: Size, count: int = 3) -> list[Size]:
        """The sizes that work with the least change of either side, in steps of the stride."""
        step = self.stride or 32
        sides = range(step, 41 * step, step)
        allowed = [Size(h, w) for h in sides for w in sides if self.allows(Size(h, w))]

        def change(other: Size) -> float:
            heights = abs(math.log(other.height / max(1, size.height)))
            widths = abs(math.log(other.width / max(1, size.width)))
            return heights + widths + abs(heights - widths) / 2  # keeps the shape if it can

        return sorted(allowed, key=change)[:count]
