"""One table of targets; a combination that cannot be is an error naming those that can."""

from __future__ import annotations

import pytest

from fastdepth.errors import UnknownNameError, UsageError
from fastdepth_export import ExportRecipe
from fastdepth_export.recipe import PRECISIONS, STORED
from fastdepth_export.targets import (
    FORMATS,
    TARGETS,
    check_format,
    check_runtime,
    get_target,
    runtimes_on,
)


@pytest.mark.parametrize("name", TARGETS)
def test_an_entry_is_whole(name):
    target = get_target(name)
    assert target.name == name
    assert target.summary
    assert target.devices
    assert set(target.devices) <= {"cpu", "cuda"}
    assert target.precisions
    assert bool(target.format) == bool(target.suffixes)
    assert all(suffix.startswith(".") for suffix in target.suffixes)
    assert target.installed or target.extra


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_written_in_its_precisions(name):
    assert FORMATS[name].format == name
    for precision in FORMATS[name].precisions:
        resolved = ExportRecipe("unet128", format=name, precision=precision).resolved()
        assert resolved.target is FORMATS[name]


def test_onnx_has_all_precisions_that_are_stored():
    assert FORMATS["onnx"].precisions == tuple(p for p in PRECISIONS if p not in STORED)
    assert set(STORED.values()) <= set(FORMATS["onnx"].precisions)


def test_a_precision_that_a_format_lacks_names_the_formats_that_have_it(monkeypatch):
    with pytest.raises(UsageError, match="onnx cannot be written in fp8, only in fp32.*: none"):
        check_format("onnx", "fp8")
    with pytest.raises(UnknownNameError, match="did you mean 'onnx'"):
        check_format("onxn", "fp32")


def test_unknown_names_tell_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'onnxruntime'"):
        get_target("onnx-runtime")
    with pytest.raises(UnknownNameError, match="unknown device 'tpu'.*cpu, cuda"):
        runtimes_on("tpu")
    assert check_runtime("torch", "cuda:1").name == "torch"
