"""The one table of targets: what runs a network, where, and the file that it runs.

Importing it imports no runtime, so that command lines can list it anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

from fastdepth.errors import (
    DeviceError,
    MissingExtraError,
    UnknownNameError,
    UsageError,
    look_up,
)
from fastdepth.extras import missing


@dataclass(frozen=True)
class Target:
    """A way to run a network.

    Attributes:
        name: its name as a runtime, on the command line and in results.
        summary: one line for lists.
        devices: kinds of devices that it runs on, ``cpu`` and ``cuda``.
        precisions: what it can compute in; the first is the default.
        package: module that must be importable, installed by ``extra``.
        extra: extra of fastdepth that installs it.
        format: name of the kind of file that it runs; empty where it runs the network itself.
        suffixes: of the files that make up one export; the first is the one to open, or that of
            the folder that the export is.
        builder: ``module:function`` below ``fastdepth_export.formats`` that makes the files from an
            ONNX file; empty where the ONNX file is what it runs.
        opener: ``module:class`` there that opens an export for the CPU, given its path and a number
            of threads; empty where its runner alone does.
        from_network: whether it makes them from the network in PyTorch instead, for one image of
            one size.
        converter: module that the builder needs besides ``package``, installed by ``extra`` too.
        first: what pip must install before fastdepth to have the converter, which it would refuse
            to install with it; empty where the extra does.
        members: ``module:function`` there that names the files of an export that is a folder, the
            one to open first; empty where it is files.
        any_name: whether that folder may have any name, without the suffix.
        quantisation: types of an int8 file that it needs; empty where the CPU decides.
        system: ``sys.platform`` that alone runs it; empty where any does.
    """

    name: str
    summary: str
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    package: str
    extra: str
    format: str = ""
    suffixes: tuple[str, ...] = ()
    builder: str = ""
    opener: str = ""
    from_network: bool = False
    converter: str = ""
    first: str = ""
    members: str = ""
    any_name: bool = False
    quantisation: str = ""
    system: str = ""

    @property
    def installed(self) -> bool:
        """Whether what runs and writes its files is found on its system; not whether it works."""
        found = all(find_spec(name) for name in (self.package, self.converter) if name)
        return found and self.system in ("", sys.platform)

    def check_converter(self) -> None:
        """See that what its builder needs besides its package is there; nothing is imported.

        Raises:
            MissingExtraError: it is not; the message has the pip lines that install it.
        """
        if not self.converter or find_spec(self.converter):
            return
        if not self.first:
            raise missing(self.converter, self.extra)
        raise MissingExtraError(
            f"{self.converter} is not installed; in a checkout and a new environment run: pip "
            f"install -c constraints.txt {self.first}, then: pip install -c constraints.txt -e "
            f"'.[{self.extra},cpu,bench]'"
        )

    def check_system(self) -> None:
        """See that it runs on a system such as this.

        Raises:
            DeviceError: it does not.
        """
        if self.system not in ("", sys.platform):
            raise DeviceError(
                f"{self.name} runs on {SYSTEMS[self.system]} alone, and this is {sys.platform}; "
                f"fastdepth-export --format {self.format} writes and checks its files here"
            )

    def runs_on(self, device: str) -> bool:
        """Whether it runs on the kind of a device: ``cpu``, ``cuda``, ``cuda:1``."""
        return device.partition(":")[0] in self.devices


SYSTEMS = {"darwin": "a Mac"}
"""Systems that a target may need, as people call them."""

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(
                name="torch",
                summary="PyTorch, eager: the network as trained",
                devices=("cpu", "cuda"),
                precisions=("fp32", "bf16"),
                package="torch",
                extra="bench",
            ),
            Target(
                name="torch-graph",
                summary="PyTorch: folded, channels last, as a CUDA graph",
                devices=("cuda",),
                precisions=("fp32", "fp16"),
                package="torch",
                extra="bench",
            ),
            Target(
                name="torch-compile",
                summary="PyTorch: the same, compiled by torch.compile",
                devices=("cuda",),
                precisions=("fp32", "fp16"),
                package="torch",
                extra="bench",
            ),
            Target(
                name="onnxruntime",
                summary="ONNX Runtime",
                devices=("cpu", "cuda"),
                precisions=("fp32", "fp16", "int8"),
                package="onnxruntime",
                extra="cpu",
                format="onnx",
                suffixes=(".onnx",),
            ),
            Target(
                name="openvino",
                summary="OpenVINO",
                devices=("cpu",),
                precisions=("fp32", "bf16", "int8", "int8+bf16"),
                package="openvino",
                extra="openvino",
                format="openvino",
                suffixes=(".xml", ".bin"),
                builder="openvino_ir:build",
                opener="openvino_ir:OpenVinoModel",
            ),
            Target(
                name="tensorrt",
                summary="TensorRT 10 and 11",
                devices=("cuda",),
                precisions=("fp32", "fp16", "int8"),
                package="tensorrt",
                extra="tensorrt",
                format="engine",
                suffixes=(".engine", ".engine.json"),
                builder="tensorrt_engine:build",
                quantisation="s8s8",
            ),
            Target(
                name="ncnn",
                summary="ncnn: Android and iOS by CPU or Vulkan",
                devices=("cpu",),
                precisions=("fp32", "fp16", "int8"),
                package="ncnn",
                extra="ncnn",
                format="ncnn",
                suffixes=(".ncnn.param", ".ncnn.bin", ".ncnn.json"),
                builder="ncnn_net:build",
                opener="ncnn_net:NcnnModel",
                from_network=True,
                converter="pnnx",
                quantisation="s8s8",
            ),
            Target(
                name="litert",
                summary="LiteRT (TensorFlow Lite): Android and iOS by XNNPACK",
                devices=("cpu",),
                precisions=("fp32", "fp16", "int8"),
                package="ai_edge_litert",
                extra="litert",
                format="litert",
                suffixes=(".tflite",),
                builder="litert_model:build",
                opener="litert_model:LiteRtModel",
                from_network=True,
                converter="litert_torch",
                first="litert-torch",
                quantisation="s8s8",
            ),
            Target(
                name="coreml",
                summary="Core ML: iOS 16, macOS 13 and later; runs on a Mac alone",
                devices=("cpu",),
                precisions=("fp32", "fp16"),
                package="coremltools",
                extra="coreml",
                format="coreml",
                suffixes=(".mlpackage",),
                builder="coreml_package:build",
                opener="coreml_package:CoreMlModel",
                from_network=True,
                members="coreml_package:members",
                system="darwin",
            ),
            Target(
                name="executorch",
                summary="ExecuTorch: Android and iOS by XNNPACK",
                devices=("cpu",),
                precisions=("fp32",),
                package="executorch",
                extra="executorch",
                format="executorch",
                suffixes=(".pte",),
                builder="executorch_program:build",
                opener="executorch_program:ExecuTorchModel",
                from_network=True,
            ),
        )
    }
)
"""All targets by name, in the order in which they are listed and run."""

PAGE = Target(
    name="onnxruntime-web",
    summary="a page: ONNX Runtime Web by WebGPU or WebAssembly",
    devices=("browser",),
    precisions=("fp32", "fp16", "int8"),
    package="onnxruntime",
    extra="cpu",
    format="web",
    suffixes=(".web",),
    builder="web_page:build",
    members="web_page:members",
    any_name=True,
    quantisation="u8s7",
)
"""What only a browser runs, and no command times."""

FORMATS: Mapping[str, Target] = MappingProxyType(
    {target.format: target for target in (*TARGETS.values(), PAGE) if target.format}
)
"""Kinds of files, and the target that runs each."""

ALL = "all"
"""What stands for every format on the command line."""


def get_target(name: str) -> Target:
    """Look a target up.

    Raises:
        UnknownNameError: there is none of that name; the message lists all and the nearest.
    """
    return look_up("runtime", name, TARGETS)


def load_part(name: str) -> Any:
    """What a target names ``module:function``, below ``fastdepth_export.formats``."""
    module, _, part = name.partition(":")
    return getattr(import_module(f"fastdepth_export.formats.{module}"), part)


def check_format(name: str, precision: str) -> Target:
    """The target that runs a kind of file, if such a file can be of this precision.

    Raises:
        UnknownNameError: no such format.
        UsageError: it cannot be of this precision; the message names the formats that can.
    """
    target = look_up("format", name, FORMATS)
    if precision not in target.precisions:
        able = [other for other, entry in FORMATS.items() if precision in entry.precisions]
        raise UsageError(
            f"{name} cannot be written in {precision}, only in {', '.join(target.precisions)}; "
            f"formats that can: {', '.join(able) or 'none'}"
        )
    return target


def check_runtime(name: str, device: str) -> Target:
    """A target, if it runs on the kind of this device.

    Raises:
        UnknownNameError: no such runtime, or no such kind of device.
        UsageError: it does not run there; the message names the runtimes that do.
    """
    target = get_target(name)
    able = runtimes_on(device)
    if target not in able:
        raise UsageError(
            f"{name} runs on {' and '.join(target.devices)} alone; runtimes that run on {device}: "
            f"{', '.join(other.name for other in able)}"
        )
    return target


def runtimes_on(device: str) -> list[Target]:
    """All targets that run on the kind of a device, installed or not.

    Raises:
        UnknownNameError: there is no such kind of device.
    """
    able = [target for target in TARGETS.values() if target.runs_on(device)]
    if not able:
        kinds = dict.fromkeys(kind for target in TARGETS.values() for kind in target.devices)
        raise UnknownNameError("device", device, kinds)
    return able
