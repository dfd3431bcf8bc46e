"""A graph in 8 bits: Q/DQ nodes where most multiply-adds are, 8-bit weights elsewhere too.

Only blocks that hold much of the multiply-adds are computed in 8 bits, weights and activations
(W8A8); what they answer with stays float. All other matrices are stored in 8 bits and computed in
float, so that softmax, transformer and the small convolutions lose nothing but their weights' last
bits. Weights are symmetric with one scale per output channel. For TensorRT (s8s8) they stay float:
of weights alone behind a DequantizeLinear it documents 4 bits and no 8.

What is rounded is fixed by the file, in what it is then multiplied by the runtime: ONNX Runtime
1.31 on a CPU has convolutions in 8 bits only where their answers are in 8 bits too, and multiplies
these in float. There the file is smaller, not faster.

ONNX Runtime's own quantiser gives every reader of a quantised tensor the rounded values. Here only
the chosen products read them: the patch embedding and the border ring read the same trunk as the
head convolution and stay exact.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from fastdepth.console import progress
from fastdepth.data import Source, open_source
from fastdepth.errors import ParityError
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_export.compress.accuracy_loss import BOUNDS, AccuracyLoss, LossMeter
from fastdepth_export.cost import node_macs
from fastdepth_export.recipe import ResolvedRecipe
from fastdepth_export.verify import open_model, with_outputs

MOST_IMAGES = 64
"""More are not taken of a large set to calibrate on, evenly spread."""

HEAVY = 0.1
"""Share of the multiply-adds from which on a block is worth computing in 8 bits."""

MOST_LOSS = BOUNDS["int8"] / 2
"""A block that changes d1 by more when it alone is computed in 8 bits stays in float."""

LEAST_WEIGHTS = 1024
"""Smaller matrices save nothing."""

PREFIX = "network."
"""Begins the name of every weight that still bears the name of its module."""

Ranges = dict[str, tuple[float, float]]
"""Least and greatest value of tensors."""


@dataclass(frozen=True)
class BlockLoss:
    """A row of the sensitivity table.

    Attributes:
        block: name of the block.
        share: its share of the multiply-adds.
        loss: what is lost when only this block is computed in 8 bits.
    """

    block: str
    share: float
    loss: AccuracyLoss

    @property
    def chosen(self) -> bool:
        """Whether the block is worth 8-bit activations and bears them."""
        small = abs(self.loss.d1) <= MOST_LOSS and not self.loss.nonfinite
        return self.share >= HEAVY and small

    def __str__(self) -> str:
        kind = "weights and activations" if self.chosen else "weights only"
        return (
            f"{self.block:<30} {self.share:6.1%} of the multiply-adds, d1 {self.loss.d1:+.4f}, "
            f"mean {self.loss.mean:.4f} m, largest {self.loss.largest:.3f} m: {kind}"
        )


class Quantiser:
    """Quantises one graph, calibrated once, as often as one likes.

    Attributes:
        source: images of the calibration.
        shares: blocks and their shares of the multiply-adds, in the order of the graph.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        size: Size,
        calibration: str,
        types: str,
        follow_outside: bool = False,
    ) -> None:
        """Run the graph on the calibration's images and note what its products read.

        Args:
            model: in fp32, with input ``image``; it is not changed.
            size: network input.
            calibration: images, see :func:`fastdepth.data.open_source`; its training split, of
                which at most ``MOST_IMAGES`` are taken.
            types: one of :data:`fastdepth_export.recipe.QUANTISATIONS`.
            follow_outside: as for the images.

        Raises:
            UnknownNameError, UsageError, DataError: the images cannot be used.
        """
        self.source = calibration_images(calibration, follow_outside)
        self._model, self._types, self._stores = model, types, types != "s8s8"
        self._ranges = _calibrate(model, self.source, size)
        macs = [(block_of(node), count) for node, count in node_macs(model, (1, *size))]
        total = sum(count for _, count in macs)
        names = dict.fromkeys(block for block, _ in macs if block)
        self.shares = {
            name: sum(count for block, count in macs if block == name) / total for name in names
        }

    @classmethod
    def of(cls, model: onnx.ModelProto, resolved: ResolvedRecipe) -> Quantiser:
        """As the recipe of the graph says."""
        recipe = resolved.recipe
        assert recipe.quantisation is not None
        return cls(
            model,
            resolved.sizes[0],
            recipe.calibration,
            recipe.quantisation,
            recipe.follow_outside,
        )

    def sensitivity(
        self, meter: LossMeter, blocks: Collection[str] | None = None
    ) -> list[BlockLoss]:
        """What is lost when one block at a time is computed in 8 bits; all blocks if None."""
        rows = []
        chosen = self.shares if blocks is None else blocks
        with progress("blocks", len(chosen)) as advance:
            for block in chosen:
                advance(0, note=block)
                model = self.quantise({block}, store=False)
                rows.append(BlockLoss(block, self.shares[block], meter.measure(model)))
                advance()
        return rows

    def choose(self, meter: LossMeter) -> list[str]:
        """Blocks that are worth 8-bit activations and bear them.

        Raises:
            ParityError: none does, and the file would hold nothing in 8 bits.
        """
        heavy = [name for name, share in self.shares.items() if share >= HEAVY]
        chosen = [row.block for row in self.sensitivity(meter, heavy) if row.chosen]
        if not chosen and not self._stores:
            raise ParityError(
                f"no block is worth 8 bits and bears them, and {self._types} stores no other "
                "weights in them; use --precision fp16"
            )
        return chosen

    def quantise(self, blocks: Collection[str], *, store: bool = True) -> onnx.ModelProto:
        """The graph with these blocks computed in 8 bits.

        Args:
            blocks: names out of :attr:`shares`; may be empty.
            store: store all other matrices in 8 bits, too; never for TensorRT.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        computed = [node for node in model.graph.node if block_of(node) in blocks]
        before: dict[str, list[onnx.NodeProto]] = {}
        for name in dict.fromkeys(node.input[0] for node in computed):
            scale, zero = _activation(*self._ranges[name], symmetric=self._types == "s8s8")
            before[name] = list(_round_trip(model.graph, name, scale, zero))
        in_7_bits = {node.input[1] for node in computed if self._types == "u8s7"}
        stored = model.graph.node if store and self._stores else computed
        nodes = list(_store_weights(model.graph, stored, in_7_bits))
        written: set[str] = set()
        for node in model.graph.node:
            if block_of(node) in blocks:
                name = node.input[0]
                node.input[0] = before[name][-1].output[0]
                nodes += before[name] if name not in written else []
                written.add(name)
            nodes.append(node)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        onnx.checker.check_model(model, full_check=True)
        return model


def calibration_images(calibration: str, follow_outside: bool = False) -> Source:
    """Images that int8 is calibrated on: the training split, at most ``MOST_IMAGES`` of it.

    Args:
        calibration: see :func:`fastdepth.data.open_source`.
        follow_outside: as there.

    Raises:
        UnknownNameError, UsageError, DataError: the images cannot be used.
    """
    return open_source(calibration, "train", limit=MOST_IMAGES, follow_outside=follow_outside)


def at_size(source: Source, size: Size) -> Iterator[NDArray[np.uint8]]:
    """Each of these images as (1, H, W, 3) uint8 at the network's size."""
    with progress("calibrating", len(source)) as advance:
        for index in range(len(source)):
            yield np.ascontiguousarray(resize(source[index].image, size))[None]
            advance()


def block_of(node: onnx.NodeProto) -> str:
    """Block of a product with stored weights, by the module they belong to; else empty.

    A block is at most three levels deep: ``trunk.down.0``, ``bins.mini_vit.encoder``.
    """
    if node.op_type in ("Conv", "Gemm", "MatMul"):
        for name in node.input[1:]:
            if name.startswith(PREFIX):
                path = name.removeprefix(PREFIX).removesuffix(".weight").removesuffix(".bias")
                return ".".join(path.split(".")[:3])
    return ""


def _calibrate(model: onnx.ModelProto, source: Source, size: Size) -> Ranges:
    """Least and greatest value of every tensor that a block may read, over the images."""
    names = list(dict.fromkeys(node.input[0] for node in model.graph.node if block_of(node)))
    session = open_model(with_outputs(model, names))
    least = np.zeros(len(names))  # the range must hold 0, the padding
    greatest = np.zeros(len(names))
    for image in at_size(source, size):
        values = session.run(names, {"image": image})
        least = np.minimum(least, [value.min() for value in values])
        greatest = np.maximum(greatest, [value.max() for value in values])
    return {
        name: (float(low), float(high))
        for name, low, high in zip(names, least, greatest, strict=True)
    }


def _activation(
    low: float, high: float, *, symmetric: bool
) -> tuple[np.float32, np.int8 | np.uint8]:
    """Scale and zero point: symmetric int8, or uint8 over the whole range."""
    if symmetric:
        return np.float32(max(-low, high, 1e-6) / 127), np.int8(0)
    scale = max(high - low, 1e-6) / 255
    return np.float32(scale), np.uint8(round(-low / scale))


def _round_trip(
    graph: onnx.GraphProto, name: str, scale: np.float32, zero: np.int8 | np.uint8
) -> Iterator[onnx.NodeProto]:
    """Quantise and dequantise a tensor; the last node's output is the rounded tensor."""
    grid = _add_weights(
        graph, {f"{name}_scale": np.asarray(scale), f"{name}_zero": np.asarray(zero)}
    )
    for operator, read, made in (
        ("QuantizeLinear", name, f"{name}_quantised"),
        ("DequantizeLinear", f"{name}_quantised", f"{name}_rounded"),
    ):
        yield helper.make_node(operator, [read, *grid], [made], name=f"node_{made}")


def _store_weights(
    graph: onnx.GraphProto, nodes: Collection[onnx.NodeProto], in_7_bits: Collection[str]
) -> Iterator[onnx.NodeProto]:
    """Replace matrices that the nodes read by int8 ones; yields what makes them float again.

    The weights' names become those of the dequantised tensors.
    """
    axes = {name: axis for node in nodes for name, axis in _matrices(node)}
    for tensor in list(graph.initializer):
        axis = axes.get(tensor.name)
        if axis is None or np.prod(tensor.dims) < LEAST_WEIGHTS:
            continue
        greatest = 63 if tensor.name in in_7_bits else 127
        values, scale = _round_weights(numpy_helper.to_array(tensor), axis, greatest)
        name = tensor.name
        graph.initializer.remove(tensor)
        stored = _add_weights(graph, {f"{name}_int8": values, f"{name}_scale": scale})
        yield helper.make_node(
            "DequantizeLinear", stored, [name], name=f"node_{stored[0]}", axis=axis
        )


def _add_weights(graph: onnx.GraphProto, weights: Mapping[str, NDArray[Any]]) -> list[str]:
    """Add weights to a graph; returns their names."""
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in weights.items())
    return list(weights)


def _matrices(node: onnx.NodeProto) -> list[tuple[str, int]]:
    """Names that a product may read weights from, and the axis of the output channels."""
    if node.op_type == "Conv":
        return [(node.input[1], 0)]
    if node.op_type == "Gemm":
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return [(node.input[1], 0 if transposed else 1)]
    if node.op_type == "MatMul":
        return [(node.input[0], -2), (node.input[1], -1)]
    return []


def _round_weights(
    weights: NDArray[np.float32], axis: int, greatest: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers from ``-greatest`` to ``greatest``, and their scale per channel."""
    others = tuple(at for at in range(weights.ndim) if at != axis % weights.ndim)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = (np.where(largest > 0, largest, 1) / greatest).astype(np.float32)
    return np.rint(weights / scale).astype(np.int8), scale.ravel()
