"""What a row measures, and how a target of the table is opened for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fastdepth.errors import FastDepthError, UnknownNameError
from fastdepth.extras import require
from fastdepth.files import file_hash
from fastdepth.foreign import inspect
from fastdepth.metadata import UNTRAINED
from fastdepth.size import Size
from fastdepth.weights import find_weights, read_card, weights_hash
from fastdepth_bench.rival_runner import Rival, RivalRunner
from fastdepth_export.targets import TARGETS, Target, check_runtime, get_target

if TYPE_CHECKING:
    from fastdepth_bench.runners import Runner
    from fastdepth_export import ExportRecipe


SINGLE_STREAM, MULTI_STREAM, SERVER, OFFLINE = "single-stream", "multi-stream", "server", "offline"
SCENARIOS = (SINGLE_STREAM, MULTI_STREAM, SERVER, OFFLINE)
"""How pictures come in, in MLPerf's words; see :mod:`fastdepth_bench.scenarios`."""

PLAIN = ":plain"
"""Follows the name of a variant that is to be exported as written, not folded."""


@dataclass(frozen=True)
class Case:
    """What one row measures, before anything is measured.

    Attributes:
        variant: network.
        weights: tag or file, or ``UNTRAINED``.
        runtime: a name of :data:`fastdepth_export.targets.TARGETS`.
        precision: one of the target's precisions.
        size: network input.
        device: cpu, cuda or cuda:N.
        threads: CPU threads of the runtime.
        batch: pictures per inference.
        fold: whether the exported file is compressed without changing its function.
        scenario: one of :data:`SCENARIOS`.
        rate: queries per second of the scenario ``server``; None takes a share of the row's speed.
        model: an ONNX file that takes part as it is; ``variant`` is then its name, and weights and
            precision are what it holds.
    """

    variant: str
    weights: str
    runtime: str
    precision: str
    size: Size
    device: str = "cpu"
    threads: int = 1
    batch: int = 1
    fold: bool = True
    scenario: str = SINGLE_STREAM
    rate: float | None = None
    model: Rival | None = None

    @classmethod
    def of_model(cls, model: Rival, device: str, threads: int) -> Case:
        """The case of an ONNX file.

        Raises:
            ModelFileError, UsageError: it cannot be run as it was given.
        """
        own = cls(model.name, str(model.path), "onnxruntime", "fp32", inspect(model).size)
        return replace(own, device=device, threads=threads, model=model)

    @property
    def name(self) -> str:
        """The variant, and ``:plain`` after it where it is not folded."""
        return self.variant if self.fold else f"{self.variant}{PLAIN}"

    @property
    def trained(self) -> bool:
        """Whether there are weights whose accuracy means anything."""
        return self.weights != UNTRAINED

    @property
    def weights_name(self) -> str:
        """The tag, or a file's name without its folders."""
        return Path(self.weights).name

    @property
    def weights_hash(self) -> str | None:
        """Hash of the weights' tensors, or of an ONNX file; None for random weights."""
        if self.model:
            return file_hash(self.model.path)[:12]
        return weights_hash(find_weights(self.weights)) if self.trained else None

    @property
    def initialisation(self) -> str | None:
        """What training began from, as the weights' card says; None where there is no card."""
        trained = self.trained and not self.model
        return read_card(find_weights(self.weights)).initialisation if trained else None

    def recipe(self) -> ExportRecipe:
        """How the network of this case is built and exported."""
        from fastdepth_export import ExportRecipe

        sizes = (self.size,)
        recipe = ExportRecipe(self.variant, weights=self.weights, sizes=sizes, fold=self.fold)
        form = get_target(self.runtime).format
        # only files have a precision; what runs in PyTorch is built as it was trained
        return replace(recipe, format=form, precision=self.precision) if form else recipe

    def __str__(self) -> str:
        words = [self.name, self.runtime, self.precision, str(self.size)]
        return " ".join(words if self.scenario == SINGLE_STREAM else [*words, self.scenario])


def check_target(target: Target, device: str) -> None:
    """Find out before minutes are spent whether a target can run at all.

    Raises:
        MissingExtraError: it, or what builds and exports networks, is not installed.
        UsageError, DeviceError: it has no such device.
    """
    require("torch", "bench")
    require("onnx", "bench")
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
    module, _, name = target.runner.partition(":")
    found: type[Runner] = getattr(import_module(f"fastdepth_bench.{module}"), name)
    return found


def open_runner(case: Case) -> Runner:
    """A runner of this case, to be entered with ``with``; may export, which takes a minute.

    Raises:
        FastDepthError: the network cannot be built, exported, loaded or run there.
    """
    if case.model:
        return RivalRunner(case.model, case.device, case.threads)
    return runner_class(get_target(case.runtime))(case)


REFERENCE = ("torch", "fp32")
"""Runtime and precision that the others are compared with."""


def check_precision(name: str) -> str:
    """Return the precision if any target has it.

    Raises:
        UnknownNameError: none has it.
    """
    known = dict.fromkeys(p for target in TARGETS.values() for p in target.precisions)
    if name not in known:
        raise UnknownNameError("precision", name, known)
    return name
