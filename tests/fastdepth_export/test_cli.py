from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastdepth
from fastdepth.variants import VARIANTS
from fastdepth.weights import default_tag
from fastdepth_export.cli import Options, main, place_of
from fastdepth_export.targets import FORMATS


def test_a_file_and_the_line_about_it(tmp_path, capsys):
    path = tmp_path / "tiny.onnx"
    assert main(["--variant", "tiny", "--size", "160x128", "--no-fold", "--output", str(path)]) == 0
    assert fastdepth.load(path).size == (128, 160)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "weights untrained, input 160x128, opset 20" in captured.err


@pytest.mark.parametrize(
    ("given", "form", "expected"),
    [
        (None, "onnx", "tiny.onnx"),
        ("new", "onnx", "new/tiny.onnx"),
        ("there", "openvino", "there/tiny.xml"),
        ("there.onnx", "onnx", "there.onnx/tiny.onnx"),
        ("m.onnx", "onnx", "m.onnx"),
        ("page", "web", "page"),
        ("page.v2", "web", "page.v2"),
        ("new", "ncnn", "new/tiny.ncnn.param"),
        ("m.ncnn.param", "ncnn", "m.ncnn.param"),
        ("there.ncnn.param", "ncnn", "there.ncnn.param/tiny.ncnn.param"),
        ("new", "coreml", "new/tiny.mlpackage"),
        ("m.mlpackage", "coreml", "m.mlpackage"),
        ("there.mlpackage", "coreml", "there.mlpackage"),
    ],
)
def test_an_output_without_the_suffix_is_a_folder(given, form, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("there", "there.onnx", "there.ncnn.param", "there.mlpackage"):
        Path(name).mkdir()
    assert place_of(given and Path(given), "tiny", FORMATS[form]) == Path(expected)


@pytest.mark.slow
def test_several_sizes_are_one_file(tmp_path, capsys):
    path = tmp_path / "tiny.onnx"
    words = f"--variant tiny --size 128x96 --size 160x96 --output {path}"
    assert main(words.split()) == 0
    assert fastdepth.load(path).sizes == ((96, 128), (96, 160))
    assert "input 128x96, 160x96, opset 20" in capsys.readouterr().err


def test_reduced_precision_says_what_it_lost(weights, tmp_path, capsys):
    path = tmp_path / "half.onnx"
    words = f"--variant tiny --weights {weights} --precision fp16 --data rooms:1 --output {path}"
    assert main(words.split()) == 0
    error = capsys.readouterr().err
    assert "opset 20, fp16, " in error
    assert re.search(r"at most \S+ m from fp32, d1 [+-]0\.\d{4}$", error.strip())


@pytest.mark.thorough
def test_sensitivity_is_a_table_and_writes_nothing(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "--variant tiny --sensitivity --data rooms:1 --calibration rooms:1"
    assert main([*words.split(), "--weights", str(weights)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("bins.logits.conv ") for line in lines)
    assert all("of the multiply-adds, d1 " in line for line in lines)
    assert not list(tmp_path.iterdir())


def test_the_file_is_named_after_the_variant_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--variant", "tiny"]) == 0
    assert (tmp_path / "tiny.onnx").exists()


def test_openvino_is_two_files(tmp_path, capsys):
    path = tmp_path / "tiny.xml"
    assert main(["--variant", "tiny", "--format", "openvino", "--output", str(path)]) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"tiny.xml", "tiny.bin"}
    assert f"{path}: tiny, weights untrained, input 128x96" in capsys.readouterr().err


def test_help_names_every_format(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for name, target in FORMATS.items():
        assert name in text
        assert f"FILE{target.suffixes[0]}" in text or len(target.suffixes) == 1


def test_list_has_a_line_per_variant(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["network", "input"]
    for line, name in zip(lines[1:], VARIANTS, strict=False):
        words = line.split()
        assert (words[0], words[3]) == (name, default_tag(name) or "untrained")


def test_list_ends_with_the_licences(capsys):
    main(["--list"])
    notes = capsys.readouterr().out.splitlines()[1 + len(VARIANTS) :]
    assert [line.partition(":")[0] for line in notes] == list(
        filter(None, map(default_tag, VARIANTS))
    )


def run_without(module, *words):
    """The command in a fresh process in which a package is not installed."""
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise ModuleNotFoundError("missing", name=name)
sys.meta_path.insert(0, Missing())
from fastdepth_export.cli import Options, main
sys.exit(main({list(words)!r}))
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_list_needs_no_torch():
    done = run_without("torch", "--list")
    assert done.returncode == 0, done.stderr
    assert "unet128-dws" in done.stdout


@pytest.mark.parametrize(
    ("module", "extra", "form"),
    [
        ("torch", "export", "onnx"),
        pytest.param("onnxruntime", "cpu", "onnx", marks=pytest.mark.thorough),
        pytest.param("openvino", "openvino", "openvino", marks=pytest.mark.thorough),
        ("tensorrt", "tensorrt", "engine"),
    ],
)
def test_a_missing_extra_is_one_line_with_pip_in_it(module, extra, form):
    done = run_without(module, "--variant", "unet128", "--format", form)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"fastdepth-export: {module} is not installed; run: pip install 'fastdepth[{extra}]'"
    ]


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({}, "folded"),
        ({"no_fold": True}, "plain"),
        ({"no_fold": True, "form": "plain"}, "plain"),
        ({"form": "last-axis"}, "last-axis"),
    ],
    ids=str,
)
def test_the_form_has_an_old_and_a_new_option(options, form):
    assert Options(variant="tiny", **options).recipe().form == form


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no --variant; --list shows all"),
        ("--list --variant tiny", "--list exports nothing; leave the other options out"),
        ("--list --verify m.onnx", "--list exports nothing; leave the other options out"),
        ("--variant unet128 --size 224x224", "nearest sizes that work"),
        ("--variant unet128 --size big", "write for example 640x480"),
        ("--variant unet129", "did you mean 'unet128'"),
        ("--variant tiny --format tflite", "known: onnx, openvino, engine"),
        ("--variant tiny --format openvino --output m.onnx", "name the output FILE.xml"),
        ("--variant tiny --output m.bin", "m.bin does not end in .onnx; name the output FILE.onnx"),
        ("--variant tiny --precision fp8", "known: fp32, fp16, bf16, int8"),
        ("--variant tiny --form plane", "unknown form 'plane'; did you mean 'plain'?"),
        ("--variant tiny --no-fold --form last-axis", "leave one of --no-fold and --form out"),
        ("--variant tiny --precision int8 --calibration room", "did you mean 'rooms'"),
        ("--variant tiny --precision fp16 --data nyu:/no", "/no"),
        ("--variant tiny --outputs std", "outputs std cannot be; use depth or depth,std"),
        (
            "--variant tiny --outputs depth,std",
            "weights untrained have no uncertainty head; use --outputs depth, or fit one",
        ),
        (
            "--variant tiny --outputs depth,std --format openvino",
            "openvino answers with depth alone; use --format onnx for std",
        ),
        ("--variant tiny --output /proc/no/m.onnx", "cannot make the folder"),
        ("--variant tiny --std", "fastdepth-export: Unrecognized options: --std"),
    ],
)
def test_user_errors_are_one_line_and_status_2(words, message, capsys):
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--verify m.onnx --opset 18", "--opset is for an export"),
        ("--verify m.onnx --no-simplify", "--no-simplify is for an export"),
        ("--variant tiny --format ncnn --opset 18", "--opset is for formats that are made of an O"),
        ("--variant tiny --format ncnn,litert --no-simplify", "--no-simplify is for formats"),
        ("--variant tiny --force", "--force is for --precision fp16, bf16 or int8; add that"),
        ("--variant tiny --calibration rooms:1", "--calibration is for --precision int8"),
        ("--variant tiny --data rooms:1", "--data is for --precision"),
        ("--variant tiny --sensitivity --output x.onnx", "--output is for a file that is written"),
        ("--variant tiny --output {0} --weights {0}", "is an input and would be written over"),
    ],
)
def test_options_that_mean_nothing_alone(words, message, tmp_path, capsys):
    file = tmp_path / "w.onnx"
    file.touch()
    assert main(words.format(file).split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
