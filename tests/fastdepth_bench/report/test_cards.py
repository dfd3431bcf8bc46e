"""A card is made of what ships and of what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_results import new_row, old_row, results
from safetensors.numpy import save_file

from fastdepth import weights
from fastdepth.weights import WeightsCard, weights_hash
from fastdepth_bench.report.cards import card

SCORES = {"d1": 0.6123, "abs_rel": 0.2345}
CARD = WeightsCard(
    "unet-dws",
    "unet-dws.here",
    licence="whatever | it is",
    data="drawn",
    protocol="eigen",
    scores=SCORES,
    rooms={"d1": 0.9, "abs_rel": 0.1},
    command="fastdepth-train --variant unet-dws",
)


@pytest.fixture
def ship(monkeypatch, tmp_path):
    """Ships made-up weights in place of the package's; returns the file's hash."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)

    def write(**changes):
        card = replace(CARD, **changes)
        path = tmp_path / f"{card.tag}.safetensors"
        save_file({"a": np.full(5, len(card.tag), np.float16)}, path, metadata=card.to_header())
        return weights_hash(path)

    return write


def test_a_card_says_what_the_header_says(ship):
    ship()
    page = card("unet-dws.here", [])
    for words in ("whatever \\| it is", "drawn", "d1 0.6123, AbsRel 0.2345", "d1 0.9000", "fp16"):
        assert words in page
    assert "unet-dws.here.png" in page
    assert "measured on" not in page


def test_rows_of_these_tensors_are_shown_once_for_all_runtimes(ship):
    own = {"variant": "unet-dws", "weights_hash": ship()}
    rows = [
        new_row(**own, runtime="torch", metrics={"d1": 0.611}),
        new_row(**own, runtime="onnxruntime", metrics={"d1": 0.612}),
        new_row(**own, runtime="openvino", metrics={"d1": 0.613}),
        new_row(**own, precision="int8", metrics={"d1": 0.605}),
        new_row(**own, flip=True, protocol_description="with flip", metrics={"d1": 0.621}),
        new_row(**own, alignment="median", metrics={"d1": 0.996}),
        new_row(**own, data="nyu train", metrics={"d1": 0.999}),
        new_row(**own, fold=False, precision="fp16", metrics={"d1": 0.998}),
        old_row("unet-dws", weights_hash="0" * 12, metrics={"d1": 0.997}),
    ]
    page = card("unet-dws.here", [results(*rows)])
    lines = [line.split(" | ") for line in page.splitlines() if " images | " in line]
    assert [(line[2], line[3], line[4]) for line in lines] == [
        ("fp32", "no", "0.612"),
        ("int8", "no", "0.605"),
        ("fp32", "mean of both", "0.621"),
    ]
    assert "with flip" in page
