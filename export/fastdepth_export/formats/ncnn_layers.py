"""ncnn's files, a .param and a .bin, as layers; and the same layers in half precision or in 8 bits.

In half precision weights are stored; what is computed in it is said elsewhere. A layer in 8 bits
has ``8=`` in the .param. In the .bin its weights are int8, and behind its bias lie the factors that
made integers of them, one per output channel or group, and the factor of the features that it
reads. ncnn rounds these as it reads them, sums in integers, and answers in single precision with
bias and activation. It could also answer in 8 bits where such a layer reads next, which changes
nothing of the depth and is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth_export.compress.early import EARLY, EARLY_IN_8_BITS

CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise")

PRODUCTS = (*CONVOLUTIONS, "InnerProduct")
"""Layers that ncnn can compute in 8 bits, all but its attention."""

TAGS: Mapping[int, type[np.generic]] = MappingProxyType(
    {0: np.float32, 0x01306B47: np.float16, 0x000D4B38: np.int8}
)
"""What stands before weights in a .bin, and the type that it means."""

GREATEST, GREATEST_OF_3X3 = 127, 31
"""Integers go so far. Weights of 3x3 convolutions without a stride have 6 bits, for ncnn multiplies
them by Winograd's algorithm, where greater ones would overflow 16 bits."""

PER_GROUP, PER_CHANNEL = 1, 2
"""What ``8=`` says of the factors of the weights."""

LEAST = 1e-6
"""Features and weights of which none is larger count as so large."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A line of a .param, with what the .bin holds for it.

    Attributes:
        kind: of layer.
        name: its own.
        reads: blobs that go in.
        makes: blobs that come out.
        options: NUMBER=VALUE, as they are written.
        arrays: of the .bin, each flat; float32, but for weights that are float16 or int8.
    """

    kind: str
    name: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    options: tuple[str, ...] = ()
    arrays: tuple[NDArray[Any], ...] = ()

    @classmethod
    def parse(cls, line: str) -> Layer:
        """A line, without what the .bin holds."""
        kind, name, count_in, count_out, *words = line.split()
        first, last = int(count_in), int(count_in) + int(count_out)
        reads, makes, options = words[:first], words[first:last], words[last:]
        return cls(kind, name, tuple(reads), tuple(makes), tuple(options))

    def __str__(self) -> str:
        """The line."""
        counts = str(len(self.reads)), str(len(self.makes))
        return " ".join([self.kind, self.name, *counts, *self.reads, *self.makes, *self.options])

    @property
    def in_8_bits(self) -> bool:
        """Whether it is computed in 8 bits."""
        return self.kind in PRODUCTS and self.number(8) > 0

    def number(self, option: int, usual: int = 0) -> int:
        """An option that is a whole number; ``usual`` where it is not written."""
        options = dict(word.split("=", 1) for word in self.options)
        return int(options.get(str(option), usual))


def read_layers(param: str) -> list[Layer]:
    """Layers of a .param, without what the .bin holds."""
    return [Layer.parse(line) for line in param.splitlines()[2:]]


def write_layers(layers: Sequence[Layer]) -> str:
    """The .param."""
    blobs = sum(len(layer.makes) for layer in layers)
    return "\n".join(["7767517", f"{len(layers)} {blobs}", *map(str, layers), ""])


def read_arrays(layers: Iterable[Layer], content: bytes) -> list[Layer]:
    """Layers with what a .bin holds for them.

    Raises:
        ValueError: the .bin is not theirs, or is of layers that are not known here.
    """
    at, found = 0, []
    for layer in layers:
        arrays = []
        for count, tagged in _layout(layer):
            kind: Any = np.float32
            if tagged:
                tag = int.from_bytes(content[at : at + 4], "little")
                if tag not in TAGS:
                    raise ValueError(f"weights of {layer.name} are of type {tag:#x}")
                kind, at = TAGS[tag], at + 4
            arrays.append(np.frombuffer(content, kind, count, at))
            at += -(-arrays[-1].nbytes // 4) * 4
        found.append(replace(layer, arrays=tuple(arrays)))
    if at != len(content):
        raise ValueError(f"{len(content) - at} bytes of weights belong to no layer that is known")
    return found


def write_arrays(layers: Iterable[Layer]) -> bytes:
    """The .bin."""
    tags = {np.dtype(kind): tag.to_bytes(4, "little") for tag, kind in TAGS.items()}
    parts = []
    for layer in layers:
        for values, (_, tagged) in zip(layer.arrays, _layout(layer), strict=True):
            part = (tags[values.dtype] if tagged else b"") + values.tobytes()
            parts.append(part + bytes(-len(part) % 4))
    return b"".join(parts)


def _layout(layer: Layer) -> list[tuple[int, bool]]:
    """Lengths of the arrays that a .bin holds for a layer, and whether a tag stands before each."""
    number = layer.number
    found: list[tuple[int, bool]] = []
    if layer.kind in (*CONVOLUTIONS, "Deconvolution"):
        found = [(number(6), True), *[(number(0), False)] * number(5)]
    elif layer.kind == "InnerProduct":
        found = [(number(2), True), *[(number(0), False)] * number(1)]
    elif layer.kind == "Gemm":
        rows, columns, depth = number(7), number(8), number(9)
        third = (1, rows, rows, rows * columns, columns)[number(10)]
        sizes = {4: rows * depth, 5: columns * depth, 6: third}
        found = [(size, True) for option, size in sizes.items() if number(option)]
    elif layer.kind == "MultiHeadAttention":
        width = number(0)
        sizes_in = number(2) // width, number(3, width), number(4, width)
        found = [part for size in sizes_in for part in ((width * size, True), (width, False))]
        found += [(number(2), True), (sizes_in[0], False)]
    elif layer.kind == "LayerNorm":
        found = [(number(0), False)] * 2 * number(2, 1)
    elif layer.kind == "BatchNorm":
        found = [(number(0), False)] * 4
    elif layer.kind == "MemoryData":
        found = [(prod(number(side) or 1 for side in (0, 1, 2, 11)), not number(21, 1))]
    if layer.in_8_bits:
        found += [(_groups(layer), False), (1, False)]
    return found


def _groups(layer: Layer) -> int:
    """Number of parts of a product's weights that have a factor each."""
    return layer.number(7, 1) if layer.kind == "ConvolutionDepthWise" else layer.number(0)


def first_layers(layers: Sequence[Layer]) -> list[Layer]:
    """Layers up to the last product that always stays in single precision."""
    products = [at for at, layer in enumerate(layers) if layer.kind in PRODUCTS]
    return list(layers[: products[:EARLY][-1] + 1])


def in_half(layers: Sequence[Layer]) -> list[Layer]:
    """The network with weights in half precision, but for its first ones and those in 8 bits."""
    first = first_layers(layers)
    return [layer if layer in first or layer.in_8_bits else _halve(layer) for layer in layers]


def _halve(layer: Layer) -> Layer:
    most = np.finfo(np.float16).max
    arrays = (
        np.clip(values, -most, most).astype(np.float16) if tagged else values
        for values, (_, tagged) in zip(layer.arrays, _layout(layer), strict=True)
    )
    return replace(layer, arrays=tuple(arrays))


def trunk(layers: Sequence[Layer], metres: Iterable[Layer]) -> list[Layer]:
    """Layers that can be computed in 8 bits, as they are computed.

    Args:
        layers: of the network.
        metres: those from logits and bins' widths on; what gives these is left out, too.
    """
    exact = {blob for layer in metres for blob in (*layer.reads, *layer.makes)}
    return [
        layer for layer in layers if layer.kind in PRODUCTS and not exact.intersection(layer.makes)
    ]


def in_8_bits(
    layers: Sequence[Layer], chosen: Sequence[Layer], ranges: Mapping[str, float]
) -> Iterator[list[Layer]]:
    """The network quantised: without its first products, then without more of them.

    Weights that are not in 8 bits are in half precision, but for those of the first layers.

    Args:
        layers: of the network in fp32.
        chosen: those of them that may be computed in 8 bits, as they are computed.
        ranges: of the blobs that these read; larger magnitudes are cut off.
    """
    for early in EARLY_IN_8_BITS:
        if early < len(chosen):
            yield in_half(quantise(layers, {layer.name for layer in chosen[early:]}, ranges))


def quantise(
    layers: Sequence[Layer], names: Collection[str], ranges: Mapping[str, float]
) -> list[Layer]:
    """The network with some of its layers in 8 bits.

    Args:
        layers: of the network in fp32.
        names: of those layers, which are of :data:`PRODUCTS`.
        ranges: of the blobs that they read.
    """
    return [
        _quantise(layer, ranges[layer.reads[0]]) if layer.name in names else layer
        for layer in layers
    ]


def _quantise(layer: Layer, largest: float) -> Layer:
    """A layer in 8 bits, which reads features up to a magnitude."""
    weights, *bias = layer.arrays
    parts = weights.reshape(_groups(layer), -1)
    greatest = GREATEST_OF_3X3 if _by_winograd(layer) else GREATEST
    factors = (greatest / np.maximum(np.abs(parts).max(axis=1), LEAST)).astype(np.float32)
    integers = np.rint(parts * factors[:, None]).astype(np.int8).ravel()
    around = np.array([GREATEST / max(largest, LEAST)], np.float32)
    term = PER_GROUP if layer.kind == "ConvolutionDepthWise" else PER_CHANNEL
    return replace(
        layer,
        options=(*layer.options, f"8={term}"),
        arrays=(integers, *bias, factors, around),
    )


def _by_winograd(layer: Layer) -> bool:
    """Whether a layer is a 3x3 convolution without stride and dilation."""
    across = [layer.number(option, usual) for option, usual in ((1, 0), (2, 1), (3, 1))]
    along = [layer.number(10 + at, usual) for at, usual in enumerate(across, 1)]
    return layer.kind == "Convolution" and across == along == [3, 1, 1]
