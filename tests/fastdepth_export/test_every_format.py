"""Each format is written or says why not; one that is refused does not end the others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_onnx import METADATA, write_model

from fastdepth.errors import MissingExtraError, ParityError
from fastdepth_export import every_format
from fastdepth_export.cli import main
from fastdepth_export.every_format import Written, refusals
from fastdepth_export.export import files_of
from fastdepth_export.targets import FORMATS

COMMAND = "--variant tiny --format"


@pytest.fixture
def exports(monkeypatch):
    """Calls as (format, precision, what it was built from); ncnn and onnx in int8 are refused."""
    calls = []

    def export(recipe, path, *, onnx_file=None, data, force):
        calls.append((recipe.format, recipe.precision, onnx_file and onnx_file.name))
        if recipe.format == "ncnn" or (recipe.format, recipe.precision) == ("onnx", "int8"):
            raise ParityError(f"the {recipe.format} file is constant")
        for part in files_of(path, recipe.resolved().target):
            part.parent.mkdir(parents=True, exist_ok=True)
            write_model(part, recipe.resolved().sizes[0])
        return replace(METADATA, precision=recipe.precision, parity=2e-6)

    def require_extras(target):
        if target.format in ("engine", "litert", "coreml", "executorch"):
            raise MissingExtraError(f"{target.package} is not installed; run: pip install IT")

    monkeypatch.setattr(every_format, "export", export)
    monkeypatch.setattr(every_format, "require_extras", require_extras)
    return calls


def test_all_formats_have_a_row_each(exports, tmp_path, capsys):
    assert main([*COMMAND.split(), "all", "--output", str(tmp_path / "new")]) == 0
    table = capsys.readouterr().out
    rows = {line.split()[0]: line for line in table.splitlines() if " fp32  " in line}
    assert set(rows) == set(FORMATS)
    assert "tiny.onnx" in rows["onnx"]
    assert "2.0e-06 m" in rows["openvino"]
    assert "not written" in rows["engine"]
    assert "engine fp32 not written: tensorrt is not installed; run: pip install IT" in table
    assert "ncnn fp32 not written: the ncnn file is constant" in table
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"tiny.onnx", "tiny.xml", "tiny.bin", "tiny.web"}


def test_the_onnx_file_is_exported_once_for_all(exports, tmp_path):
    assert main([*COMMAND.split(), "web,openvino,onnx", "--output", str(tmp_path)]) == 0
    assert exports[0] == ("onnx", "fp32", None)
    assert exports[1:] == [("web", "fp32", "tiny.onnx"), ("openvino", "fp32", "tiny.onnx")]
    exports.clear()
    assert main([*COMMAND.split(), "web,openvino", "--output", str(tmp_path / "two")]) == 0
    assert [call[0] for call in exports] == ["onnx", "web", "openvino"]
    assert not (tmp_path / "two" / "tiny.onnx").exists()


def test_what_others_are_built_from_is_refused_once(exports, tmp_path, capsys):
    words = ["onnx,openvino", "--precision", "int8", "--output", str(tmp_path)]
    assert main([*COMMAND.split(), *words]) == 1
    assert exports == [("onnx", "int8", None)]
    assert "openvino int8 not written: the onnx file is constant" in capsys.readouterr().out


def test_one_that_was_named_and_not_written_is_status_1(exports, tmp_path, capsys):
    words = ["onnx,ncnn", "--precision", "fp32,bf16", "--output", str(tmp_path)]
    assert main([*COMMAND.split(), *words]) == 1
    out = capsys.readouterr().out
    assert "onnx bf16 not written: onnx cannot be written in bf16" in out
    assert (tmp_path / "tiny.onnx").exists()
    assert main([*COMMAND.split(), "all", "--precision", "fp32,bf16", "--output", words[-1]]) == 0
    assert "onnx bf16" not in capsys.readouterr().out
    assert (tmp_path / "tiny-bf16.xml").exists()


def test_a_pair_that_is_named_twice_is_written_once(exports, tmp_path, capsys):
    words = ["onnx,onnx", "--precision", "fp32,fp32", "--output", str(tmp_path)]
    assert main([*COMMAND.split(), *words]) == 0
    assert capsys.readouterr().out.count("tiny.onnx") == 1


def test_why_a_file_was_refused_is_told_without_saying_twice_that_it_was_not_written():
    refused = "the fp16 file changes d1 by -0.1000; nothing was written; use another precision"
    (line,) = refusals([Written("onnx", "fp16", refused=refused)])
    assert line == (
        "onnx fp16 not written: the fp16 file changes d1 by -0.1000; use another precision"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("onnx,onnix", "unknown format 'onnix'; did you mean 'onnx'?"),
        ("all,onnx", "unknown format 'all'"),
        ("all --precision fp32,fp61", "unknown precision 'fp61'"),
        ("all --size 33x33", "tiny"),
        ("all --output FILE", "is not; name another"),
        ("all --output FILE.onnx", "is not; name another"),
        ("onnx,ncnn --output new.ncnn.param", "is not; name another"),
        ("all --output FILE/below", "cannot make the folder"),
        ("all --sensitivity", "leave it out"),
        ("all --weights nothing.safetensors", "nothing.safetensors"),
    ],
)
def test_what_no_format_can_do_is_one_line(words, message, exports, tmp_path, capsys):
    (tmp_path / "FILE").touch()
    words = words.replace("FILE", str(tmp_path / "FILE"))
    assert main([*COMMAND.split(), *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not exports
