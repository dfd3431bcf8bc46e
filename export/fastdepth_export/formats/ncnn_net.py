"""ncnn: a network as .param and .bin by PNNX, and running it.

ncnn has no place for metadata: they lie in a third file beside both. It computes in half precision
wherever the CPU can unless an application switches that off, in files of single precision as well.
So the files say themselves which layers must not (``31=``, ncnn's mask of features).
"""

from __future__ import annotations

import subprocess
import tempfile
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
from fastdepth_export.formats.beside import AGAIN, describe, read_described
from fastdepth_export.formats.converting import converting, write_verified

if TYPE_CHECKING:
    from fastdepth.models import DepthNetwork
    from fastdepth_export.verify import Verify

IMAGE, DEPTH = "image", "depth"
"""Names of the input and the output."""

SINGLE = 7
"""Mask of a layer that neither computes nor stores in fp16 nor stores in bfloat16."""

WEIGHTED = ("Convolution", "ConvolutionDepthWise", "InnerProduct", "Gemm")
"""Layers that multiply features by weights."""

SECONDS = 600
"""PNNX is given up after so long."""


def build(
    network: DepthNetwork, files: Sequence[Path], metadata: ModelMetadata, verify: Verify
) -> ModelMetadata:
    """Convert a network to ncnn's files.

    Args:
        network: in evaluation mode.
        files: .param, .bin and .json to write, alike but for their suffixes.
        metadata: names precision and size.
        verify: given the opened files, answers with what was measured of them, or raises.

    Returns:
        The metadata with what was measured of these files.

    Raises:
        MissingExtraError: ncnn or PNNX is not installed.
        ParityError: PNNX cannot convert the network; or by ``verify``.
    """
    param, weights, description = files
    with tempfile.TemporaryDirectory() as folder:
        with converting(metadata.variant, "PNNX"):
            _convert(network, Path(folder), metadata)
        text = (Path(folder) / "network.ncnn.param").read_text()
        param.write_text(_finish(text, metadata.precision))
        weights.write_bytes((Path(folder) / "network.ncnn.bin").read_bytes())
    write = partial(describe, description, (param, weights))
    return write_verified(write, partial(NcnnModel, param), metadata, verify)


def _convert(network: DepthNetwork, folder: Path, metadata: ModelMetadata) -> None:
    """Have PNNX write ``network.ncnn.param`` and ``network.ncnn.bin`` into a folder."""
    import torch

    from fastdepth_export.formats.one_image import OneImage

    height, width = metadata.size
    image = torch.zeros(1, 3, height, width)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that shapes become constants, as they must
        module = OneImage(network, planes=True, nearest=False)
        traced = torch.jit.trace(module, image, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(folder / "network.pt"))
    words = [
        str(require("pnnx", "ncnn").EXEC_PATH),
        "network.pt",
        f"inputshape=[1,3,{height},{width}]",
        f"fp16={int(metadata.precision == 'fp16')}",
    ]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if done.returncode or not (folder / "network.ncnn.bin").exists():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RuntimeError(*last or [f"it ended with status {done.returncode}"])


def _finish(text: str, precision: str) -> str:
    """Name input and output in a .param, and say which layers compute in single precision.

    All in fp32. In fp16 those of metres and their logarithms: from the depth back to the layers
    with weights that give logits and widths.
    """
    magic, counts, *lines = text.splitlines()
    layers = [line.split() for line in lines]
    names = {"in0": IMAGE, "out0": DEPTH}
    makers: dict[str, list[str]] = {}
    for layer in layers:
        blobs = slice(4, 4 + int(layer[2]) + int(layer[3]))
        layer[blobs] = [names.get(name, name) for name in layer[blobs]]
        makers |= dict.fromkeys(layer[blobs][int(layer[2]) :], layer)
    exact = layers if precision == "fp32" else _in_metres(makers)
    for layer in exact:
        layer.append(f"31={SINGLE}")
    return "\n".join([magic, counts, *(" ".join(layer) for layer in layers), ""])


def _in_metres(makers: dict[str, list[str]]) -> list[list[str]]:
    """Layers from the depth back to those with weights."""
    found: dict[int, list[str]] = {}
    waiting = [DEPTH]
    while waiting:
        layer = makers[waiting.pop()]
        if layer[0] not in WEIGHTED and id(layer) not in found:
            found[id(layer)] = layer
            waiting += layer[4 : 4 + int(layer[2])]
    return list(found.values())


class NcnnModel:
    """Exported files, opened for the CPU.

    Attributes:
        metadata: what they say of themselves.
    """

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open.

        Args:
            path: the .param; .bin and .json lie beside it.
            threads: CPU threads; None takes all cores.

        Raises:
            ModelFileError: a file is missing, broken, or not of those that were exported.
            MissingExtraError: ncnn is not installed.
        """
        weights, description = path.with_suffix(".bin"), path.with_suffix(".json")
        self.metadata = read_described(description, (path, weights))
        self._ncnn: Any = require("ncnn", "ncnn")
        self._net = self._ncnn.Net()
        if threads:
            self._net.opt.num_threads = threads
        # ncnn goes on after a layer that it does not know, and ends the process with the weights.
        if self._net.load_param(str(path)) or self._net.load_model(str(weights)):
            raise ModelFileError(f"{path} cannot be read by ncnn; {AGAIN}")

    def infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth (B, 1, H, W) float32 [m] of images (B, H, W, 3) uint8 RGB, one after another."""
        return np.stack([self._depth(image) for image in batch])

    def _depth(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        pixels = self._ncnn.Mat.from_pixels(
            np.ascontiguousarray(image), self._ncnn.Mat.PixelType.PIXEL_RGB, width, height
        )
        with self._net.create_extractor() as extractor:
            extractor.input(IMAGE, pixels)
            code, depth = extractor.extract(DEPTH)
        if code:
            raise ModelFileError(f"ncnn ends with {code} in {self.metadata.variant}; {AGAIN}")
        return np.array(depth, np.float32).reshape(1, height, width)
