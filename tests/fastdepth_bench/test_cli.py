"""The command as a user meets it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import made_up_results
import numpy as np
import pytest
from tiny_onnx import METADATA, write_model

from fastdepth.calibrate.cli import main as calibrate
from fastdepth_bench import cli, command
from fastdepth_bench.cli import main
from fastdepth_bench.measure.run import run
from fastdepth_bench.options import Options
from fastdepth_bench.results.file import Report
from fastdepth_export.targets import TARGETS


@pytest.fixture
def measured(report: Report, monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Lets the command print the shared measurement; the options that it asked for."""
    asked: list[Options] = []

    def run(options: Options, advance: object) -> Report:
        asked.append(options)
        return report

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setenv("COLUMNS", "160")
    return asked


def test_help_needs_neither_torch_nor_onnx(bare_command: Callable[..., Any]) -> None:
    done = bare_command("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "fastdepth-bench --weights runs/first/best.safetensors" in done.stdout
    assert all(name in done.stdout for name in TARGETS)


@pytest.mark.parametrize("verb", ["compare", "report", "table"])
def test_reading_results_needs_neither_torch_nor_onnx(
    bare_command: Callable[..., Any], verb: str, tmp_path: Path
) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps(made_up_results.report(made_up_results.new_row())))
    files = [str(results)] * (2 if verb == "compare" else 1)
    done = bare_command(verb, *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert "unet128-dws" in done.stdout


def test_a_missing_extra_is_its_pip_line(bare_command: Callable[..., Any]) -> None:
    done = bare_command("--data", "rooms:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "fastdepth-bench: torch is not installed; run: pip install 'fastdepth[bench]'\n"
    )


def test_options_reach_the_run(measured: list[Options]) -> None:
    words = "--variant unet128 --variant unet256 --runtime torch --size 512x384 --limit 3 --flip"
    assert main(words.split()) == 0
    (asked,) = measured
    assert (asked.variant, asked.runtime) == (("unet128", "unet256"), ("torch",))
    assert (asked.size, asked.limit, asked.flip) == ("512x384", 3, True)


def test_json_goes_to_stdout_and_the_table_to_stderr(
    measured: list[Options], report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == json.loads(report.to_json())
    assert "onnxruntime" in captured.err
    assert "protocol eigen" in captured.err


def test_json_goes_to_a_file(measured: list[Options], report: Report, tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    assert main(["--json", str(path)]) == 0
    assert json.loads(path.read_text()) == json.loads(report.to_json())
    assert list(path.parent.iterdir()) == [path]


def test_markdown_and_csv_go_to_files_of_their_own(
    measured: list[Options], report: Report, tmp_path: Path
) -> None:
    files = tmp_path / "a.md", tmp_path / "a.csv"
    assert main(["--markdown", str(files[0]), "--csv", str(files[1])]) == 0
    markdown, table = (path.read_text() for path in files)
    for row in report.rows:
        assert f"| {row.variant} | {row.runtime} |" in markdown
    assert len(list(csv.DictReader(table.splitlines()))) == len(report.rows)


def test_a_failed_row_gives_status_1(
    report: Report, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = replace(report.rows[0], fps=None, latency_ms=None, metrics=None, error="no memory")
    partly = Report(report.environment, (failed, report.rows[1]))
    monkeypatch.setattr(command, "run", lambda *_: partly)
    assert main([]) == 1
    assert "failed: no memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--variant unet128-dsw", "did you mean 'unet128-dws'"),
        ("--runtime tensorflow", "unknown runtime"),
        ("--precision fp64", "unknown precision"),
        ("--protocol nyu", "unknown protocol"),
        ("--size 100x100", "nearest sizes that work"),
        ("--data nyu:/nowhere", "/nowhere"),
        ("--weights nothing.safetensors", "nothing.safetensors does not exist"),
        ("--device cuda:99", "cuda:99"),
    ],
)
def test_what_the_user_did_wrong_is_one_line(
    words: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith(f"{cli.PROG}: ")
    assert error.count("\n") == 1


def test_unwritable_json_is_found_before_the_work(
    measured: list[Options], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--json", str(tmp_path / "file" / "results.json")]) == 2
    assert "cannot" in capsys.readouterr().err
    assert not measured


def test_a_failure_leaves_the_old_json(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    assert main(["--json", str(path), "--limit", "0"]) == 2
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("words", ["--doctor", "doctor"])
def test_the_doctor_comes_by_either_name(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    assert "onnxruntime" in capsys.readouterr().out


@pytest.mark.parametrize("disparity", [False, True])
def test_a_calibrated_file_is_scored_after_its_correction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disparity: bool
) -> None:
    """The network sees the red channel; truth is another function of it."""
    model = tmp_path / "m.onnx"
    write_model(model, metres=0.01 if disparity else 0.03, metadata=None if disparity else METADATA)
    lines = ["image,depth,split,scene"]
    for number in range(14):
        blocks = np.random.default_rng(number).integers(40, 250, (6, 8), np.uint8)
        pixels = np.kron(blocks, np.ones((8, 8), np.uint8))
        depth = 1 / (0.002 * pixels + 0.1) if disparity else 1.5 * 0.03 * pixels
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.repeat(pixels[..., None], 3, -1))
        cv2.imwrite(str(tmp_path / f"{number}_d.png"), (1000 * depth).astype(np.uint16))
        lines.append(f"{number}.png,{number}_d.png,test,room")
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    data, said = ["--data", f"nyu:{tmp_path}"], ["--normalise", "raw"] if disparity else []
    answer = ["--answer", "disparity"] if disparity else []
    assert calibrate([str(model), *data, *said, *answer, "--threads", "1"]) == 0
    monkeypatch.setattr(command, "run", partial(run, isolated=False))
    d1 = {}
    for file in (model, tmp_path / "m.calibrated.onnx"):
        own = [*said, "--output", "metres"] if disparity and file == model else []
        words = ["--model", str(file), *own, *data, "--seconds", "0.01"]
        words += ["--restarts", "1", "--threads", "1", "--json", str(tmp_path / "r.json")]
        assert main(words) == 0
        (row,) = json.loads((tmp_path / "r.json").read_text())["rows"]
        assert row["alignment"] == "none"
        d1[file.name] = row["metrics"]["d1"]
    assert d1["m.onnx"] < 0.5 and d1["m.calibrated.onnx"] > 0.99
