from __future__ import annotations

import torch

from fastdepth.models import create_model
from fastdepth.models.loading import load_weights
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.ship import ship
from fastdepth.weights import WeightsCard, read_card


def test_half_the_bytes_and_a_card(tiny, tmp_path):
    network = create_model("tiny")
    save_weights(tmp_path / "best.safetensors", network, WeightsCard("tiny"))
    card = WeightsCard("", "tiny.here", licence="MIT", data="drawn", scores={"d1": 0.5})
    path = ship(tmp_path / "best.safetensors", tmp_path, card)
    assert path.name == "tiny.here.safetensors"
    assert read_card(path).variant == "tiny"
    assert read_card(path).licence == "MIT"
    assert path.stat().st_size < 0.51 * (tmp_path / "best.safetensors").stat().st_size
    again = create_model("tiny")
    load_weights(again, path, "tiny")
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=1e-3, atol=1e-6)
