"""ExecuTorch: a network as .pte for XNNPACK, and running it."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Sequence
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
from fastdepth_export.formats.converting import AGAIN, converting, write_verified
from fastdepth_export.opened import Opened

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth_export.verify import Verify


def build(
    network: DepthNetwork, files: Sequence[Path], metadata: ModelMetadata, verify: Verify
) -> ModelMetadata:
    """Convert a network to ExecuTorch's file.

    Args:
        network: in evaluation mode.
        files: the .pte to write.
        metadata: names precision and size.
        verify: given the opened file, answers with what was measured of it, or raises.

    Returns:
        The metadata with what was measured of this file.

    Raises:
        MissingExtraError: ExecuTorch is not installed.
        ParityError: ExecuTorch cannot convert the network; or by ``verify``.
    """
    (file,) = files
    with converting(metadata.variant, "ExecuTorch"):
        program = _convert(network, metadata)
    write, opened = partial(write_with, file, program), partial(ExecuTorchModel, file)
    return write_verified(write, opened, metadata, verify)


def _convert(network: DepthNetwork, metadata: ModelMetadata) -> bytes:
    """The program; XNNPACK computes what it can of it, ExecuTorch's portable kernels the rest."""
    import torch

    from fastdepth_export.formats.one_image import OneImage

    lower = _part("exir").to_edge_transform_and_lower
    xnnpack = _part("backends.xnnpack.partition.xnnpack_partitioner").XnnpackPartitioner
    image = torch.zeros(1, *metadata.size, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch about ExecuTorch's use of it
        exported = torch.export.export(OneImage(network, planes=False), (image,))
        program = lower(exported, partitioner=[xnnpack()]).to_executorch()
    return bytes(program.buffer)


def _part(name: str) -> Any:
    """A module of ExecuTorch, imported without what it tells of packages that it can do without."""
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return require(f"executorch.{name}", "executorch")


class ExecuTorchModel(Opened):
    """An exported .pte, opened for the CPU by XNNPACK."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open.

        Args:
            path: the .pte.
            threads: CPU threads, of all programs of the process; None leaves them to ExecuTorch.

        Raises:
            ModelFileError: the file is missing, broken, or not one of fastdepth's.
            UsageError: no CPU has so many threads.
            MissingExtraError: ExecuTorch is not installed.
        """
        program, metadata = read_with(path, "executorch")
        super().__init__(path, metadata, threads)
        runtime = _part("runtime").Runtime.get()
        if threads:
            _set_threads(threads)
        try:
            # Its methods read the program's bytes, which are freed with it.
            self._program: Any = runtime.load_program(program)
            self._method: Any = self._program.load_method("forward")
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise ModelFileError(
                f"{path} cannot be read by ExecuTorch; {AGAIN} ({reason})"
            ) from None

    def answer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What ExecuTorch answers to an image, see :meth:`Opened.answer`."""
        import torch

        try:
            (depth,) = self._method.execute([torch.from_numpy(batch)])
        except RuntimeError as error:
            raise failed(error, self.path, "in ExecuTorch", AGAIN) from None
        found: NDArray[np.float32] = depth.numpy().copy()
        return found


def _set_threads(count: int) -> None:
    """Give ExecuTorch so many CPU threads: one pool of the process, for all its programs."""
    library = _part("extension.pybindings.portable_lib")
    if library._threadpool_get_thread_count() != count:
        library._unsafe_reset_threadpool(count)
