"""Core ML: a network as an .mlpackage (ML Program) by coremltools, and running it on a Mac.

The metadata lie in the package itself, among those of the user. Core ML is Apple's alone: what is
compared with PyTorch before a package is written is its program, see :mod:`.mil_program`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fastdepth.errors import ModelFileError, ParityError
from fastdepth.extras import require
from fastdepth.files import check_regular, read_bytes
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth_export.compress.early import EARLY
from fastdepth_export.formats.converting import AGAIN, converting, write_verified
from fastdepth_export.opened import Opened
from fastdepth_export.targets import get_target

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth_export.verify import Verify

MANIFEST = "Manifest.json"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"

IMAGE, DEPTH = "image", "depth"
"""Names of the input, an image in RGB, and of the output, an array (1, 1, H, W) float32 [m]."""

HASH_KEY = "fastdepth.sha256"
"""Key of the user's metadata with the hash of all else in the package."""

PRODUCTS = ("conv", "linear", "matmul")
"""Operators that multiply features by weights or by features."""

SHARES = ("softmax", "exp")
"""Operators that answer with the shares in which bins are mixed."""

VIEWS = ("reshape", "transpose")
"""Operators that leave values as they are."""


def members() -> list[str]:
    """Names of the files in the folder that a package is."""
    return [MANIFEST, MODEL, WEIGHTS]


def build(
    network: DepthNetwork, files: Sequence[Path], metadata: ModelMetadata, verify: Verify
) -> ModelMetadata:
    """Convert a network to a package.

    Args:
        network: in evaluation mode.
        files: what :func:`members` names, in a folder that is not there yet.
        metadata: names precision and size.
        verify: given the program that was written, answers with what was measured of it, or raises.

    Returns:
        The metadata with what was measured of this package.

    Raises:
        MissingExtraError: coremltools is not installed.
        ParityError: coremltools cannot convert the network, or its program cannot be checked; or by
            ``verify``.
    """
    from fastdepth_export.formats.mil_program import MilProgram

    folder = files[0].parent

    def opened() -> MilProgram:
        spec, _ = _read(folder)
        return MilProgram(spec, folder / WEIGHTS)

    def convert(early: int = 0) -> None:
        with converting(metadata.variant, "coremltools"):
            _convert(network, folder, metadata, early)

    convert()
    check = partial(write_verified, partial(_describe, folder), opened, metadata)
    if metadata.precision == "fp16":
        with suppress(ParityError):
            return check(partial(verify, force=False))
        shutil.rmtree(folder)
        convert(EARLY)
    return check(verify)


def _convert(network: DepthNetwork, folder: Path, metadata: ModelMetadata, early: int) -> None:
    """Have coremltools write a package for iOS 16, macOS 13 and later."""
    import torch

    from fastdepth_export.formats.one_image import OneImage

    tools = require("coremltools", "coreml")
    height, width = metadata.size
    image = torch.zeros(1, 3, height, width)
    half = metadata.precision == "fp16"
    computed = tools.transform.FP16ComputePrecision(op_selector=_may_be_half(early))
    with contextlib.ExitStack() as quiet:
        quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
        quiet.enter_context(contextlib.redirect_stderr(io.StringIO()))
        quiet.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        program = torch.export.export(OneImage(network, planes=True), (image,))
        program = program.run_decompositions({})
        _adapt(program.graph)
        tools.convert(
            program,
            inputs=[
                tools.ImageType(name=IMAGE, shape=image.shape, color_layout=tools.colorlayout.RGB)
            ],
            outputs=[tools.TensorType(name=DEPTH, dtype=np.float32)],
            minimum_deployment_target=tools.target.iOS16,
            compute_precision=computed if half else tools.precision.FLOAT32,
            skip_model_load=True,
            package_dir=str(folder),
        )


def _adapt(graph: Any) -> None:
    """Say in an exported graph what coremltools does not take for granted, and leave out the rest.

    A pool's strides, also where they are its kernel's sides; and aliases, which it does not know.
    """
    import torch

    for node in list(graph.nodes):
        if node.target is torch.ops.aten.max_pool2d.default and len(node.args) == 2:
            node.args = (*node.args, node.args[1])
        if node.target is torch.ops.aten.alias.default:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _may_be_half(early: int) -> Callable[[Any], bool]:
    """Whether an operator of the program, in fp32 until now, is to compute in half precision."""
    exact: set[str] = set()

    def may(op: Any) -> bool:
        if not exact:
            exact.update(_keep_exact(op.enclosing_block, early))
        return op.outputs[0].name not in exact

    return may


def _keep_exact(block: Any, early: int) -> set[str]:
    """Names of what stays in fp32, by the rules of :mod:`fastdepth_export.compress.fp16`.

    What lies between the pixels and the first product, or after the first ``early``, and these;
    softmax; and back from the depth to the products that give logits and widths. Products with
    shares, and with a matrix of ones, are sums in metres: they are not stopped at.
    """
    operators = [op for op in block.operations if op.op_type != "const"]
    pixels, shares = {IMAGE}, set[str]()
    for op in operators:
        inputs, outputs = _names(op.get_flattened_inputs()), _names(op.outputs)
        if op.op_type in SHARES or (op.op_type in VIEWS and shares & inputs):
            shares |= outputs
        product = op.op_type in PRODUCTS
        if pixels & inputs and (not product or early):
            early -= product
            pixels |= outputs
    exact, metres = set[str](), _names(block.outputs)
    for op in reversed(operators):
        inputs, outputs = _names(op.get_flattened_inputs()), _names(op.outputs)
        product = op.op_type in PRODUCTS and not shares & inputs and not _sums(op)
        if metres & outputs and not product:
            metres |= inputs
            exact |= outputs
        if pixels & outputs or op.op_type == "softmax":
            exact |= outputs
    return exact


def _names(variables: Sequence[Any]) -> set[str]:
    return {var.name for var in variables}


def _sums(product: Any) -> bool:
    """Whether a product has a constant of zeros and ones, and so adds up."""
    factors = [product.inputs[name] for name in ("x", "y", "weight") if name in product.inputs]
    return any(var.val is not None and np.isin(var.val, (0, 1)).all() for var in factors)


def _describe(folder: Path, metadata: ModelMetadata) -> None:
    """Put the metadata into a package, with the hash of all, and what Xcode shows of it."""
    spec = _parse(folder)
    said = spec.description.metadata
    height, width = metadata.size
    said.shortDescription = f"Depth [m] of an image by {metadata.variant} (fastdepth)"
    said.license, said.versionString = metadata.licence, metadata.version
    spec.description.input[0].shortDescription = f"RGB image, {width} x {height}"
    spec.description.output[0].shortDescription = f"metres, 1 x 1 x {height} x {width}"
    said.userDefined[METADATA_KEY] = metadata.to_json()
    said.userDefined[HASH_KEY] = _hash(spec, folder)
    (folder / MODEL).write_bytes(spec.SerializeToString())


def _hash(spec: Any, folder: Path) -> str:
    """SHA-256 of the package's files, the model's without this hash."""
    bare = type(spec).FromString(spec.SerializeToString())
    bare.description.metadata.userDefined.pop(HASH_KEY, None)
    digest = hashlib.sha256(bare.SerializeToString(deterministic=True))
    for name in (WEIGHTS, MANIFEST):
        digest.update(read_bytes(folder / name, ModelFileError))
    return digest.hexdigest()


def _parse(folder: Path) -> Any:
    """The model's protobuf.

    Raises:
        ModelFileError: a file of the package is missing, or it is none.
    """
    for name in members():
        check_regular(folder / name, ModelFileError, f"; {AGAIN}")
    content = read_bytes(folder / MODEL, ModelFileError)
    model = require("coremltools.proto.Model_pb2", "coreml").Model
    errors = require("google.protobuf.message", "coreml")
    try:
        return model.FromString(content)
    except errors.DecodeError:
        raise ModelFileError(f"{folder} cannot be read: its model is damaged; {AGAIN}") from None


def _read(folder: Path) -> tuple[Any, ModelMetadata]:
    """The model's protobuf and the metadata of a package.

    Raises:
        ModelFileError: it is missing, damaged, or of another program.
    """
    spec = _parse(folder)
    said = spec.description.metadata.userDefined
    if METADATA_KEY not in said:
        raise ModelFileError(
            f"{folder} has no fastdepth metadata: it is damaged or of another program; "
            "write the package with fastdepth-export --format coreml"
        )
    if said.get(HASH_KEY) != _hash(spec, folder):
        raise ModelFileError(f"{folder} is damaged; {AGAIN}")
    return spec, ModelMetadata.from_json(said[METADATA_KEY], str(folder))


class CoreMlModel(Opened):
    """An exported package, opened on a Mac's CPU, where Core ML takes as many threads as it likes.

    Written by reading coremltools; no Mac has run it yet.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open.

        Args:
            path: the .mlpackage.
            threads: Core ML cannot be told.

        Raises:
            DeviceError: this is no Mac.
            ModelFileError: the package is missing, damaged, or not one of fastdepth's.
            MissingExtraError: coremltools is not installed.
        """
        get_target("coreml").check_system()
        _, metadata = _read(path)
        super().__init__(path, metadata, threads)
        tools = require("coremltools", "coreml")
        units = tools.ComputeUnit.CPU_ONLY
        self._model: Any = tools.models.MLModel(str(path), compute_units=units)

    def answer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What Core ML answers to an image, see :meth:`Opened.answer`."""
        (image,) = batch
        try:
            answer = self._model.predict({IMAGE: Image.fromarray(image)})
        except Exception as error:  # what coremltools raises of a package that was not compiled
            reason = " ".join(str(error).split())[:200]
            raise ModelFileError(f"{self.path} cannot be run by Core ML ({reason})") from None
        depth: NDArray[np.float32] = np.asarray(answer[DEPTH], np.float32)
        return depth
