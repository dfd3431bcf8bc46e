"""Files of any earlier fastdepth are read; others are refused in one line."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from made_up_results import ENVIRONMENT, latency, new_row, old_row, report

from fastdepth.errors import InputError, UsageError
from fastdepth.metrics import ALIGNMENTS
from fastdepth_bench.results.figures import Against
from fastdepth_bench.results.file import Report, committed_results, read_report, read_reports


def write(folder: Path, content: Any) -> Path:
    path = folder / "results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_is_written_is_what_is_read(tmp_path: Path, report: Report) -> None:
    path = write(tmp_path, report.to_json())
    assert read_reports([path]) == {path: report}


def test_files_without_newer_keys_load(tmp_path: Path) -> None:
    first, second = read_report(write(tmp_path, report(old_row(), new_row()))).rows
    assert (first.scenario, first.form, first.restarts) == ("single-stream", "folded", None)
    assert first.latency_ms is not None and second.stages_ms is not None
    assert second.restarts == 5
    later = report(old_row(key_of_a_later_fastdepth=[1]))
    assert read_report(write(tmp_path, later)).rows == (first,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON, which has no NaN; give what"),
        ("\xff", "is not JSON"),
        ("[" * 10_000, "is not JSON"),
        ("[]", "has no rows"),
        ({"schema": 1, "rows": []}, "has no rows"),
        (report(old_row()) | {"schema": 2}, "has schema 2, this fastdepth reads 1; update it"),
        (report(old_row()) | {"environment": {"cpu": "x"}}, "missing required field `cores`"),
        (report({"variant": "unet128"}), "missing required field `weights` - at `\\$.rows"),
        (report(old_row(fps="fast")), "Expected `float \\| null`, got `str` - at .*fps`"),
        (report(old_row(threads=0)), "Expected `int` >= 1 - at .*threads`"),
        (report(old_row(latency_ms={"p50": 1.0})), "missing required field `p90` - at .*latency"),
        ({"schema": 1, "rows": ["x"], "environment": ENVIRONMENT}, "got `str` - at `\\$.rows"),
        ({"schema": 1, "rates": {}, "rows": ["x"], "environment": ENVIRONMENT}, "measure it again"),
        ({"schema": 1, "rates": {}, "rows": [{"fps": 1.0}]}, "measure it again"),
        (report(old_row(fps=0)), "Expected `float` >= .*fps"),
        (report(old_row(fps=-1.0)), "Expected `float` >= .*fps"),
        (report(old_row(fps=1e300)), "Expected `float` <= .*fps"),
        (report(old_row(fps=math.nan)), "is not JSON"),
        (report(old_row(params=10**30)), "Expected `int` <= .*params"),
        (report(old_row(bytes=-1)), "Expected `int` >= .*bytes"),
        (report(old_row(size=[0, 640])), "Expected `int` >= 1 - at .*size"),
        (report(old_row(batch=True)), "Expected `int`, got `bool`"),
        (report(old_row(weights="x" * 10**6)), "Expected `str` of length <= 1000"),
        (report(old_row(metrics={"d1": 1.5})), "d1 1.5 is no such score"),
        (report(old_row(metrics={"rmse": -1})), "rmse -1.0 is no such score"),
        (report(old_row(metrics={"d1": None})), "Expected `float`, got `null`"),
        (report(new_row(fps_interval=[11.0, 9.0])), "interval .* is in no order"),
        (report(old_row(latency_ms=latency(1.0) | {"p99": 0.5})), "latency .* is in no order"),
        (report(old_row(), cores=0), "Expected `int` >= 1 - at .*cores"),
        (report(*[old_row()] * 1001), "length <= 1000"),
        ({"schema": "x" * 10**6, "rows": [1]}, "has schema xxxxxxxxx, this"),
        ("\ufeff{}", "has no rows"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_broken_file_is_one_line_that_names_the_key(
    tmp_path: Path, content: Any, message: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read_report(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "windows.json"
    path.write_text(json.dumps(report(old_row())), encoding="utf-8-sig")
    assert len(read_report(path).rows) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "results.json"
    path.write_bytes('{"rows": []}'.encode(encoding))
    with pytest.raises(InputError, match="is UTF-16 or UTF-32; save it as UTF-8"):
        read_report(path)


def test_a_value_that_is_no_json_is_refused_from_python_too() -> None:
    for wrong in (math.nan, math.inf, -math.inf):
        for key in ("fps", "cv", "d1_minus_torch"):
            with pytest.raises(InputError, match=key):
                Report.from_json(report(old_row(**{key: wrong})))


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large.json"
    large.touch()
    os.truncate(large, 10**12)
    found = {tmp_path: "a folder", tmp_path / "pipe": "a named pipe", large: "larger than"}
    for path, message in {**found, Path("/dev/zero"): "a device"}.items():
        with pytest.raises(InputError, match=message):
            read_report(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_report(tmp_path / "results.json")
    with pytest.raises(UsageError, match="run in a checkout"):
        committed_results(tmp_path)


def folding_row(form: str, p50: float | None, **changes: Any) -> dict[str, Any]:
    """A row as the folding benchmark wrote it, which is gone."""
    row = {
        "variant": "unet128",
        "weights": "unet128.nyu",
        "weights_hash": "0123456789ab",
        "untrained": False,
        "form": form,
        "same_as": None,
        "size": [480, 640],
        "batch": 1,
        "deployed_params": 10_000_000,
        "gmac": 40.0,
        "bytes": 43_000_000,
        "ceiling_ms": {"arithmetic": 200.0, "memory": 5.0, "binds": "multiply-adds"},
        "fps": p50 and 1e3 / p50,
        "latency_ms": p50 and latency(p50),
        "n": p50 and 25,
        "cv": p50 and 0.02,
        "warm_up": p50 and {"n": 5, "seconds": 1.0, "stable": True},
        "ceiling_share": p50 and 200 / p50,
        "speedup": None,
        "difference_to_plain": p50 and 0.0,
        "difference_to_float64": p50 and 7e-6,
    }
    return row | changes


SPEEDUP = {"value": 2.0, "low": 1.9, "high": 2.1}


def folding_file(*rows: dict[str, Any]) -> dict[str, Any]:
    """What the folding benchmark wrote."""
    return {
        "schema": 1,
        "environment": ENVIRONMENT,
        "rates": {"macs_per_second": 200e9, "bytes_per_second": 10e9, "threads": 3},
        "data": "nyu",
        "samples": 10,
        "sample_hash": "903e649ece66",
        "rows": rows,
    }


def test_files_of_the_folding_benchmark_are_read_as_rows(tmp_path: Path) -> None:
    content = folding_file(
        folding_row("plain", 500.0),
        folding_row("last-axis", None, same_as="plain"),  # which was not timed twice
        folding_row("folded", 250.0, speedup=SPEEDUP, difference_to_plain=4e-6),
    )
    plain, folded = read_report(write(tmp_path, content)).rows
    assert (plain.name, folded.name) == ("unet128:plain", "unet128")
    assert (folded.target, folded.device, folded.threads) == ("onnxruntime", "cpu", 3)
    assert (folded.fps, folded.metrics, folded.samples) == (4, None, 10)
    assert folded.against == Against("unet128:plain", 2, 1.9, 2.1, folded.size, p50_ms=500)
    assert plain.against is None
    assert (folded.max_difference_to_against, plain.max_difference_to_against) == (4e-6, None)
    assert plain.max_difference_to_float64 == folded.max_difference_to_float64 == 7e-6
    assert folded.ceiling is not None
    assert (folded.ceiling.least_ms, folded.ceiling.share) == (200, pytest.approx(0.8))
    assert Report.from_json(json.loads(read_report(tmp_path / "results.json").to_json())).rows == (
        plain,
        folded,
    )


def test_a_folding_file_without_the_row_that_was_compared_with_is_one_line(tmp_path: Path) -> None:
    content = folding_file(folding_row("folded", 250.0, speedup=SPEEDUP))
    with pytest.raises(InputError, match=r"results.json: 'unet128'; measure it again"):
        read_report(write(tmp_path, content))


def test_a_driver_makes_no_other_machine() -> None:
    one, other, none = (
        Report.from_json(report(old_row(), gpus=gpus)).environment.machine
        for gpus in (["NVIDIA X, driver 1"], ["NVIDIA X, driver 2"], [])
    )
    assert one == other == "Model of the CPU; 4 of 8 cores; NVIDIA X"
    assert one != none


def test_a_processor_of_the_same_name_may_be_another() -> None:
    found = Report.from_json(report(old_row(), instructions=["avx2", "avx512_vnni"])).environment
    assert found.machine == "Model of the CPU (avx2, avx512_vnni); 4 of 8 cores"
    assert found.machine in found.describe()


RULES = "crop rows 45:471; flip no (published: mean of {} and mirror); averaging per image"
FITTED = (
    "; disparity, fitted to the truth of each {} by scale and shift in inverse depth (Ranftl et "
    "al., TPAMI 2020), so its accuracy does not compare with that of metres"
)


@pytest.mark.parametrize("word", ["picture", "image"])
@pytest.mark.parametrize(("said", "name"), [("", "none"), (FITTED, "affine-disparity")])
def test_files_that_name_no_alignment_say_it_in_their_rules(
    word: str, said: str, name: str
) -> None:
    old = old_row(protocol_description=f"protocol eigen; {RULES}{said}".format(word, word))
    told = f"protocol eigen; alignment {ALIGNMENTS[name].describe()}; {RULES}".format("image")
    new = old_row(alignment=name, protocol_description=told)
    before, now = Report.from_json(report(old, new)).rows
    assert before == now
    assert (before.alignment, before.protocol_description) == (name, told)
    assert Report.from_json(report(old_row(alignment="to come"))).rows[0].alignment == "to come"
