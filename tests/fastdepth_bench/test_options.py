"""Options become cases, and what cannot work is refused before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_onnx import write_third_party

from fastdepth.errors import (
    DataError,
    ImageError,
    ModelFileError,
    SizeError,
    UnknownNameError,
    UsageError,
)
from fastdepth.images.parallel import usable_cores
from fastdepth.metadata import UNTRAINED
from fastdepth.size import Size
from fastdepth_bench import options as module
from fastdepth_bench.options import Options
from fastdepth_export.targets import TARGETS, Target


def test_defaults_are_one_variant_on_every_target_of_the_device() -> None:
    cases = Options().cases()
    assert [case.runtime for case in cases] == [
        target.name for target in TARGETS.values() if target.runs_on("cpu") and target.installed
    ]
    assert {(case.variant, case.precision) for case in cases} == {("unet128-dws", "fp32")}
    assert {case.threads for case in cases} == {usable_cores()}


def test_cases_are_all_combinations_once() -> None:
    chosen = Options(
        variant=("unet128", "unet128-dws-75", "unet128"), runtime=("torch",), threads=1
    )
    assert [(case.variant, case.size) for case in chosen.cases()] == [
        ("unet128", Size(480, 640)),
        ("unet128-dws-75", Size(360, 480)),
    ]


def test_a_model_may_be_a_name_that_comes_ready() -> None:
    (case,) = Options(model=(Path("mnv2-64-dws:int8"),), threads=1).cases()
    assert (case.variant, case.size) == ("mnv2-64-dws.int8", Size(240, 320))
    with pytest.raises(ModelFileError, match="did you mean 'mnv2-64-dws'"):
        Options(model=(Path("mnv2-64-dw"),)).cases()


def test_runtimes_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Target, "installed", property(lambda self: self.name == "onnxruntime"))
    assert [case.runtime for case in Options().cases()] == ["onnxruntime"]
    monkeypatch.setattr(Target, "installed", False)
    assert [case.runtime for case in Options().cases()] == ["torch"]


def test_weights_go_to_their_variant(weights_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "default_tag", lambda name: None)
    weights = (str(weights_file),)
    assert {case.variant for case in Options(weights=weights).cases()} == {"unet128-dws-75"}
    both = Options(variant=("unet128", "unet128-dws-75"), weights=weights, runtime=("torch",))
    assert [case.weights for case in both.cases()] == [UNTRAINED, str(weights_file)]
    with pytest.raises(UsageError, match="add --variant unet128-dws-75"):
        Options(variant=("unet128",), weights=weights).cases()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"variant": ("unet128-dsw",)}, UnknownNameError, "did you mean 'unet128-dws'"),
        ({"runtime": ("pytorch",)}, UnknownNameError, "did you mean 'torch'"),
        ({"precision": ("fp31",)}, UnknownNameError, "did you mean 'fp32'"),
        ({"protocol": "eigne"}, UnknownNameError, "did you mean 'eigen'"),
        ({"align": ("none,mediam",)}, UnknownNameError, "did you mean 'median'"),
        ({"align": ("median,",)}, UnknownNameError, "unknown alignment ''"),
        ({"weights": ("unet128-dws.kitti",)}, UnknownNameError, "weights"),
        ({"size": "64x64"}, SizeError, "tokens"),
        ({"size": "640"}, UsageError, "WIDTHxHEIGHT"),
        ({"threads": 0}, UsageError, "threads 0"),
        ({"threads": 1024}, UsageError, "cores"),
        ({"seconds": 0.0}, UsageError, "seconds 0"),
        ({"seconds": float("nan")}, UsageError, "seconds nan"),
        ({"device": "tpu"}, UsageError, "tpu"),
    ],
)
def test_refuses(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Options(**changes).check()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"data": "kitti:somewhere"}, UnknownNameError),
        ({"data": "nyu:/nowhere/at/all"}, DataError),
        ({"limit": 0}, UsageError),
    ],
)
def test_refuses_data(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Options(**changes).open_data()


def test_limit_is_the_number_of_samples() -> None:
    assert len(Options(limit=3).open_data()) == 3
    assert len(Options().open_data()) == 50


def test_plain_is_the_same_network_not_folded() -> None:
    chosen = Options(variant=("unet128-dws", "unet128-dws:plain"), runtime=("onnxruntime",))
    folded, plain = chosen.cases()
    assert (folded.name, plain.name) == ("unet128-dws", "unet128-dws:plain")
    assert (folded.recipe().form, plain.recipe().form) == ("folded", "plain")
    assert folded.weights == plain.weights
    with pytest.raises(UnknownNameError, match="did you mean 'unet128-dws'"):
        Options(variant=("unet128-dsw:plain",)).cases()


def test_every_form_has_a_name_and_others_are_refused() -> None:
    names = ("unet128", "unet128:folded", "unet128:plain", "unet128:last-axis")
    cases = Options(variant=names, runtime=("onnxruntime",), threads=1).cases()
    assert [case.name for case in cases] == ["unet128", "unet128:plain", "unet128:last-axis"]
    other = Options(against="unet128:last-axis", runtime=("onnxruntime",)).against_of(cases[0])
    assert other is not None and other.form == "last-axis"
    with pytest.raises(UnknownNameError, match="unknown form 'last_axis'; did you mean 'last-ax"):
        Options(variant=("unet128:last_axis",)).cases()
    with pytest.raises(UnknownNameError, match="unknown form 'plane'; did you mean 'plain'"):
        Options(against="unet128:plane").against_of(cases[0])


def test_in_pytorch_a_network_runs_as_written_under_either_name() -> None:
    names = ("unet128-dws", "unet128-dws:plain")
    (case,) = Options(variant=names, runtime=("torch",)).cases()
    assert case.name == "unet128-dws"
    assert Options(runtime=("torch",), against="unet128-dws:plain").against_of(case) is None


def test_each_row_is_compared_on_its_own_runtime_and_never_with_itself() -> None:
    chosen = Options(variant=("unet128", "unet128-dws"), against="unet128-dws", threads=1)
    for case in chosen.cases():
        other = chosen.against_of(case)
        if case.variant == "unet128-dws":
            assert other is None
        else:
            assert other is not None
            assert (other.variant, other.runtime) == ("unet128-dws", case.runtime)
            assert other.trained  # the weights shipped with it
    assert Options().against_of(case) is None


def test_a_row_compared_with_itself_as_written_keeps_its_weights(weights_file: Path) -> None:
    weights = (str(weights_file),)
    chosen = Options(weights=weights, runtime=("onnxruntime",), against="unet128-dws-75:plain")
    (case,) = chosen.cases()
    other = chosen.against_of(case)
    assert other is not None
    assert (other.weights, other.form, other.size) == (case.weights, "plain", case.size)


def test_an_onnx_file_is_a_row_as_it_is(tiny_file: Path) -> None:
    (alone,) = Options(model=(tiny_file,), threads=1).cases()
    assert (alone.variant, alone.size, alone.trained) == ("tiny", Size(48, 64), True)
    assert alone.weights_hash is not None
    beside = Options(model=(tiny_file,), variant=("unet128",), runtime=("torch",), threads=1)
    assert [case.variant for case in beside.cases()] == ["tiny", "unet128"]
    ours = Options(variant=("unet128",), runtime=("torch",), against=str(tiny_file), threads=1)
    assert ours.against_of(ours.cases()[0]) == alone
    with pytest.raises(UsageError, match="leave --normalise and --output out"):
        Options(model=(tiny_file,), output="metres").cases()


@pytest.mark.parametrize("restarts", [0, 101])
def test_restarts_are_some(restarts: int) -> None:
    with pytest.raises(UsageError, match="must be 1 to 100"):
        Options(restarts=restarts).check()


def test_scenarios_are_rows_of_their_own() -> None:
    names = ("single-stream", "multi-stream", "server", "offline")
    chosen = Options(runtime=("onnxruntime",), scenario=names, streams=4, rate=3.0)
    found = [(case.scenario, case.batch, case.rate) for case in chosen.cases()]
    assert found == [
        ("single-stream", 1, None),
        ("multi-stream", 4, None),
        ("server", 1, 3.0),
        ("offline", 1, None),
    ]
    against = replace(chosen, against="unet-dws")
    for case in against.cases():
        other = against.against_of(case)
        assert other is not None
        assert (other.scenario, other.batch) == (case.scenario, case.batch)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": ("sever",)}, "did you mean 'server'"),
        ({"rate": 3.0}, "--rate is for --scenario server; add that"),
        ({"pictures": (Path("photos"),)}, "--pictures is for --scenario offline; add that"),
        ({"rate": -1.0, "scenario": ("server",)}, "rate -1.0 must be above 0"),
        ({"streams": 0}, "must be 1 to 1024"),
    ],
)
def test_scenarios_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options(**changes).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalise": "imagenet"}, "--normalise is for --model FILE.onnx; add that"),
        ({"input_size": "64x64"}, "--input-size is for --model"),
        ({"time_limit": 5.0}, "--time-limit is for --model"),
        ({"streams": 4}, "--streams is for --scenario multi-stream"),
        ({"model": (Path("m.onnx"),), "precision": ("int8",)}, "--precision is for --variant"),
        ({"model": (Path("m.onnx"),), "runtime": ("torch",)}, "--runtime is for --variant"),
        ({"model": (Path("m.onnx"),), "training": True}, "--training is for --variant"),
    ],
)
def test_options_that_mean_nothing_alone(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options(**changes).check()


def test_a_list_of_images_is_followed_outside_where_that_was_asked(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("/a.png\n")
    for follow, reason in ((False, "--follow-outside"), (True, "does not exist")):
        images = Options(pictures=(tmp_path / "list.txt",), follow_outside=follow).open_pictures()
        assert images is not None
        (image,) = images
        with pytest.raises(ImageError, match=reason):
            image.read()
    assert Options().open_pictures() is None


def test_alignments_are_given_one_by_one_or_with_commas() -> None:
    (case, *_) = Options().cases()
    assert Options().alignments_of(case) == ("none",)
    asked = Options(align=("none,median", "affine", "median"))
    assert asked.alignments_of(case) == ("none", "median", "affine")


def test_disparity_has_one_alignment_alone(tmp_path: Path) -> None:
    path = write_third_party(tmp_path / "theirs.onnx")
    theirs: dict[str, Any] = {
        "model": (path,),
        "normalise": "unit",
        "output": "disparity",
        "input_size": "16x12",
    }
    for align in ((), ("affine-disparity",), ("none,affine-disparity,affine",)):
        options = Options(align=align, **theirs)
        options.check()
        (case,) = options.cases()
        assert options.alignments_of(case) == ("affine-disparity",)
    with pytest.raises(UsageError, match="add that to --align"):
        Options(align=("median",), **theirs).check()
