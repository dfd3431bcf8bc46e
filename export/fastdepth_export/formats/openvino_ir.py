"""OpenVINO: an ONNX file as intermediate representation (.xml and .bin), and running it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ModelFileError
from fastdepth.extras import require
from fastdepth.files import check_regular, file_hash, read_bytes
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.runtime.onnx_file import failed
from fastdepth_export.formats.converting import AGAIN, write_verified
from fastdepth_export.formats.openvino_bf16 import check_bf16, mark, prepare
from fastdepth_export.opened import Opened
from fastdepth_export.recipe import has_bf16

if TYPE_CHECKING:
    from fastdepth_export.verify import Verify

HASH_KEY = "fastdepth_sha256"
"""Key in the .xml of the hash of both files, by which damage and pairs that do not belong together
show."""

_NO_HASH = "0" * 64
"""What stands in its place while it is computed."""

_HASH = re.compile(rf'<{HASH_KEY} value="([0-9a-f]{{64}})"'.encode())


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
    """Write both files, the .xml once more when their hash is known."""
    from openvino import save_model

    xml_file, weights_file = files
    model.set_rt_info(metadata.to_json(), METADATA_KEY)
    model.set_rt_info(_NO_HASH, HASH_KEY)
    save_model(model, xml_file, compress_to_fp16=False)
    if exact:
        mark(xml_file, exact)
    text = xml_file.read_bytes()
    at = _HASH.search(text)
    assert at is not None
    xml_file.write_bytes(_with_hash(text, at, _hash(text, weights_file)))


def _with_hash(text: bytes, at: re.Match[bytes], value: str) -> bytes:
    """An .xml in which a hash stands at its place."""
    return text[: at.start(1)] + value.encode() + text[at.end(1) :]


def _hash(text: bytes, weights_file: Path) -> str:
    """SHA-256 of an .xml, in which no hash stands yet, and of its .bin."""
    return hashlib.sha256(text + file_hash(weights_file).encode()).hexdigest()


def _check_pair(path: Path) -> None:
    """See that an .xml and its .bin are as they were written, before OpenVINO reads them.

    Raises:
        ModelFileError: one is missing, damaged, of another export or of another program.
    """
    weights_file = path.with_suffix(".bin")
    for part in (path, weights_file):
        check_regular(part, ModelFileError, f", or {AGAIN}")
    text = read_bytes(path, ModelFileError)
    at = _HASH.search(text)
    if at is None:
        raise _foreign(path)
    if at[1].decode() != _hash(_with_hash(text, at, _NO_HASH), weights_file):
        raise ModelFileError(
            f"{path} or {weights_file} is damaged, or they do not belong together; "
            "copy both files, or export them again"
        )


def _foreign(path: Path) -> ModelFileError:
    """The error of a file that says nothing of itself."""
    return ModelFileError(
        f"{path} has no fastdepth metadata: it is damaged or of another program; "
        "write the model with fastdepth-export --format openvino"
    )


class OpenVinoModel(Opened):
    """An exported .xml with its .bin, compiled for the CPU.

    Attributes:
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
            UsageError: no CPU has so many threads.
            DeviceError: it is to be computed in bfloat16, which this CPU has not.
            MissingExtraError: OpenVINO is not installed.
        """
        _check_pair(path)
        try:
            model = core().read_model(path)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise ModelFileError(f"{path} cannot be read by OpenVINO; {AGAIN} ({reason})") from None
        if not model.has_rt_info(METADATA_KEY):
            raise _foreign(path)
        said = model.get_rt_info(METADATA_KEY).astype(str)
        super().__init__(path, ModelMetadata.from_json(said, str(path)), threads)
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

    def answer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What OpenVINO answers to images, see :meth:`Opened.answer`."""
        try:
            self.request.infer({"image": batch}, share_inputs=True)
        except RuntimeError as error:
            raise failed(error, self.path, "in OpenVINO", AGAIN) from None
        depth: NDArray[np.float32] = self.request.get_output_tensor(0).data.copy()
        return depth
