"""OpenVINO's files: whole, alike and compared with PyTorch, or not written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.errors import ImageError, ModelFileError, ParityError
from fastdepth.size import Size
from fastdepth_bench.measure.bootstrap import ratio_interval
from fastdepth_bench.measure.interleaved import TurnTaker, take_turns
from fastdepth_export import ExportRecipe, export, verify
from fastdepth_export.compress.accuracy_loss import LossMeter
from fastdepth_export.formats.openvino_ir import (
    _HASH,
    _NO_HASH,
    OpenVinoModel,
    _hash,
    _save,
    _with_hash,
    core,
)

RECIPE = ExportRecipe("tiny", format="openvino")

TWO_IN_TURN = """
import os, signal, sys
from pathlib import Path
from fastdepth_export.formats.openvino_ir import OpenVinoModel

signal.signal(signal.SIGTERM, lambda *_: print("handled"))
first = OpenVinoModel(Path(sys.argv[1]), threads=1)
second = OpenVinoModel(Path(sys.argv[1]), threads=1)
del first
del second
os.kill(os.getpid(), signal.SIGTERM)
"""


def cpu_flags():
    """What the processor says that it can do; empty where it does not say."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def built(exported, tmp_path_factory):
    """The .xml of the tiny network, built from its ONNX file, and its metadata."""
    path = tmp_path_factory.mktemp("openvino") / "tiny.xml"
    return path, export(RECIPE, path, onnx_file=exported[0])


@pytest.fixture
def pair(built, tmp_path):
    """A copy of the files that a test may spoil."""
    for path in built[0].parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / "tiny.xml"


def test_the_files_answer_as_the_onnx_file_does(built, exported, tiny):
    images = np.stack([render_room(number, tiny.size).image for number in (3, 4)])
    expected = fastdepth.load(exported[0], threads=1).infer(images)
    model = OpenVinoModel(built[0], threads=1)
    np.testing.assert_allclose(model.infer(images), expected, atol=1e-4)
    np.testing.assert_allclose(model.infer(images[1:]), expected[1:], atol=1e-4)
    with pytest.raises(ImageError, match="this model takes uint8"):
        model.infer(images[:, 1:])


def test_an_answer_is_not_overwritten_by_the_next(built, tiny):
    model = OpenVinoModel(built[0], threads=1)
    first, second = (render_room(number, tiny.size).image[None] for number in (3, 4))
    answer = model.infer(first)
    kept = answer.copy()
    model.infer(second)
    np.testing.assert_array_equal(answer, kept)


def test_weights_are_not_compressed(built, exported):
    assert built[0].with_suffix(".bin").stat().st_size > 0.8 * exported[0].stat().st_size


def test_the_metadata_holds_the_parity_of_these_files(built, exported):
    path, metadata = built
    assert OpenVinoModel(path).metadata == metadata
    assert 0 < metadata.parity < 1e-4
    assert replace(metadata, parity=exported[1].parity) == exported[1]


def test_what_differs_is_not_written(exported, tmp_path, monkeypatch):
    for name in ("m.xml", "m.bin"):
        (tmp_path / name).write_text("old")
    monkeypatch.setattr(verify, "TOLERANCE", 0)
    with pytest.raises(ParityError, match="nothing was written"):
        export(RECIPE, tmp_path / "m.xml", onnx_file=exported[0])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "m.xml": "old",
        "m.bin": "old",
    }


@pytest.mark.thorough
def test_in_8_bits_the_losses_of_both_steps_add_up(
    reduced, folded, weights, tiny, tmp_path, monkeypatch
):
    """What the metadata says is against fp32, not against the file that these are built from."""
    source, before = reduced["int8"]
    recipe = replace(RECIPE, weights=str(weights), precision="int8", calibration="rooms:1")
    built = export(recipe, tmp_path / "m.xml", onnx_file=source, data="rooms:1")
    meter = LossMeter(folded, tiny.size, "rooms:1")
    loss = meter.measure_with(OpenVinoModel(tmp_path / "m.xml").infer)
    assert built.d1_change == pytest.approx(loss.d1, abs=1e-9)
    assert max(before.parity, loss.largest) <= built.parity < 0.5  # of depths up to 10 m
    assert (built.quantisation, built.calibration) == (before.quantisation, before.calibration)
    spent = replace(before, d1_change=0.02)
    monkeypatch.setattr("fastdepth_export.formats.onnx_graph.read_metadata", lambda path: spent)
    with pytest.raises(ParityError, match="int8 file changes d1 by"):
        export(recipe, tmp_path / "refused.xml", onnx_file=source, data="rooms:1")
    assert not list(tmp_path.glob("refused*"))


@pytest.mark.slow
@pytest.mark.skipif("vnni" not in cpu_flags(), reason="this CPU has no VNNI")
def test_in_8_bits_it_is_faster_than_in_fp32(tmp_path, monkeypatch):
    """Of one graph, timed in turns on one thread."""
    monkeypatch.setattr("fastdepth_export.compress.fold.can_merge", lambda sizes: False)
    takers = []
    for precision in ("fp32", "int8"):
        path = tmp_path / f"{precision}.xml"
        export(ExportRecipe("unet128-dws", format="openvino", precision=precision), path)
        takers.append(TurnTaker(OpenVinoModel(path, threads=1), Size(480, 640)))
    images = [render_room(number, Size(480, 640)).image[None] for number in range(4)]
    rounds = take_turns(*takers, images, seconds=20)
    slow, fast = ([turn.inference for turn in turns] for turns in zip(*rounds, strict=True))
    ratio = ratio_interval([slow], [fast])
    print(f"int8 {ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}] times as fast as fp32")
    assert ratio.low > 1.2


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # of a weight; the last ones are shapes
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change_a_byte, r"tiny.xml or .*tiny.bin is damaged, or they do not belong together"),
        (lambda path: path.write_bytes(b"short"), "tiny.xml"),
        (Path.unlink, "run fastdepth-export again"),
    ],
    ids=["changed", "truncated", "missing"],
)
@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_damage_and_files_of_another_export_are_noticed(pair, suffix, spoil, message):
    spoil(pair.with_suffix(suffix))
    with pytest.raises(ModelFileError, match=message):
        OpenVinoModel(pair)


def test_no_byte_of_the_description_can_change_unnoticed(pair):
    content = pair.read_bytes()
    for at in range(0, len(content), len(content) // 100):
        pair.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ModelFileError, match="damaged"):
            OpenVinoModel(pair)


def test_a_size_that_is_not_the_graphs_is_one_line(pair, built):
    other = replace(built[1], sizes=(Size(64, 128),))
    _save(core().read_model(built[0]), (pair, pair.with_suffix(".bin")), set(), other)
    with pytest.raises(ModelFileError, match="tiny.xml cannot run in OpenVINO; run fastdepth-"):
        OpenVinoModel(pair).infer(np.zeros((1, 64, 128, 3), np.uint8))


def test_a_file_with_a_hash_and_no_metadata_is_one_line(pair):
    weights, text = pair.with_suffix(".bin"), pair.read_bytes().replace(b"<fastdepth ", b"<other ")
    at = _HASH.search(text)
    pair.write_bytes(_with_hash(text, at, _hash(_with_hash(text, at, _NO_HASH), weights)))
    with pytest.raises(ModelFileError, match="has no fastdepth metadata"):
        OpenVinoModel(pair)


def test_models_that_end_in_the_order_in_which_they_began_leave_signals_alone(built):
    words = [sys.executable, "-c", TWO_IN_TURN, str(built[0])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n")


def test_files_of_other_programs_are_refused(tmp_path, exported):
    import openvino

    openvino.save_model(core().read_model(exported[0]), tmp_path / "m.xml")
    with pytest.raises(ModelFileError, match="has no fastdepth metadata"):
        OpenVinoModel(tmp_path / "m.xml")
    with pytest.raises(ModelFileError, match="nothing.xml does not exist"):
        OpenVinoModel(tmp_path / "nothing.xml")
