"""Which operators of LiteRT's graph are in 8 bits: the trunk, and nothing that becomes metres."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from fastdepth_export.formats.litert_int8 import in_8_bits, trunk

# Operator, what it reads, what it answers with: two convolutions that give logits and features,
# bins' widths of their mean, and the depth of both.
OPERATORS = (
    ("CAST", ["image"], "pixels"),
    ("CONV_2D", ["pixels"], "stem"),
    ("DEPTHWISE_CONV_2D", ["stem"], "block"),
    ("CONV_2D", ["block"], "level"),
    ("ADD", ["stem", "level"], "sum"),
    ("MEAN", ["sum"], "mean"),
    ("FULLY_CONNECTED", ["mean"], "widths"),
    ("CONV_2D", ["sum"], "logits"),
    ("EXP", ["logits"], "shares"),
    ("ADD", ["shares", "widths"], "mixed"),
    ("MUL", ["mixed", "constant"], "depth"),
)
FLAT = ("mean", "widths")


@pytest.fixture(autouse=True)
def graph(monkeypatch):
    """A stand-in for the reader of .tflite files, which has its environment of its own."""
    names = [*dict.fromkeys(n for _, reads, own in OPERATORS for n in (*reads, own))]
    part = SimpleNamespace(
        tensors=[
            SimpleNamespace(name=name.encode(), shape=[1, 8] if name in FLAT else [1, 4, 4, 8])
            for name in names
        ],
        operators=[
            SimpleNamespace(
                opcodeIndex=at, inputs=list(map(names.index, reads)), outputs=[names.index(own)]
            )
            for at, (_, reads, own) in enumerate(OPERATORS)
        ],
        outputs=[names.index("depth")],
    )
    module = ModuleType("ai_edge_litert.tools")
    module.flatbuffer_utils = SimpleNamespace(
        read_model_from_bytearray=lambda content: SimpleNamespace(subgraphs=[part]),
        opcode_to_name=lambda model, index: OPERATORS[index][0],
    )
    monkeypatch.setitem(sys.modules, "ai_edge_litert", ModuleType("ai_edge_litert"))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.tools", module)


def test_the_trunk_ends_before_logits_and_widths():
    maps, products = trunk(b"", 0)
    assert maps == ["stem", "block", "level", "sum"]
    assert products == ["stem", "block", "level", "widths", "logits"]


def test_the_first_products_can_stay_float():
    assert trunk(b"", 2) == (["level", "sum"], ["level", "widths", "logits"])


def test_a_graph_of_few_products_stays_float():
    assert trunk(b"", 10) == ([], [])


class Operation(str):
    ALL_SUPPORTED = "*"


class Quantizer:
    """A stand-in that answers with the names of what is to be computed in 8 bits."""

    calibrated = 0

    def __init__(self, graph):
        self.pattern, self.weights = "", set()

    def add_weight_only_config(self, regex, operation, num_bits):
        assert num_bits == 8
        self.weights.add(regex)

    def add_static_config(self, regex, operation, activation_num_bits, weight_num_bits):
        assert (activation_num_bits, weight_num_bits) == (8, 8)
        self.pattern = regex

    def calibrate(self, images, num_threads):
        type(self).calibrated += 1
        return images

    def quantize(self, ranges, enable_progress_report):
        assert len(ranges["serving_default"]) == 2
        return SimpleNamespace(quantized_model=" ".join([self.pattern, *self.weights]).encode())


def test_a_further_graph_keeps_more_first_products_in_float(monkeypatch):
    module = ModuleType("ai_edge_quantizer")
    module.quantizer = SimpleNamespace(Quantizer=Quantizer)
    module.qtyping = SimpleNamespace(TFLOperationName=Operation)
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", module)
    monkeypatch.setattr(Quantizer, "calibrated", 0)
    monkeypatch.setattr("fastdepth_export.formats.litert_int8.EARLY_IN_8_BITS", (0, 2, 10))
    graphs = list(in_8_bits(b"", [object(), object()]))
    assert graphs == [
        b"^stem;$|^block;$|^level;$|^sum;$ ^stem;$|^block;$|^level;$|^widths;$|^logits;$",
        b"^level;$|^sum;$ ^level;$|^widths;$|^logits;$",
    ]
    assert Quantizer.calibrated == 1
