"""What a row measures, before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from fastdepth.errors import UnknownNameError
from fastdepth.files import file_hash
from fastdepth.metadata import UNTRAINED
from fastdepth.runtime.third_party import NORMALISE, OUTPUTS, ThirdPartyFile, inspect
from fastdepth.size import Size
from fastdepth.weights import find_weights, read_card, weights_hash
from fastdepth_bench.results.figures import ThirdPartyFigures
from fastdepth_bench.results.row import SINGLE_STREAM, Scenario
from fastdepth_export.recipe import FOLDED, FORMS, ExportRecipe, Form
from fastdepth_export.targets import TARGETS, get_target

MULTI_STREAM: Scenario = "multi-stream"
SERVER: Scenario = "server"

SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
"""How images come in, in MLPerf's words; see :mod:`fastdepth_bench.measure.scenarios`."""


@dataclass(frozen=True)
class ThirdPartyNetwork(ThirdPartyFile):
    """An ONNX file that takes part as it is."""

    @property
    def name(self) -> str:
        """The file's name without its suffix."""
        return self.path.stem

    def figures(self) -> ThirdPartyFigures:
        """A row's key ``model``."""
        return ThirdPartyFigures(
            file=self.path.name,
            normalise=self.normalise or None,
            output=self.output or "metres",
            hash=file_hash(self.path),
        )

    def describe(self) -> str:
        """One line to print with every figure."""
        how = NORMALISE[self.normalise].summary if self.normalise else "normalised in the file"
        return f"{self.path.name}: pixels {how}; answers with {OUTPUTS[self.output or 'metres']}"


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
        batch: images per inference.
        form: of the exported graph, one of :data:`fastdepth_export.recipe.FORMS`.
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
    form: Form = FOLDED
    scenario: Scenario = SINGLE_STREAM
    rate: float | None = None
    model: ThirdPartyNetwork | None = None

    @classmethod
    def of_model(cls, model: ThirdPartyNetwork, device: str, threads: int) -> Case:
        """The case of an ONNX file.

        Raises:
            ModelFileError, UsageError: it cannot be run as it was given.
        """
        own = cls(model.name, str(model.path), "onnxruntime", "fp32", inspect(model).size)
        return replace(own, device=device, threads=threads, model=model)

    @property
    def spinning(self) -> bool | None:
        """Whether ONNX Runtime's threads wait for the next inference at work.

        They always did while it was timed, so that rows of different times compare; None of other
        runtimes and of a GPU.
        """
        return True if (self.runtime, self.device) == ("onnxruntime", "cpu") else None

    @property
    def name(self) -> str:
        """The variant, and its form after a colon where it is not folded."""
        return self.variant if self.form == FOLDED else f"{self.variant}:{self.form}"

    @property
    def in_metres(self) -> bool:
        """Whether it answers with depth [m] and not with disparity."""
        return self.model is None or self.model.in_metres

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
        sizes = (self.size,)
        recipe = ExportRecipe(self.variant, weights=self.weights, sizes=sizes, form=self.form)
        form = get_target(self.runtime).format
        # only files have a precision; what runs in PyTorch is built as it was trained
        return replace(recipe, format=form, precision=self.precision) if form else recipe

    def __str__(self) -> str:
        words = [self.name, self.runtime, self.precision, str(self.size)]
        return " ".join(words if self.scenario == SINGLE_STREAM else [*words, self.scenario])


def split_form(name: str) -> tuple[str, Form]:
    """Variant and form of ``NAME`` or ``NAME:FORM``, as :attr:`Case.name` has them.

    Raises:
        UnknownNameError: there is no such form.
    """
    variant, colon, form = name.partition(":")
    if not colon:
        return variant, FOLDED
    if form not in FORMS:
        raise UnknownNameError("form", form, FORMS)
    return variant, form


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
