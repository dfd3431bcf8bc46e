"""LiteRT, formerly TensorFlow Lite: a network as .tflite by litert-torch, and running it."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ModelFileError
from fastdepth.extras import require
from fastdepth.metadata import ModelMetadata
from fastdepth.runtime.onnx_file import failed
from fastdepth_export.formats.behind import read_with, write_with
from fastdepth_export.formats.converting import AGAIN, converting, write_first
from fastdepth_export.opened import Opened

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth_export.verify import Verify


def build(
    network: DepthNetwork,
    files: Sequence[Path],
    metadata: ModelMetadata,
    verify: Verify,
    images: Iterable[NDArray[np.uint8]] = (),
) -> ModelMetadata:
    """Convert a network to LiteRT's file.

    Args:
        network: in evaluation mode.
        files: the .tflite to write.
        metadata: names precision and size.
        verify: given the opened file, answers with what was measured of it, or raises.
        images: (1, H, W, 3) uint8 RGB each, on which int8 is calibrated.

    Returns:
        The metadata with what was measured of this file.

    Raises:
        MissingExtraError: LiteRT or litert-torch is not installed.
        ParityError: litert-torch cannot convert the network; or by ``verify``.
    """
    (file,) = files
    with converting(metadata.variant, "litert-torch"):
        graphs = _convert(network, file, metadata, images)
    writes = [partial(write_with, file, graph) for graph in graphs]
    return write_first(writes, partial(LiteRtModel, file), metadata, verify)


def _convert(
    network: DepthNetwork,
    file: Path,
    metadata: ModelMetadata,
    images: Iterable[NDArray[np.uint8]],
) -> list[bytes]:
    """The graph in the precision of the metadata; in int8 those to try, one after another."""
    import torch

    from fastdepth_export.formats.litert_int8 import in_8_bits
    from fastdepth_export.formats.one_image import OneImage

    image = torch.zeros(1, *metadata.size, 3, dtype=torch.uint8)
    converter = require("litert_torch", "litert")
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of PyTorch about litert-torch's use of it
        model = converter.convert(OneImage(network, planes=False), sample_kwargs={"image": image})
        model.export(str(file))
        if metadata.precision == "int8":
            return list(in_8_bits(file.read_bytes(), list(images)))
        return [_halve(file) if metadata.precision == "fp16" else file.read_bytes()]


def _halve(file: Path) -> bytes:
    """A graph with its weights stored in fp16, which are made float when it is opened."""
    require("ai_edge_quantizer", "litert")
    from ai_edge_quantizer import qtyping, quantizer

    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=half,
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    halving = quantizer.Quantizer(str(file))
    for operation in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        halving.update_quantization_recipe(
            regex=".*",
            operation_name=qtyping.TFLOperationName(operation),
            op_config=config,
            algorithm_key="float_casting",
        )
    return bytes(halving.quantize().quantized_model)


class LiteRtModel(Opened):
    """An exported .tflite, opened for the CPU by XNNPACK."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open.

        Args:
            path: the .tflite.
            threads: CPU threads; None leaves them to LiteRT.

        Raises:
            ModelFileError: the file is missing, broken, or not one of fastdepth's.
            UsageError: no CPU has so many threads.
            MissingExtraError: LiteRT is not installed.
        """
        graph, metadata = read_with(path, "litert")
        super().__init__(path, metadata, threads)
        interpreter = require("ai_edge_litert.interpreter", "litert").Interpreter
        try:
            self._model: Any = interpreter(model_content=graph, num_threads=threads)
            self._model.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[-200:]
            raise ModelFileError(f"{path} cannot be read by LiteRT; {AGAIN} ({reason})") from None
        self._image = self._model.get_input_details()[0]["index"]
        self._depth = self._model.get_output_details()[0]["index"]

    def answer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What LiteRT answers to an image, see :meth:`Opened.answer`."""
        try:
            self._model.set_tensor(self._image, batch)
            self._model.invoke()
        except (ValueError, RuntimeError) as error:
            raise failed(error, self.path, "in LiteRT", AGAIN) from None
        depth: NDArray[np.float32] = self._model.get_tensor(self._depth)  # a copy
        return depth
