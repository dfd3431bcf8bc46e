from __future__ import annotations

import json

import pytest
from hostile import Family, as_json, damaged, spoiled
from hypothesis import strategies as st

from fastdepth.models.loading import read_tensors
from fastdepth.weights import CARD_KEY, WeightsCard, read_header

CARD = WeightsCard("unet128-dws", "unet128-dws.nyu", licence="CC", scores={"d1": 0.5})
ENTRIES = {
    "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "F16", "shape": [4], "data_offsets": [16, 24]},
}
HEADER = {"__metadata__": CARD.to_header(), **ENTRIES}


def with_header(header: bytes) -> bytes:
    """A weights file of 24 bytes of tensors with this header."""
    return len(header).to_bytes(8, "little") + header + bytes(24)


def with_card(card: bytes) -> bytes:
    """A weights file with this card in an else good header."""
    text = card.decode()
    return with_header(as_json({"__metadata__": {CARD_KEY: text}, **ENTRIES}))


GOOD = with_header(as_json(HEADER))
CARDS = [json.loads(CARD.to_header()[CARD_KEY])]
FAMILY = Family(
    "weights",
    st.one_of(
        damaged([GOOD]),
        spoiled([HEADER]).map(as_json).map(with_header),
        spoiled(CARDS).map(as_json).map(with_card),
        st.integers(1, 10**5).map(lambda depth: with_header(b'{"a":' + b"[" * depth)),
    ),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    path = folder / "w.safetensors"
    path.write_bytes(data)
    tensors, card = read_tensors(path)
    assert tensors.keys() == read_header(path).tensors.keys()
    assert isinstance(card.variant, str)


@pytest.mark.thorough
def test_weights(try_to_break):
    try_to_break(FAMILY)
