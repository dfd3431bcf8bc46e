from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from an_uncertainty_head import random_head

from fastdepth.anchors import fitting
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.errors import UsageError, WeightsError
from fastdepth.metadata import IntervalFactors
from fastdepth.models import create_model
from fastdepth.models.loading import load_weights
from fastdepth.models.uncertainty import attach_head
from fastdepth.train import ship as shipping
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.ship import STORED, main, score_on_rooms, ship
from fastdepth.weights import (
    WeightsCard,
    find_weights,
    read_card,
    read_header,
    shipped_weights,
    weights_hash,
)

MOST_BYTES = 40_000_000
"""What all shipped weights may weigh together."""


LARGER = [tag for tag in shipped_weights() if tag != "mnv2-64-dws-70.nyu-furnished"]


@pytest.fixture
def one_room(monkeypatch):
    """Drawing rooms is what takes the time."""
    monkeypatch.setattr(shipping, "ROOMS", "rooms:1")


def test_half_the_bytes_and_a_card(tiny, one_room, tmp_path):
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


def test_a_new_card_for_the_same_tensors(tiny, one_room, tmp_path):
    save_weights(tmp_path / "best.safetensors", create_model("tiny"), WeightsCard("tiny"))
    first = ship(tmp_path / "best.safetensors", tmp_path, WeightsCard("", "tiny.one"))
    again = ship(first, tmp_path, WeightsCard("", "tiny.two", licence="MIT"))
    assert first.name != again.name
    assert weights_hash(first) == weights_hash(again)
    assert read_card(again).rooms == read_card(first).rooms


def test_of_several_files_the_mean_is_shipped(tiny, one_room, tmp_path):
    files = [tmp_path / f"{name}.safetensors" for name in ("first", "second", "third")]
    networks = [create_model("tiny") for _ in files]
    for file, network in zip(files, networks, strict=True):
        save_weights(file, network, WeightsCard("tiny", data=file.stem))
    path = ship(files[0], tmp_path, WeightsCard("", "tiny.mean"), others=files[1:])
    mean = create_model("tiny")
    load_weights(mean, path, "tiny")
    states = [network.state_dict() for network in networks]
    for name, value in mean.state_dict().items():
        expected = sum(state[name].double() for state in states) / 3
        torch.testing.assert_close(value.double(), expected, rtol=1e-3, atol=1e-6)


def test_a_mean_has_no_head_or_prior_of_its_first(tiny, one_room, tmp_path):
    network = create_model("tiny")
    network.uncertainty = random_head(16, 32)
    prior = AnchorPrior()
    card = WeightsCard("tiny", anchor_prior=prior, interval=IntervalFactors((0.5, 0.9), (0.7, 1.6)))
    save_weights(tmp_path / "headed.safetensors", network, card)
    headed, plain = tmp_path / "headed.safetensors", tmp_path / "plain.safetensors"
    save_weights(plain, create_model("tiny"), WeightsCard("tiny"))
    mean = ship(headed, tmp_path, replace(card, tag="tiny.mean"), others=[plain])
    assert read_card(mean).anchor_prior is None
    assert read_card(mean).interval is None
    assert not attach_head(create_model("tiny"), mean)


def test_a_mean_is_of_one_variant(tiny, one_room, tmp_path):
    save_weights(tmp_path / "one.safetensors", create_model("tiny"), WeightsCard("tiny"))
    with pytest.raises(UsageError, match=r"of mnv2-64-dws-70, not of tiny"):
        ship(
            tmp_path / "one.safetensors",
            tmp_path,
            WeightsCard("", "tiny.mean"),
            others=[find_weights("mnv2-64-dws-70.nyu-furnished")],
        )


def test_the_card_holds_the_score_of_what_is_written(tiny, one_room, tmp_path):
    network = create_model("tiny")
    save_weights(tmp_path / "best.safetensors", network, WeightsCard("tiny"))
    path = ship(tmp_path / "best.safetensors", tmp_path, WeightsCard("", "tiny.here"))
    rooms = read_card(path).rooms
    assert tuple(rooms) == tuple(sorted(STORED))
    assert rooms == score_on_rooms(path)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    save_weights(tmp_path / "other.safetensors", network, WeightsCard("tiny"))
    assert score_on_rooms(tmp_path / "other.safetensors") != rooms


@pytest.mark.thorough
def test_the_command_says_the_rest_as_the_checkpoint_does(tiny, one_room, tmp_path, capsys):
    trained = WeightsCard("tiny", data="rooms:50", teacher="a large one")
    save_weights(tmp_path / "best.safetensors", create_model("tiny"), trained)
    words = f"--tag tiny.drawn --licence MIT --folder {tmp_path / 'new'} --protocol eigen"
    words = f"{words} --evaluated-on rooms --scores d1 0.5 --scores rmse 1.25".split()
    assert main([str(tmp_path / "best.safetensors"), *words]) == 0
    path = tmp_path / "new" / "tiny.drawn.safetensors"
    card = read_card(path)
    assert card == replace(
        trained,
        tag="tiny.drawn",
        licence="MIT",
        protocol="eigen",
        evaluated_on="rooms",
        scores={"d1": 0.5, "rmse": 1.25},
        rooms=score_on_rooms(path),
    )
    said = capsys.readouterr().err
    assert f"wrote {path}; rooms:1: abs_rel {card.rooms['abs_rel']:.4f}, d1 " in said
    assert main([str(path), "--tag", "tiny.again", "--folder", str(tmp_path)]) == 0
    assert read_card(tmp_path / "tiny.again.safetensors") == replace(card, tag="tiny.again")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--tag tiny.drawn", "no --licence"),
        ("--licence MIT --tag tiny.a --scores d1 0.5", "--scores need --protocol"),
        ("--licence MIT", "tag '' must be tiny.DATA"),
        ("--licence MIT --tag unet128.nyu", "write --tag tiny.nyu"),
        ("--licence MIT --tag tiny./../etc", "must be tiny.DATA"),
    ],
)
def test_a_card_that_cannot_be_is_one_line(tiny, tmp_path, words, message, capsys):
    save_weights(tmp_path / "best.safetensors", create_model("tiny"), WeightsCard("tiny"))
    folder = tmp_path / "new"
    words = [str(tmp_path / "best.safetensors"), *words.split(), "--folder", str(folder)]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not folder.exists()


@pytest.mark.parametrize("score", ["d1 1.5", "d1 nan", "rmse inf", "rmse -1"])
def test_a_score_that_cannot_be_is_never_written(tiny, tmp_path, score, capsys):
    file = tmp_path / "best.safetensors"
    save_weights(file, create_model("tiny"), WeightsCard("tiny", tag="tiny.a", licence="MIT"))
    words = f"--protocol eigen --evaluated-on x --folder {tmp_path / 'new'} --scores {score}"
    assert main([str(file), *words.split()]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_the_checkpoint_itself_is_not_written_over(tiny, tmp_path):
    file = tmp_path / "tiny.a.safetensors"
    save_weights(file, create_model("tiny"), WeightsCard("tiny"))
    before = file.read_bytes()
    with pytest.raises(UsageError, match="would be written over; give another output"):
        ship(file, tmp_path, WeightsCard("", "tiny.a"))
    assert file.read_bytes() == before


def test_weights_beyond_half_precision_are_refused(tiny, tmp_path):
    network = create_model("tiny")
    with torch.no_grad():
        next(network.parameters()).fill_(1e6)
    with pytest.raises(WeightsError, match="beyond the range of half precision"):
        save_weights(tmp_path / "a", network, WeightsCard("tiny"), half=True)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "tag",
    [
        "mnv2-64-dws-70.nyu-furnished",
        *(pytest.param(t, marks=pytest.mark.thorough) for t in LARGER),
    ],
)
def test_shipped_weights_score_what_is_stored_with_them(tag):
    path = shipped_weights()[tag]
    stored = read_card(path).rooms
    assert set(stored) == set(STORED)
    for name, value in score_on_rooms(path).items():
        assert value == pytest.approx(stored[name], abs=2e-3), name


@pytest.mark.parametrize("tag", shipped_weights())
def test_shipped_weights_are_half_precision(tag):
    tensors = read_header(shipped_weights()[tag]).tensors
    kinds = {entry.dtype for entry in tensors.values()}
    assert "F16" in kinds
    assert kinds <= {"F16", "I64"}  # batch norm counts its batches


def test_shipped_weights_fit_into_the_package():
    assert 0 < sum(path.stat().st_size for path in shipped_weights().values()) <= MOST_BYTES


def test_the_card_holds_the_prior_of_what_is_shipped(tiny, one_room, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "PER_IMAGE", 4)
    monkeypatch.setattr(fitting, "FEWEST", 2)
    save_weights(tmp_path / "best.safetensors", create_model("tiny"), WeightsCard("tiny"))
    words = f"--tag tiny.here --licence MIT --folder {tmp_path} --prior-data nyu:{folder}".split()
    assert main([str(tmp_path / "best.safetensors"), *words]) == 0
    prior = read_card(tmp_path / "tiny.here.safetensors").anchor_prior
    assert prior is not None
    assert prior != AnchorPrior()
