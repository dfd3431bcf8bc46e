"""The script that wants a GPU, as far as a CPU goes: all of it but the GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fastdepth.variants import VARIANTS
from fastdepth_bench.case import Case
from fastdepth_bench.measure import gpu
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.gpu import DRY, FULL, GPU_TARGETS, QUICK, main
from fastdepth_bench.measure.isolate import OVER
from fastdepth_bench.measure.proofs import Proof
from fastdepth_bench.measure.row import Figures, empty_row, row_of
from fastdepth_bench.options import Options
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.file import Report, read_report
from fastdepth_bench.results.schema import SCHEMA_FILE

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu.sh"


@pytest.mark.slow
def test_dry_run(tmp_path: Path) -> None:
    output = tmp_path / "gpu.json"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = ["bash", str(SCRIPT), "--dry-run", "--output", str(output)]
    own = {"PATH": path, "FASTDEPTH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(words, env=os.environ | own, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(output.read_text())
    jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text()))
    rows = {(row["runtime"], row["precision"]): row for row in content["rows"]}
    assert set(rows) == {(target.name, name) for target in GPU_TARGETS for name in DRY.precision}
    for target in GPU_TARGETS:
        row = rows[target.name, "fp32"]
        if target.runs_on("cpu"):
            assert row["fps"] > 0
            assert row["max_difference_to_torch"] < 1e-4
        else:
            assert "runs on cuda alone" in row["error"]
    assert "frames/s" in done.stderr
    assert "onnxruntime fp32: the provider opens with and without PyTorch: ok" in done.stderr
    assert "torch fp32: fp32 is the CPU's: ok" in done.stderr


def test_all_variants_and_precisions_are_asked_for() -> None:
    assert FULL.variant == tuple(VARIANTS)
    asked = {(case.runtime, case.precision) for case in _cases()}
    assert asked == {(t.name, p) for t in GPU_TARGETS for p in t.precisions}


def _cases() -> list[Any]:
    return replace(FULL, runtime=tuple(target.name for target in GPU_TARGETS)).cases()


def test_without_a_gpu_it_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["--output", str(tmp_path / "gpu.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fastdepth-bench gpu: no GPU that PyTorch")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_row_that_should_run_and_fails_gives_status_1(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
    case: Case,
    yardstick: Yardstick,
    figures: Figures,
) -> None:
    failed = empty_row(case, yardstick, "no memory")
    elsewhere = empty_row(replace(case, runtime="tensorrt"), yardstick, "runs on cuda alone")
    whole = row_of(case, yardstick, figures)
    late = empty_row(case, yardstick, OVER)
    monkeypatch.setattr(gpu, "prove", lambda *_, **__: iter(()))
    for rows, status in (((whole, elsewhere), 0), ((whole, late), 0), ((whole, failed), 1)):
        measured = Report(environment, rows)
        monkeypatch.setattr(gpu, "measure_gpu", lambda *_, measured=measured: measured)
        assert main(["--dry-run", "--output", str(tmp_path / "gpu.json")]) == status


def test_a_quick_run_proves_first_and_ends_within_ten_minutes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: Environment,
    case: Case,
    yardstick: Yardstick,
    figures: Figures,
) -> None:
    done: list[Any] = []

    def proved(case: Case, *_: object, ends: float) -> Any:
        done.append((case.variant, case.device))
        assert ends < time.monotonic() + 600
        yield Proof("one")
        yield Proof("another", problem="no memory")

    def measured(options: Options, _: object, ends: float) -> Report:
        done.append((options.variant, options.seconds, options.restarts))
        assert ends < time.monotonic() + 600
        row = row_of(replace(case, variant=options.variant[0]), yardstick, figures)
        return Report(environment, (row,))

    monkeypatch.setattr(gpu, "refusal", lambda *_: "")
    monkeypatch.setattr(gpu, "prove", proved)
    monkeypatch.setattr(gpu, "measure_gpu", measured)
    output = tmp_path / "gpu.json"
    assert main(["--quick", "--output", str(output)]) == 1  # by the proof
    assert "another: FAILED: no memory" in capsys.readouterr().err
    first, second = QUICK.variant
    assert done == [(first, "cuda"), ((first,), 1.0, 1), ((second,), 1.0, 1)]
    assert [row.variant for row in read_report(output).rows] == [first, second]


def test_a_full_run_measures_the_first_variant_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: Environment,
    case: Case,
    yardstick: Yardstick,
    figures: Figures,
) -> None:
    done: list[Any] = []

    def measured(options: Options, *_: object) -> Report:
        done.append((options.variant, options.seconds, options.restarts))
        return Report(environment, (row_of(case, yardstick, figures),))

    monkeypatch.setattr(gpu, "refusal", lambda *_: "")
    monkeypatch.setattr(gpu, "prove", lambda *_, **__: iter(()))
    monkeypatch.setattr(gpu, "measure_gpu", measured)
    output = tmp_path / "gpu.json"
    assert main(["--output", str(output)]) == 0
    assert done == [(FULL.variant[:1], 1.0, 1), (FULL.variant, FULL.seconds, FULL.restarts)]
    assert len(read_report(output).rows) == 1


def test_what_compiles_for_minutes_comes_last(
    monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    asked: list[tuple[str, ...]] = []

    def run(options: Options, *_: object, **__: object) -> Report:
        asked.append(options.runtime)
        return Report(environment, ())

    monkeypatch.setattr(gpu, "refusal", lambda *_: "")
    monkeypatch.setattr(gpu, "run", run)
    gpu.measure_gpu(DRY, lambda *_: None)
    assert asked[0][-1] == "torch-compile"
    assert set(asked[0]) == {target.name for target in GPU_TARGETS}
