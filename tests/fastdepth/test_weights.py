from __future__ import annotations

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastdepth import weights
from fastdepth.errors import UnknownNameError, WeightsError
from fastdepth.variants import VARIANTS
from fastdepth.weights import WeightsCard, find_weights, read_card, read_header, shipped_weights

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


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def written(tmp_path, header, size=16):
    """A file of this header and so many bytes of tensors."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    return path


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"data_offsets": [4, 12]}, "b is not where it should be"),  # overlap
        ({"data_offsets": [12, 20]}, "b is not where it should be"),  # a gap
        ({"data_offsets": [16, 8]}, "is not where it should be"),
        ({"data_offsets": [8, 12]}, "b is not where it should be"),
        ({"data_offsets": [8]}, "array"),
        ({"shape": [3]}, "b is not where it should be"),
        ({"shape": [2**62, 2**62]}, "b is not where it should be"),
        ({"shape": [1] * 9}, "length"),
        ({"shape": [-2]}, ">= 0"),
        ({"shape": [2.5]}, "int"),
        ({"dtype": "F8_E4M3"}, "b is none of"),
        ({"dtype": "\x1b[31m"}, "b is none of"),
        ({"dtype": 3}, "str"),
    ],
)
def test_tensors_that_do_not_lie_one_after_the_other(tmp_path, second, message):
    entry = {**ENTRY, "data_offsets": [8, 16], **second}
    with pytest.raises(WeightsError, match=message) as raised:
        read_header(written(tmp_path, {"a": ENTRY, "b": entry}))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "header",
    [
        {"a": [1, 2]},
        {"\x1b[31mred": ENTRY},
        {"a": ENTRY, "__metadata__": {"fastdepth": 3}},
        b"[]",
        b"\xff\xfe",
        b'{"a":' + b"[" * 9999,
        b"[" * 99_999,
    ],
)
def test_a_header_of_another_form(tmp_path, header):
    with pytest.raises(WeightsError, match="the header of .*w.safetensors") as raised:
        read_card(written(tmp_path, header, size=8))
    assert len(str(raised.value)) < 400


def test_bytes_behind_the_tensors_and_files_too_large(tmp_path):
    with pytest.raises(WeightsError, match="longer than its tensors"):
        read_header(written(tmp_path, {"a": ENTRY}, size=9))
    huge = {**ENTRY, "shape": [10**12], "data_offsets": [0, 4 * 10**12]}
    path = written(tmp_path, {"a": huge})
    os.truncate(path, 8 + len(json.dumps({"a": huge})) + 4 * 10**12)  # sparse
    with pytest.raises(WeightsError, match="larger than any weights"):
        read_header(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": None}, "str"),
        ({"variant": "../x"}, "regex"),
        ({"variant": "\x1b[31m"}, "regex"),
        ({"variant": "x" * 101}, "length"),
        ({"tag": "a/b"}, "regex"),
        ({"tag": "a\\b"}, "regex"),
        ({"tag": "..b"}, "regex"),
        ({"tag": "a.nyu\n"}, "regex"),
        ({"scores": {"d1": "1"}}, "float"),
        ({"scores": {"d1": -0.5}}, ">= 0"),
        ({"scores": {"d1": 1.5}}, "d1 1.5 cannot be"),
        ({"rooms": {"d3": 2}}, "d3 2.0 cannot be"),
        ({"scores": {"x y": 1}}, "regex"),
        ({"scores": [1]}, "object"),
        ({"rooms": None}, "object"),
        ({"data": ["a"]}, "str"),
    ],
)
def test_a_card_that_cannot_be(tmp_path, changes, message):
    text = json.dumps({"variant": "unet128-dws", **changes})
    path = written(tmp_path, {"a": ENTRY, "__metadata__": {"fastdepth": text}}, size=8)
    with pytest.raises(WeightsError, match=f"the card of .*{message}") as raised:
        read_card(path)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999"])
def test_scores_are_finite(tmp_path, number):
    text = f'{{"variant": "x", "scores": {{"rmse": {number}}}}}'
    path = written(tmp_path, {"a": ENTRY, "__metadata__": {"fastdepth": text}}, size=8)
    with pytest.raises(WeightsError, match="the card of"):
        read_card(path)


def test_a_card_is_one_printable_line_whatever_the_paths_that_it_tells_of(tmp_path):
    card = WeightsCard("x", data="nyu:a\nb\x1b[31m\u202ec", licence="x" * 10**5)
    assert card.data == "nyu:a b\ufffd[31m\ufffdc"
    assert len(card.licence) < 11_000
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "c", metadata=card.to_header())
    assert read_card(tmp_path / "c") == card


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(WeightsError, match="not a file"):
            read_card(path)
    for path in ("\0", "x" * 5000):
        with pytest.raises(WeightsError):
            read_card(path)
        with pytest.raises(UnknownNameError):
            find_weights(path)


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
