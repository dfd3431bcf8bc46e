from __future__ import annotations

import contextlib
import io
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from fastdepth.data.rooms.dataset import render_room
from fastdepth.models import create_model
from fastdepth.models.loading import load_weights
from fastdepth.models.uncertainty import attach_head
from fastdepth.size import Size
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.cli import main
from fastdepth.train.ship import ship
from fastdepth.train.uncertainty.pixels import recolour
from fastdepth.weights import WeightsCard, read_card, weights_hash

NAME = "mnv2-64-dws-50"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / f"{NAME}.safetensors"
    save_weights(path, create_model(NAME), WeightsCard(NAME, data="drawn"))
    return path


@pytest.fixture(scope="module")
def fitted(weights, folder, tmp_path_factory):
    """Weights with a head, and what the command printed."""
    place, said = tmp_path_factory.mktemp("fitted"), io.StringIO()
    words = f"uncertainty --variant {NAME} --weights {weights} --data nyu:{folder} --test"
    with contextlib.redirect_stdout(said):
        assert main([*words.split(), "--folder", str(place), "--steps", "5"]) == 0
    return place / weights.name, said.getvalue()


def test_the_command_adds_a_head_and_factors_and_keeps_the_network(weights, fitted):
    path, said = fitted
    assert weights_hash(path) == weights_hash(weights)
    card = read_card(path)
    assert card.data == "drawn"
    assert card.interval is not None
    before, after = load_file(weights), load_file(path)
    assert {name for name in after if name not in before} == {
        name for name in after if name.startswith("uncertainty.")
    }
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    for line in ("validation, constant", "validation, head", "test, constant", "test, head"):
        assert re.search(rf"{line} .*0\.\d\d\d", said)


def test_the_same_seed_gives_the_same_file(weights, folder, fitted, tmp_path):
    words = f"uncertainty --variant {NAME} --weights {weights} --data nyu:{folder} --steps 5"
    assert main([*words.split(), "--folder", str(tmp_path)]) == 0
    assert (tmp_path / weights.name).read_bytes() == fitted[0].read_bytes()


def test_shipping_keeps_the_head(fitted, tmp_path):
    path = ship(fitted[0], tmp_path, WeightsCard("", f"{NAME}.here", licence="MIT"))
    assert read_card(path).interval == read_card(fitted[0]).interval
    network = create_model(NAME)
    load_weights(network, path, NAME)
    assert attach_head(network, path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--variant unet128 --data rooms:2", "unet128 ships no weights; give --weights FILE"),
        (f"--variant {NAME} --data rooms:2 --steps 0", "steps"),
        (f"--variant {NAME} --data nyu:/nowhere", "/nowhere does not exist"),
    ],
)
def test_user_errors_are_one_line_and_status_2(words, message, weights, capsys):
    given = ["--weights", str(weights)] if NAME in words else []
    assert main(["uncertainty", *words.split(), *given]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_network_that_takes_no_head_is_refused(tmp_path, capsys):
    save_weights(tmp_path / "w.safetensors", create_model("unet-dws"), WeightsCard("unet-dws"))
    words = f"uncertainty --variant unet-dws --weights {tmp_path}/w.safetensors --data rooms:1"
    assert main(words.split()) == 2
    assert "takes no uncertainty head" in capsys.readouterr().err


def test_other_colours_are_other_pixels_of_the_same_scene():
    image = render_room(0, Size(48, 64)).image
    generator = np.random.default_rng(0)
    changed = [recolour(image, generator) for _ in range(8)]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in changed)
    assert min(np.abs(one.astype(int) - image).mean() for one in changed) > 3
    assert len({one.tobytes() for one in changed}) == 8
