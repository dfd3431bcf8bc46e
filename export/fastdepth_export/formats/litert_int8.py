"""LiteRT's graph in 8 bits: the trunk in integers, what becomes metres in float.

Convolutions, and what lies between them on feature maps, have 8-bit weights and activations whose
ranges are calibrated. The products that logits and bins' widths come from have 8-bit weights and
float answers, and so have all other products of features by weights but the first, which stay
float. So does what makes metres: 8 bits over ten metres are steps of four centimetres.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.extras import require
from fastdepth.images.parallel import usable_cores
from fastdepth_export.compress.early import EARLY_IN_8_BITS

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")

PRODUCTS = (*CONVOLUTIONS, "FULLY_CONNECTED")
"""Operators that multiply features by weights."""

BETWEEN = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "MAX_POOL_2D",
    "PAD",
    "PADV2",
    "RELU",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SLICE",
    "STRIDED_SLICE",
)
"""Operators of feature maps (1, h, w, C) that lie between convolutions."""

SIGNATURE, IMAGE = "serving_default", "image"
"""Names that litert-torch gives a graph, and its input after our argument."""


def in_8_bits(graph: bytes, images: Sequence[NDArray[np.uint8]]) -> Iterator[bytes]:
    """The graph quantised: the whole trunk in integers, then without more of its first products.

    As long as anything is left of the trunk.

    Args:
        graph: of the network in fp32.
        images: (1, H, W, 3) uint8 RGB each, on which ranges are calibrated.

    Raises:
        MissingExtraError: AI Edge Quantizer, a part of litert-torch, is not installed.
    """
    require("ai_edge_quantizer", "litert")
    from ai_edge_quantizer import qtyping, quantizer

    ranges = None
    for early in EARLY_IN_8_BITS:
        names, products = trunk(graph, early)
        if not names:
            return
        making = quantizer.Quantizer(bytearray(graph))
        for product in PRODUCTS:
            making.add_weight_only_config(
                _any_of(products), qtyping.TFLOperationName(product), num_bits=8
            )
        making.add_static_config(
            _any_of(names),
            qtyping.TFLOperationName.ALL_SUPPORTED,
            activation_num_bits=8,
            weight_num_bits=8,
        )
        ranges = ranges or making.calibrate(
            {SIGNATURE: [{IMAGE: image} for image in images]}, num_threads=usable_cores()
        )
        yield bytes(making.quantize(ranges, enable_progress_report=False).quantized_model)


def _any_of(names: Sequence[str]) -> str:
    """A pattern of the names that the quantiser gives operators: those of their answers."""
    return "|".join(f"^{re.escape(name)};$" for name in names)


def trunk(graph: bytes, early: int) -> tuple[list[str], list[str]]:
    """Names of the feature maps that are computed in 8 bits, and of products with 8-bit weights.

    Args:
        graph: of the network.
        early: number of the first products that stay float; where there are fewer, all do.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(graph))
    part = model.subgraphs[0]
    kinds = [flatbuffer_utils.opcode_to_name(model, each.opcodeIndex) for each in part.operators]
    float_ones = _in_metres(part, kinds)
    answers = [part.tensors[each.outputs[0]] for each in part.operators]
    products = [at for at, kind in enumerate(kinds) if kind in PRODUCTS][early:]
    maps = [
        at
        for at, (kind, answer) in enumerate(zip(kinds, answers, strict=True))
        if kind in (*CONVOLUTIONS, *BETWEEN)
        and len(answer.shape) == 4
        and at not in float_ones
        and products
        and at >= products[0]
    ]
    names = [answer.name.decode() for answer in answers]
    return [names[at] for at in maps], [names[at] for at in products]


def _in_metres(part: Any, kinds: Sequence[str]) -> set[int]:
    """Operators from the depth back to the products of logits and widths, these among them."""
    makers = {name: at for at, each in enumerate(part.operators) for name in each.outputs}
    found: set[int] = set()
    waiting = list(part.outputs)
    while waiting:
        at = makers.get(waiting.pop())
        if at is not None and at not in found:
            found.add(at)
            waiting += [] if kinds[at] in PRODUCTS else list(part.operators[at].inputs)
    return found
