from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastdepth import weights
from fastdepth.errors import UnknownNameError, WeightsError
from fastdepth.variants import VARIANTS
from fastdepth.weights import WeightsCard, find_weights, read_card, shipped_weights

CARD = WeightsCard("unet128-dws", "unet128-dws.nyu", licence="CC", scores={"d1": 0.5})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": np.zeros(100, np.float32)}, path, metadata=CARD.to_header())
    return path


def test_the_card_travels_in_the_header(file):
    assert read_card(file) == CARD


def test_a_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="give a .safetensors file"):
        read_card(tmp_path / "no.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 60, -1])
def test_a_truncated_file(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(WeightsError, match="truncated|not a whole"):
        read_card(file)


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"PK\x03\x04 this is a pickle in a zip" * 10)
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_card(path)


def test_a_header_that_is_no_json(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes((4).to_bytes(8, "little") + b"oops")
    with pytest.raises(WeightsError, match="is not JSON; copy it again"):
        read_card(path)


def test_weights_of_another_program(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, path)
    with pytest.raises(WeightsError, match="not written by fastdepth"):
        read_card(path)


def test_the_hash_is_that_of_the_tensors_alone(tmp_path, file):
    other, changed = tmp_path / "o.safetensors", tmp_path / "c.safetensors"
    save_file({"a": np.zeros(100, np.float32)}, other, metadata=WeightsCard("x").to_header())
    save_file({"a": np.ones(100, np.float32)}, changed, metadata=CARD.to_header())
    assert weights.weights_hash(other) == weights.weights_hash(file)
    assert weights.weights_hash(changed) != weights.weights_hash(file)


def test_an_unknown_tag_is_answered_with_the_tags():
    with pytest.raises(UnknownNameError, match=r"known: .*FILE\.safetensors"):
        find_weights("unet128-dws.kitti")


def test_tags_are_file_names_in_the_package(monkeypatch, file):
    monkeypatch.setattr(weights, "FOLDER", file.parent)
    file.rename(file.parent / "unet128-dws.nyu.safetensors")
    assert weights.default_tag("unet128-dws") == "unet128-dws.nyu"
    assert weights.default_tag("unet128") is None
    assert find_weights("unet128-dws.nyu").parent == file.parent


@pytest.mark.parametrize("tag", shipped_weights())
def test_shipped_weights_say_where_they_come_from_and_how_good_they_are(tag):
    path = find_weights(tag)
    card = read_card(path)
    assert card.tag == tag
    assert card.variant in VARIANTS
    assert card.licence
    assert card.data
    assert card.protocol == "eigen"
    assert 0 < card.scores["d1"] < 1
    assert 0 < card.rooms["d1"] <= 1
