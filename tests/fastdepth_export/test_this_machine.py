"""The fastest file that passes is kept; what was refused is told, and nothing else is written."""

from __future__ import annotations

import ast
import time
from dataclasses import replace

import numpy as np
import pytest
from tiny_onnx import METADATA, write_model

import fastdepth
from fastdepth.errors import DeviceError, OutputError, ParityError, UsageError
from fastdepth.images.parallel import usable_cores
from fastdepth_export import ExportRecipe, every_format, this_machine
from fastdepth_export.cli import main
from fastdepth_export.every_format import Written, refusals
from fastdepth_export.export import files_of
from fastdepth_export.targets import Target
from fastdepth_export.this_machine import (
    LINES,
    Candidate,
    Tried,
    cells,
    export_fastest,
    ranked,
    reference,
)

MILLISECONDS = {("openvino", "bf16"): 2, ("onnxruntime", "int8"): 4}
"""Of what is not as slow as the others, by runtime and precision."""


@pytest.fixture
def quick(monkeypatch):
    """Files and their times by a table; int8 with bf16 is refused."""

    def export(recipe, path, *, onnx_file=None, data, force):
        assert not force
        if recipe.precision == "int8+bf16":
            raise ParityError("the int8+bf16 file changes d1 by -0.0200; nothing was written; use")
        for part in files_of(path, recipe.resolved().target):
            write_model(part, recipe.resolved().sizes[0])
        change = None if recipe.precision == "fp32" else 1e-4
        return replace(METADATA, precision=recipe.precision, d1_change=change)

    def opened(candidate, path):
        key = candidate.runtime, candidate.precision
        plain = candidate.layout == "as written"
        seconds = (MILLISECONDS.get(key, 8) + plain) / 1000
        return lambda images: time.sleep(seconds)

    monkeypatch.setattr(every_format, "export", export)
    monkeypatch.setattr(this_machine, "_open", opened)


def test_the_fastest_is_kept(quick, tmp_path):
    tried, path, metadata = export_fastest(
        ExportRecipe("tiny"), tmp_path / "best.onnx", threads=1, seconds=0.01
    )
    assert (path.name, metadata.precision) == ("best.xml", "bf16")
    assert {each.name for each in tmp_path.iterdir()} == {"best.xml", "best.bin"}
    first, *_, last = tried
    assert (first.candidate.runtime, first.candidate.precision) == ("openvino", "bf16")
    assert 2 < first.ratio < 6
    assert last.written.refused
    assert last.ms is None
    layouts = {each.candidate.layout for each in tried if each.candidate.runtime == "onnxruntime"}
    assert layouts == {"blocked", "as written"}
    line = "openvino int8+bf16 not written: the int8+bf16 file changes d1 by -0.0200"
    assert refusals(each.written for each in tried) == [line]
    assert [row[-2] for row in cells(tried)].count("refused") == 1


@pytest.mark.parametrize(
    ("runtime", "names"),
    [
        ("litert", {"best.tflite"}),
        ("ncnn", {"best.ncnn.param", "best.ncnn.bin", "best.ncnn.json"}),
    ],
)
def test_files_for_phones_can_be_the_fastest(runtime, names, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(Target, "installed", property(lambda target: target.name in LINES))
    monkeypatch.setattr(every_format, "require_extras", lambda target: None)
    monkeypatch.setitem(MILLISECONDS, (runtime, "fp16"), 0)
    tried, path, _ = export_fastest(
        ExportRecipe("tiny"), tmp_path / "best.onnx", threads=1, seconds=0.01
    )
    assert {each.candidate.runtime for each in tried} == set(LINES)
    assert (tried[0].candidate.runtime, tried[0].candidate.precision) == (runtime, "fp16")
    assert path in tmp_path.iterdir()
    assert {each.name for each in tmp_path.iterdir()} == names
    line = tried[0].candidate.line(path)
    assert f"{str(path)!r}" in line
    ast.parse(line)


def test_a_file_is_opened_as_its_target_says(monkeypatch):
    given = []

    class Model:
        infer = "its answer"

        def __init__(self, path, threads):
            given.append((path, threads))

    monkeypatch.setattr("fastdepth_export.formats.litert_model.LiteRtModel", Model)
    candidate = Candidate("litert", "int8", 2, "its own")
    assert this_machine._open(candidate, "m.tflite") == "its answer"
    assert given == [("m.tflite", 2)]


def test_what_is_faster_in_turns_comes_first():
    usual = reference([1, 2])
    assert usual.threads == 2
    slower = Tried(usual, Written("onnx", "fp32"), ms=11.5, ratio=0.85)
    other = Candidate("openvino", "int8", 1, "its own")
    faster = Tried(other, Written("openvino", "int8"), ms=11.6, ratio=1.35)
    refused = Tried(replace(usual, threads=1), Written("onnx", "fp32", refused="it differs"))
    assert ranked([refused, slower, faster]) == [faster, slower, refused]
    alone = [replace(each, ratio=None) for each in (faster, slower)]
    assert ranked(alone) == alone[::-1]


def test_the_line_that_opens_a_file_runs(tmp_path):
    path = write_model(tmp_path / "it's.onnx")
    opened: dict[str, fastdepth.DepthModel] = {}
    exec(reference([1]).line(path), opened)
    assert (opened["model"].opening.source, opened["model"].opening.threads) == (path, 1)


def test_the_line_says_what_openvino_computes_in(tmp_path):
    candidate = Candidate("openvino", "int8", 1, "its own")
    single, half = (
        replace(candidate, precision=each).line(tmp_path / "m.xml")
        for each in ("int8", "int8+bf16")
    )
    assert "'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': 1" in single
    assert "'INFERENCE_PRECISION_HINT': 'bf16'" in half


def test_all_numbers_of_threads_are_tried(quick, tmp_path):
    tried, *_ = export_fastest(ExportRecipe("tiny"), tmp_path / "best.onnx", seconds=0.01)
    counts = {each.candidate.threads for each in tried}
    assert {1, usable_cores()} <= counts
    with pytest.raises(UsageError, match="the cores there are"):
        export_fastest(ExportRecipe("tiny"), tmp_path / "best.onnx", threads=1024)


def test_where_all_is_refused_nothing_is_written(tmp_path, monkeypatch):
    def export(*_, **__):
        raise ParityError("it differs")

    monkeypatch.setattr(every_format, "export", export)
    with pytest.raises(DeviceError, match="can be exported and run.*it differs"):
        export_fastest(ExportRecipe("tiny"), tmp_path / "best.onnx", threads=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    ["--format openvino", "--precision int8", "--verify m.onnx", "--sensitivity", "--force"],
)
def test_options_that_it_decides_itself_are_refused(words, capsys):
    assert main(["--variant", "tiny", "--for-this-machine", *words.split()]) == 2
    error = capsys.readouterr().err
    assert "leave it or --" in error
    assert error.count("\n") == 1
    assert main(["--variant", "tiny", "--threads", "1"]) == 2
    assert "--for-this-machine; add that" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_anything_is_exported(tmp_path, monkeypatch):
    def export(*_, **__):
        raise AssertionError("minutes were spent")

    monkeypatch.setattr(every_format, "export", export)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot make the folder"):
        export_fastest(ExportRecipe("tiny"), tmp_path / "file" / "best.onnx", threads=1)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ([], "tiny.onnx"),
        (["--output", "best.onnx"], "best.onnx"),
        (["--output", "best.xml"], "best.xml"),
        (["--output", "best.ncnn.param"], "best.ncnn.param"),
        (["--output", "new"], "new/tiny.onnx"),
        (["--output", "v1.2"], None),
    ],
)
def test_output_is_a_file_or_a_folder(words, place, monkeypatch, capsys):
    def stop(recipe, output, **_):
        raise DeviceError(f"to {output}")

    monkeypatch.setattr(this_machine, "export_fastest", stop)
    assert main(["--variant", "tiny", "--for-this-machine", *words]) != 0
    assert ("does not end in .onnx" if place is None else f"to {place}") in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_is_exported_for_real(weights, tiny, tmp_path, capsys):
    words = "--variant tiny --for-this-machine --threads 1 --data rooms:1 --calibration rooms:1"
    place = tmp_path / "best.onnx"
    assert main([*words.split(), "--weights", str(weights), "--output", str(place)]) == 0
    out = capsys.readouterr().out
    assert "onnxruntime" in out
    assert "fastest: " in out
    kept = {path.suffix for path in tmp_path.iterdir()}
    assert kept in ({".onnx"}, {".xml", ".bin"}, {".tflite"}, {".param", ".bin", ".json"})
    line = next(line for line in out.splitlines() if "import" in line)
    exec(line, {})
    if kept == {".onnx"}:
        image = np.zeros((*tiny.size, 3), np.uint8)
        assert fastdepth.load(place)(image).shape == tiny.size
