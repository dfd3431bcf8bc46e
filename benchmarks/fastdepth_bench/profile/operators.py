"""Operators of a file with their cost and their time, and what they come to together."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fastdepth_bench.machine.roofline import Rates

VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Shape", "ShapeOf")
"""Operators that need not look at a feature map's bytes."""


@dataclass(frozen=True)
class Operator:
    """One operator of a file, as its runtime runs it.

    Attributes:
        name: of the operator in the runtime, which may have joined several.
        kind: what it is, ``Conv 3x3 depthwise``; operators are grouped by it.
        macs: multiply-adds of an inference; 0 of what is no convolution and no product.
        bytes: read and written in an inference, weights among them.
        seconds: median time [s].
    """

    name: str
    kind: str
    macs: int
    bytes: int
    seconds: float

    def least(self, rates: Rates) -> float:
        """Its roofline: the larger of multiply-adds and bytes over the machine's rates [s]."""
        return max(self.macs / rates.macs_per_second, self.bytes / rates.bytes_per_second)


@dataclass(frozen=True)
class Group:
    """All operators of a kind, or all of a file.

    Attributes:
        kind: what they are.
        count: their number.
        macs: multiply-adds.
        bytes: read and written.
        seconds: sum of their times [s].
        least: sum of their rooflines, each operator's own [s].
    """

    kind: str
    count: int
    macs: int
    bytes: int
    seconds: float
    least: float

    @classmethod
    def of(cls, kind: str, operators: Sequence[Operator], rates: Rates) -> Group:
        """The sums over operators."""
        return cls(
            kind,
            len(operators),
            sum(each.macs for each in operators),
            sum(each.bytes for each in operators),
            sum(each.seconds for each in operators),
            sum(each.least(rates) for each in operators),
        )

    @property
    def share(self) -> float:
        """Share of the roofline's speed: 1 is the roofline; 0 of what took no time."""
        return self.least / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Timed:
    """What a runtime says of a file.

    Attributes:
        runtime: its name and version.
        inferences: number of them; times are medians over these.
        whole: median time of an inference while it is profiled [s].
        operators: in the order in which they run.
    """

    runtime: str
    inferences: int
    whole: float
    operators: tuple[Operator, ...]


@dataclass(frozen=True)
class Profile(Timed):
    """What was found of a file.

    Attributes:
        file: its name.
        rates: what the machine does at best, on as many threads as the file had.
    """

    file: str
    rates: Rates

    def groups(self) -> list[Group]:
        """Operators by their kind, the one that takes longest first."""
        kinds = dict.fromkeys(each.kind for each in self.operators)
        found = [
            Group.of(kind, [each for each in self.operators if each.kind == kind], self.rates)
            for kind in kinds
        ]
        return sorted(found, key=lambda group: -group.seconds)

    def total(self) -> Group:
        """All operators."""
        return Group.of("total", self.operators, self.rates)

    def to_json(self) -> str:
        """All of it as JSON; times in ms."""
        groups = [_in_ms(asdict(g) | {"share": g.share}) for g in (*self.groups(), self.total())]
        operators = [
            _in_ms(asdict(each) | {"least": each.least(self.rates)}) for each in self.operators
        ]
        said = {
            "file": self.file,
            "runtime": self.runtime,
            "inferences": self.inferences,
            "whole_ms": 1000 * self.whole,
            "rates": asdict(self.rates),
            "groups": groups[:-1],
            "total": groups[-1],
            "operators": operators,
        }
        return json.dumps(said, indent=1) + "\n"


def _in_ms(figures: dict[str, object]) -> dict[str, object]:
    """The same figures with times in ms, as their names then say."""
    names = {"seconds": "ms", "least": "least_ms"}
    return {
        names.get(name, name): 1000 * value if name in names else value  # type: ignore[operator]
        for name, value in figures.items()
    }


def convolution_kind(name: str, weight: Sequence[int], image: Sequence[int] = ()) -> str:
    """A convolution by its kernel and by whether it is of each channel alone.

    Args:
        name: of the operator.
        weight: its shape, (out, in / groups, height, width).
        image: that of its input, (batch, in, height, width), where it is known; of a grey one
            no convolution is depthwise.
    """
    alone = weight[1] == 1 and weight[0] > 1 and [*image[1:2]] != [1]
    return f"{name} {kernel_of(weight)}" + " depthwise" * alone


def kernel_of(weight: Sequence[int]) -> str:
    """The sides of a kernel, ``3x3``, that a weight ends in."""
    return "x".join(map(str, weight[2:]))


def convolution_macs(weight: Sequence[int], output: Sequence[int]) -> int:
    """Multiply-adds of a convolution with a weight (out, in / groups, ...) and this output."""
    return math.prod(weight[1:]) * math.prod(output)


def transposed_macs(weight: Sequence[int], image: Sequence[int]) -> int:
    """Multiply-adds of a transposed convolution.

    Args:
        weight: its shape, (in, out / groups, height, width).
        image: that of its input, (batch, in, height, width).
    """
    return math.prod(weight) * math.prod(image) // weight[0]


def product_macs(inputs: Sequence[Sequence[int]], output: Sequence[int]) -> int:
    """Multiply-adds of a matrix product with this output.

    Args:
        inputs: shapes of the factors, each transposed or not; of the first alone, which is not,
            where the second is a constant that is not shown.
        output: (..., rows, columns).
    """
    depth = inputs[0][-1]
    if len(inputs) > 1 and all(len(shape) > 1 for shape in (*inputs[:2], output)):
        left, right, both = (math.prod(shape[-2:]) for shape in (*inputs[:2], output))
        found = math.isqrt(left * right // both)  # (m k)(k n) / (m n), however they lie
        depth = found if found**2 * both == left * right else depth
    return math.prod(output) * depth
