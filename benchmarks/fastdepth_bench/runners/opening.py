"""Which runner a runtime of the table has, and how it is opened for a case."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastdepth.errors import FastDepthError
from fastdepth.extras import require
from fastdepth_bench.case import Case
from fastdepth_bench.runners.third_party import ThirdPartyRunner
from fastdepth_export.targets import Target, check_runtime, get_target

if TYPE_CHECKING:
    from fastdepth_bench.runners.protocol import Runner


RUNNERS: Mapping[str, str] = MappingProxyType(
    {
        "torch": "pytorch:TorchRunner",
        "torch-graph": "pytorch_gpu:TorchGraphRunner",
        "torch-compile": "pytorch_gpu:TorchCompileRunner",
        "onnxruntime": "onnxrt:OnnxRuntimeRunner",
        "openvino": "openvino:OpenVinoRunner",
        "tensorrt": "tensorrt:TensorRtRunner",
        "ncnn": "exported_file:FileRunner",
        "litert": "exported_file:FileRunner",
        "coreml": "exported_file:FileRunner",
        "executorch": "exported_file:FileRunner",
    }
)
"""``module:Class`` below :mod:`fastdepth_bench.runners` that times each runtime of
:data:`fastdepth_export.targets.TARGETS`."""


def check_target(target: Target, device: str) -> None:
    """Find out before minutes are spent whether a target can run at all.

    Raises:
        MissingExtraError: it, what writes its files, or what builds networks is not installed.
        UsageError, DeviceError: it has no such device, or does not run on this system.
    """
    target.check_system()
    require("torch", "bench")
    require("onnx", "bench")
    target.check_converter()
    require(target.package, target.extra)
    runner_class(target).check_device(device)


def refusal(target: Target, device: str) -> str:
    """Why a target cannot run on a device, in one line; empty where it can."""
    try:
        check_target(check_runtime(target.name, device), device)
    except FastDepthError as error:
        return str(error)
    return ""


def runner_class(target: Target) -> type[Runner]:
    """The class whose instances run a case on this target."""
    module, _, name = RUNNERS[target.name].partition(":")
    found: type[Runner] = getattr(import_module(f"fastdepth_bench.runners.{module}"), name)
    return found


def open_runner(case: Case) -> Runner:
    """A runner of this case, to be entered with ``with``; may export, which takes a minute.

    Raises:
        FastDepthError: the network cannot be built, exported, loaded or run there.
    """
    if case.model:
        spinning = bool(case.spinning)
        return ThirdPartyRunner(case.model, case.device, case.threads, spinning=spinning)
    return runner_class(get_target(case.runtime))(case)
