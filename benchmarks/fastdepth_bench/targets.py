"""The one table of what can be timed: a runtime, its precisions, and how its runner is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastdepth.errors import UnknownNameError, look_up
from fastdepth.extras import require
from fastdepth.metadata import UNTRAINED
from fastdepth.size import Size

if TYPE_CHECKING:
    from fastdepth_bench.runners import Runner
    from fastdepth_export import ExportRecipe


@dataclass(frozen=True)
class Case:
    """What one row measures, before anything is measured.

    Attributes:
        variant: network.
        weights: tag or file, or ``UNTRAINED``.
        runtime: a name of ``TARGETS``.
        precision: one of the target's precisions.
        size: network input.
        device: cpu, cuda or cuda:N.
        threads: CPU threads of the runtime.
        batch: pictures per inference.
    """

    variant: str
    weights: str
    runtime: str
    precision: str
    size: Size
    device: str = "cpu"
    threads: int = 1
    batch: int = 1

    @property
    def trained(self) -> bool:
        """Whether there are weights whose accuracy means anything."""
        return self.weights != UNTRAINED

    @property
    def weights_name(self) -> str:
        """The tag, or a file's name without its folders."""
        return Path(self.weights).name

    def recipe(self) -> ExportRecipe:
        """How the network of this case is built and exported."""
        from fastdepth_export import ExportRecipe

        return ExportRecipe(
            self.variant, weights=self.weights, size=self.size, precision=self.precision
        )

    def __str__(self) -> str:
        return f"{self.variant} {self.runtime} {self.precision} {self.size}"


@dataclass(frozen=True)
class Target:
    """A way to run a network.

    Attributes:
        name: its name on the command line and in results.
        summary: one line for lists.
        precisions: what it can compute in; the first is the default.
        package: module that must be importable, installed by ``extra``.
        extra: extra of fastdepth that installs it.
        runner: ``module:Class`` below :mod:`fastdepth_bench`, so that listing imports nothing.
    """

    name: str
    summary: str
    precisions: tuple[str, ...]
    package: str
    extra: str
    runner: str

    def runner_class(self) -> type[Runner]:
        """The class whose instances run a case on this target."""
        module, _, name = self.runner.partition(":")
        found: type[Runner] = getattr(import_module(f"fastdepth_bench.{module}"), name)
        return found

    def check(self, device: str) -> None:
        """Find out before minutes are spent whether this target can run at all.

        Raises:
            MissingExtraError: it, or what builds and exports networks, is not installed.
            UsageError, DeviceError: it has no such device.
        """
        require("torch", "bench")
        require("onnx", "bench")
        require(self.package, self.extra)
        self.runner_class().check_device(device)

    def open(self, case: Case) -> Runner:
        """A runner of this case, to be entered with ``with``; may export, which takes a minute.

        Raises:
            FastDepthError: the network cannot be built, exported, loaded or run there.
        """
        return self.runner_class()(case)


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("torch", "PyTorch, eager", ("fp32",), "torch", "bench", "runners:TorchRunner"),
            Target(
                "onnxruntime",
                "the exported file in ONNX Runtime",
                ("fp32", "fp16", "int8"),
                "onnxruntime",
                "cpu",
                "runners:OnnxRuntimeRunner",
            ),
        )
    }
)
"""All targets by name, in the order in which they are listed and run."""

REFERENCE = ("torch", "fp32")
"""Runtime and precision that the accuracy of the others is compared with."""


def get_target(name: str) -> Target:
    """Look a target up.

    Raises:
        UnknownNameError: there is none of that name; the message lists all and the nearest.
    """
    return look_up("runtime", name, TARGETS)


def check_precision(name: str) -> str:
    """Return the precision if any target has it.

    Raises:
        UnknownNameError: none has it.
    """
    known = dict.fromkeys(p for target in TARGETS.values() for p in target.precisions)
    if name not in known:
        raise UnknownNameError("precision", name, known)
    return name
