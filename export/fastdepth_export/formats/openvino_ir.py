"""OpenVINO: an ONNX file as intermediate representation (.xml and .bin), and running it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ModelFileError
from fastdepth.extras import require
from fastdepth.files import check_regular, file_hash
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.runtime.arrays import check_batch
from fastdepth.runtime.onnx_file import failed
from fastdepth_export.formats.converting import AGAIN, write_verified
from fastdepth_export.formats.openvino_bf16 import check_bf16, mark, prepare
from fastdepth_export.recipe import has_bf16

if TYPE_CHECKING:
    from fastdepth_export.verify import Verify

WEIGHTS_KEY = "fastdepth_weights"
"""Key in the .xml of the hash of its .bin, by which a pair that does not belong together shows."""


@cache
def core() -> Any:
    """OpenVINO's core, of which a process has one until it ends.

    Each core of OpenVINO 2026.4 puts a signal stack in the place of the one before. Two that end in
    the order in which they began leave one that is gone, and the next signal kills the process.

    Raises:
        MissingExtraError: OpenVINO is not installed.
    """
    return require("openvino", "openvino").Core()


def build(
    onnx_file: Path, files: Sequence[Path], metadata: ModelMetadata, verify: Verify
) -> ModelMetadata:
    """Convert an ONNX file, of whatever precision, to OpenVINO's representation.

    Args:
        onnx_file: with input ``image`` and output ``depth``; types stay as they are in it.
        files: the .xml and the .bin to write, alike but for their suffixes.
        metadata: kept in the .xml. Of a precision with bf16, which is no type of what is stored but
            of the computation, the .xml also says what stays float32.
        verify: given the opened files, answers with what was measured of them, or raises.

    Returns:
        The metadata with what was measured of these files.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        DeviceError: bf16 was asked for, and this CPU does not compute in it.
        ParityError: by ``verify``.
    """
    model = core().read_model(onnx_file)
    exact = prepare(model) if has_bf16(metadata.precision) else set()
    write = partial(_save, model, files, exact)
    return write_verified(write, partial(OpenVinoModel, files[0]), metadata, verify)


def _save(model: Any, files: Sequence[Path], exact: set[str], metadata: ModelMetadata) -> None:
    """Write both files, the .xml once more when the hash of the .bin is known."""
    from openvino import save_model

    model.set_rt_info(metadata.to_json(), METADATA_KEY)
    save_model(model, files[0], compress_to_fp16=False)
    model.set_rt_info(file_hash(files[1]), WEIGHTS_KEY)
    save_model(model, files[0], compress_to_fp16=False)
    if exact:
        mark(files[0], exact)


class OpenVinoModel:
    """An exported .xml with its .bin, compiled for the CPU.

    Attributes:
        metadata: what the file says of itself.
        request: an ``openvino.InferRequest``, which all inferences use.
    """

    def __init__(self, path: Path, threads: int | None = None, *, counters: bool = False) -> None:
        """Open and compile.

        Args:
            path: the .xml; its .bin lies beside it.
            threads: CPU threads; None takes all cores.
            counters: have the request count the time of each operator.

        Raises:
            ModelFileError: a file is missing, broken, or not of the pair that was exported.
            DeviceError: it is to be computed in bfloat16, which this CPU has not.
            MissingExtraError: OpenVINO is not installed.
        """
        for part in (path, path.with_suffix(".bin")):
            check_regular(part, ModelFileError, f", or {AGAIN}")
        try:
            model = core().read_model(path)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise ModelFileError(f"{path} cannot be read by OpenVINO; {AGAIN} ({reason})") from None
        self.metadata = _read_metadata(model, path)
        half = has_bf16(self.metadata.precision)
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "PERF_COUNT": counters,
            # unless it is told, OpenVINO takes bfloat16 where the CPU has it
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
        }
        compiled = core().compile_model(model, "CPU", options)
        if half:
            check_bf16(compiled, self.metadata.variant)
        self.request = compiled.create_infer_request()
        self._path = path

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8 RGB.

        Raises:
            ImageError: they are of another size or kind.
            ModelFileError: the file takes another size than its metadata say.
        """
        check_batch(batch, self.metadata.sizes)
        try:
            self.request.infer({"image": batch}, share_inputs=True)
        except RuntimeError as error:
            raise failed(error, self._path, "in OpenVINO", AGAIN) from None
        depth: NDArray[np.float32] = self.request.get_output_tensor(0).data.copy()
        return depth


def _read_metadata(model: Any, path: Path) -> ModelMetadata:
    """What the .xml says of itself, once its .bin is known to be the one exported with it."""
    if not model.has_rt_info(METADATA_KEY) or not model.has_rt_info(WEIGHTS_KEY):
        raise ModelFileError(
            f"{path} has no fastdepth metadata, another program wrote it; "
            "write the model with fastdepth-export --format openvino"
        )
    weights_file = path.with_suffix(".bin")
    if model.get_rt_info(WEIGHTS_KEY).astype(str) != file_hash(weights_file):
        raise ModelFileError(
            f"{weights_file} does not belong to {path}; copy both files, or export them again"
        )
    return ModelMetadata.from_json(model.get_rt_info(METADATA_KEY).astype(str), str(path))
