from __future__ import annotations

import json
import math

import pytest
import safetensors.torch
import torch
from hostile import Family, as_json, damaged, spoiled
from hypothesis import strategies as st
from tiny_training import register

from fastdepth.models import DepthNetwork, create_model
from fastdepth.models._timm import create_encoder
from fastdepth.models.loading import load_fitting, load_weights, read_tensors
from fastdepth.models.pretrained import load_encoder
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
    printed = [card.variant, card.tag, card.licence, card.data, card.command, *card.scores]
    assert all(text.isprintable() for text in printed)
    assert all(0 <= value < math.inf for value in (*card.scores.values(), *card.rooms.values()))


@pytest.mark.thorough
def test_weights(try_to_break):
    try_to_break(FAMILY)


def is_finite(module):
    return all(bool(torch.isfinite(t).all()) for t in module.state_dict().values())


def with_tensors(tensors):
    """A weights file of ``plain`` with these tensors."""
    return safetensors.torch.save(tensors, WeightsCard("plain").to_header())


KINDS = (torch.float16, torch.float64, torch.bool, torch.int64, torch.float8_e4m3fn)


@st.composite
def exchanges(draw, names):
    """Names of tensors, and what becomes of each: lost, of another name, kind, shape or value."""
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    ways = st.sampled_from((None, "flat", "empty", "name", math.nan, math.inf, 1e38, *KINDS))
    return {name: draw(ways) for name in chosen}


def exchange(tensors, ways):
    """Tensors changed so."""
    tensors = dict(tensors)
    for name, way in ways.items():
        value = tensors.pop(name)
        if way == "flat":
            tensors[name] = value.reshape(-1)
        elif way == "empty":
            tensors[name] = value.reshape(-1)[:0]
        elif way == "name":
            tensors[name + "x"] = value
        elif way is not None:
            kind = isinstance(way, torch.dtype)
            tensors[name] = value.to(way) if kind else torch.full_like(value.float(), way)
    return tensors


@pytest.mark.thorough
def test_networks(try_to_break, monkeypatch):
    """A whole network's file, to whatever loads one."""
    register(monkeypatch)
    tensors = {name: value.clone() for name, value in create_model("plain").state_dict().items()}

    def load(data, folder):
        path = folder / "w.safetensors"
        path.write_bytes(data)
        network = create_model("plain")
        load_fitting(network, path)
        assert is_finite(network)
        assert load_weights(network, path, "plain").variant == "plain"
        assert is_finite(network)

    changed = exchanges(sorted(tensors)).map(lambda ways: with_tensors(exchange(tensors, ways)))
    inputs = st.one_of(damaged([with_tensors(tensors)]), changed)
    try_to_break(Family("weights of a network", inputs, load))


@pytest.mark.thorough
def test_encoders(try_to_break):
    """A pretrained encoder's file, by timm's names."""

    class Small(DepthNetwork):
        encoder_path = "encoder"

        def __init__(self):
            super().__init__()
            self.encoder = create_encoder("mobilenetv2_035")

    network = Small()
    few = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    save = safetensors.torch.save

    def load(data, folder):
        path = folder / "e.safetensors"
        path.write_bytes(data)
        load_encoder(network, str(path))
        assert is_finite(network)

    inputs = exchanges(sorted(few)).map(lambda ways: save(exchange(few, ways)))
    try_to_break(Family("weights of an encoder", inputs, load))
