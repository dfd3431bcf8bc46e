"""How a network is exported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

from fastdepth.data import DataOptions
from fastdepth.errors import UnknownNameError, UsageError
from fastdepth.metadata import UNTRAINED
from fastdepth.ranges import check_ranges, whole
from fastdepth.size import Size
from fastdepth.variants import Variant, get_variant
from fastdepth.weights import default_tag, find_weights
from fastdepth_export.targets import Target, check_format

Form = Literal["folded", "plain", "last-axis"]
"""What becomes of a network's graph, without changing its function: ``folded``, compressed by
:mod:`fastdepth_export.compress.fold`; ``plain``, as written; ``last-axis``, as written but for the
axis of its softmax, see :mod:`fastdepth_export.compress.last_axis`."""

FORMS: tuple[Form, ...] = get_args(Form)
FOLDED, PLAIN, LAST_AXIS = FORMS
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int8+bf16")
STORED = {"bf16": "fp32", "int8+bf16": "int8"}
"""Precisions that are not of what a file stores but of how a runtime is told to compute it, and the
precision of the ONNX file that such a file is built from."""

QUANTISATIONS = ("u8s8", "u8s7", "s8s8")
OPSETS = (18, 24)
OUTPUTS = (("depth",), ("depth", "std"))
COMPACT = ("onnx", "web")
"""Formats of which :mod:`fastdepth_export.compress.compact` knows how weights are stored."""


@dataclass(frozen=True)
class ExportRecipe(DataOptions):
    """How a network is exported; the options of ``fastdepth-export``.

    Attributes:
        variant: network.
        weights: tag or .safetensors file; those shipped with the variant if absent, or random ones
            where there are none, and the file says so.
        format: kind of file: onnx, openvino, engine, web, ncnn, litert, coreml or executorch.
        sizes: network inputs, WIDTHxHEIGHT; one file for all where there are several, which leaves
            height and width of the graph open, the first its default; the variant's own if absent.
        batch: 1 fixes the batch in the graph, for compilers that ask for it; any if absent.
        precision: type of the weights in the file: fp32, fp16 or int8; or, of the format openvino,
            bf16, whose weights are fp32 and computed with in bfloat16, or int8+bf16, where what is
            not in 8 bits is.
        opset: ONNX opset, 18 to 24, of onnx, openvino, engine and web, which are made of a graph in
            ONNX.
        form: of the graph, all of one function: folded (compressed), plain (as written) or
            last-axis (as written, but with the softmax over the bins on the last axis).
        quantisation: types of activations and weights for int8: u8s8 (CPUs with VNNI), u8s7 (CPUs
            without, where sums of two products would overflow 16 bits) or s8s8 (TensorRT, ncnn,
            LiteRT); what suits this machine's CPU if absent, and the file says what it was.
        calibration: images that int8 is calibrated on, of their training split: rooms:COUNT or
            nyu:PATH.
        simplify: have onnxsim fold constants and the arithmetic on shapes, which is kept where the
            graph does not grow and computes what PyTorch computes; --no-simplify leaves it as
            PyTorch writes it; of the same formats.
        compact: store weights that half precision holds exactly, or up to a factor per channel, in
            it: half the bytes for the same function bit for bit; of formats onnx and web in fp32.
        outputs: depth, or depth,std: with the standard deviation [m] of its error per pixel, of
            weights with an uncertainty head, in files of the format onnx alone.
    """

    variant: str
    weights: str | None = None
    format: str = "onnx"
    sizes: tuple[Size, ...] = ()
    batch: Annotated[int, whole(1, 1)] | None = None
    precision: str = "fp32"
    opset: Annotated[int, whole(*OPSETS)] = 20
    form: Form = FOLDED
    quantisation: str | None = None
    calibration: str = "rooms:32"
    simplify: bool = True
    compact: bool = False
    outputs: tuple[str, ...] = ("depth",)

    def resolved(self) -> ResolvedRecipe:
        """Check every field and fill the defaults in.

        Raises:
            UnknownNameError: no such variant, weights, format, precision, form or quantisation.
            SizeError: the network cannot take the size.
            UsageError: an opset that cannot be written, a batch other than 1, a size given twice,
                a precision, an output or a storage that the format lacks, a quantisation of what is
                not int8.
        """
        check_ranges(self)
        variant = get_variant(self.variant)
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        if self.form not in FORMS:
            raise UnknownNameError("form", self.form, FORMS)
        target = check_format(self.format, self.precision)
        twice = [size for size in self.sizes if self.sizes.count(size) > 1]
        if twice:
            raise UsageError(f"size {twice[0]} is given twice; give each once")
        if self.outputs not in OUTPUTS:
            raise UsageError(f"outputs {','.join(self.outputs)} cannot be; use depth or depth,std")
        if "std" in self.outputs and target.builder:
            raise UsageError(f"{self.format} answers with depth alone; use --format onnx for std")
        if self.compact and (self.format not in COMPACT or self.precision != "fp32"):
            raise UsageError("compact storage is of --format onnx or web in --precision fp32")
        quantisation = self._resolve_quantisation(target)
        weights = self.weights or default_tag(variant.name) or UNTRAINED
        if weights != UNTRAINED:
            find_weights(weights)
        sizes = self.sizes or (variant.size,)
        if target.from_network and len(sizes) > 1:
            raise UsageError(f"a file of the format {self.format} has one size; give one --size")
        for size in sizes:
            variant.sizes.check(size, variant.name)
        recipe = replace(
            self,
            weights=weights,
            sizes=sizes,
            batch=1 if target.from_network else self.batch,
            quantisation=quantisation,
        )
        return ResolvedRecipe(variant, recipe, weights, target)

    def _resolve_quantisation(self, target: Target) -> str | None:
        if self.quantisation is None:
            usual = target.quantisation or _native_quantisation()
            return usual if has_int8(self.precision) else None
        if self.quantisation not in QUANTISATIONS:
            raise UnknownNameError("quantisation", self.quantisation, QUANTISATIONS)
        if not has_int8(self.precision):
            raise UsageError(f"quantisation {self.quantisation} needs --precision int8")
        if target.from_network and self.quantisation != target.quantisation:
            raise UsageError(
                f"{self.format} has 8 bits as {target.quantisation} alone; leave --quantisation out"
            )
        return self.quantisation


def has_int8(precision: str) -> bool:
    """Whether a part is stored and computed in 8 bits."""
    return precision.startswith("int8")


def has_bf16(precision: str) -> bool:
    """Whether a part is computed in bfloat16."""
    return precision.endswith("bf16")


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe without open fields.

    Attributes:
        variant: the network's entry in the table.
        recipe: the recipe with its defaults filled in.
        weights: tag or file, or ``UNTRAINED``.
        target: what runs the file.
    """

    variant: Variant
    recipe: ExportRecipe
    weights: str
    target: Target

    @property
    def as_onnx(self) -> ExportRecipe:
        """The recipe of the ONNX file that an export of this one is built from."""
        precision = STORED.get(self.recipe.precision, self.recipe.precision)
        return replace(self.recipe, format="onnx", precision=precision)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Network inputs, the default first."""
        return self.recipe.sizes

    @property
    def weights_name(self) -> str:
        """The tag, or a file's name without the folders of the machine that it lies on."""
        return Path(self.weights).name


def _native_quantisation() -> str:
    """u8s8 where this machine's CPU says that it has VNNI, u8s7 where it does not say so."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    return "u8s8" if "vnni" in flags else "u8s7"
