"""ncnn: a network as .param and .bin by PNNX, and running it.

ncnn has no place for metadata: they lie in a third file beside both. It computes in half precision
wherever the CPU can unless an application switches that off, in files of single precision as well.
So the files say themselves which layers must not (``31=``, ncnn's mask of features).
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ModelFileError, ParityError
from fastdepth.extras import require
from fastdepth.metadata import ModelMetadata
from fastdepth_export.formats.beside import AGAIN, describe, read_described
from fastdepth_export.formats.converting import converting, write_first
from fastdepth_export.formats.ncnn_layers import (
    Layer,
    first_layers,
    in_8_bits,
    in_half,
    read_arrays,
    read_layers,
    trunk,
    write_arrays,
    write_layers,
)
from fastdepth_export.opened import Opened

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

STEM = "network.ncnn"
"""Of the files that PNNX writes."""


def build(
    network: DepthNetwork,
    files: Sequence[Path],
    metadata: ModelMetadata,
    verify: Verify,
    images: Iterable[NDArray[np.uint8]] = (),
) -> ModelMetadata:
    """Convert a network to ncnn's files.

    Args:
        network: in evaluation mode.
        files: .param, .bin and .json to write, alike but for their suffixes.
        metadata: names precision and size.
        verify: given the opened files, answers with what was measured of them, or raises.
        images: (1, H, W, 3) uint8 RGB each, on which int8 is calibrated.

    Returns:
        The metadata with what was measured of these files.

    Raises:
        MissingExtraError: ncnn or PNNX is not installed.
        ParityError: PNNX cannot convert the network; ncnn cannot read what it made of it; or by
            ``verify``.
    """
    param, weights, description = files

    def write(text: str, content: bytes, metadata: ModelMetadata) -> None:
        param.write_text(text)
        weights.write_bytes(content)
        describe(description, (param, weights), metadata)

    def opened() -> NcnnModel:
        try:
            return NcnnModel(param)
        except ModelFileError as error:
            raise ParityError(
                f"ncnn cannot read what PNNX made of {metadata.variant}; nothing was written; "
                "use another format"
            ) from error

    with tempfile.TemporaryDirectory() as folder, converting(metadata.variant, "PNNX"):
        _convert(network, Path(folder), metadata)
        layers = _finish((Path(folder) / f"{STEM}.param").read_text(), metadata.precision)
        content = (Path(folder) / f"{STEM}.bin").read_bytes()
        found = [(write_layers(layers), content)]
        if metadata.precision != "fp32":
            layers = read_arrays(layers, content)
            if metadata.precision == "int8":
                write(*found[0], metadata)
                chosen = trunk(layers, _in_metres(layers))
                reduced = in_8_bits(layers, chosen, _ranges(opened(), images, chosen))
            else:
                reduced = iter([in_half(layers)])
            found = [(write_layers(each), write_arrays(each)) for each in reduced]
    return write_first([partial(write, *each) for each in found], opened, metadata, verify)


def _ranges(
    model: NcnnModel, images: Iterable[NDArray[np.uint8]], layers: Iterable[Layer]
) -> dict[str, float]:
    """Of the blobs that layers read: the largest magnitude of each image, averaged over them.

    The largest of all images is a rare one's, for which all others would be rounded coarsely.
    """
    blobs = list(dict.fromkeys(layer.reads[0] for layer in layers))
    largest = [
        [np.abs(values).max() for values in model.extract(image[0], blobs)] for image in images
    ]
    return dict(zip(blobs, np.mean(largest, axis=0).tolist(), strict=True))


def _convert(network: DepthNetwork, folder: Path, metadata: ModelMetadata) -> None:
    """Have PNNX write a .param and a .bin called :data:`STEM` into a folder."""
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
        "fp16=0",
    ]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    if done.returncode or not (folder / f"{STEM}.bin").exists():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise RuntimeError(*last or [f"it ended with status {done.returncode}"])


def _finish(text: str, precision: str) -> list[Layer]:
    """Name input and output of a .param, and say which layers compute in single precision.

    In fp16 the first ones, and those of metres and their logarithms: from the depth back to the
    layers with weights that give logits and widths. Otherwise all; in int8 that says nothing of
    those in 8 bits.
    """
    names = {"in0": IMAGE, "out0": DEPTH}
    layers = [
        replace(
            layer,
            reads=tuple(names.get(blob, blob) for blob in layer.reads),
            makes=tuple(names.get(blob, blob) for blob in layer.makes),
        )
        for layer in read_layers(text)
    ]
    exact = layers
    if precision == "fp16":
        exact = [*first_layers(layers), *_in_metres(layers)]
    return [
        replace(layer, options=(*layer.options, f"31={SINGLE}")) if layer in exact else layer
        for layer in layers
    ]


def _in_metres(layers: Iterable[Layer]) -> list[Layer]:
    """Layers from the depth back to those with weights."""
    makers = {blob: layer for layer in layers for blob in layer.makes}
    found: list[Layer] = []
    waiting = [DEPTH]
    while waiting:
        layer = makers[waiting.pop()]
        if layer.kind not in WEIGHTED and layer not in found:
            found.append(layer)
            waiting += layer.reads
    return found


class NcnnModel(Opened):
    """Exported files, opened for the CPU."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Open.

        Args:
            path: the .param; .bin and .json lie beside it.
            threads: CPU threads; None takes all cores.

        Raises:
            ModelFileError: a file is missing, broken, or not of those that were exported.
            UsageError: no CPU has so many threads.
            MissingExtraError: ncnn is not installed.
        """
        weights, description = path.with_suffix(".bin"), path.with_suffix(".json")
        super().__init__(path, read_described(description, (path, weights)), threads)
        self._ncnn: Any = require("ncnn", "ncnn")
        self._net = self._ncnn.Net()
        if threads:
            self._net.opt.num_threads = threads
        # ncnn goes on after a layer that it does not know, and ends the process with the weights.
        if self._net.load_param(str(path)) or self._net.load_model(str(weights)):
            raise ModelFileError(f"{path} cannot be read by ncnn; {AGAIN}")

    def answer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What ncnn answers to an image, see :meth:`Opened.answer`."""
        (image,) = batch
        (depth,) = self.extract(image, [DEPTH])
        return depth.reshape(1, 1, *depth.shape[-2:])

    def extract(
        self, image: NDArray[np.uint8], blobs: Sequence[str]
    ) -> Iterator[NDArray[np.float32]]:
        """Blobs of the network for an image (H, W, 3) uint8 RGB.

        Args:
            image: of the network's size.
            blobs: names, as they are computed: ncnn frees what nothing reads any more.

        Raises:
            ModelFileError: ncnn cannot compute one.
        """
        height, width = image.shape[:2]
        pixels = self._ncnn.Mat.from_pixels(
            np.ascontiguousarray(image), self._ncnn.Mat.PixelType.PIXEL_RGB, width, height
        )
        with self._net.create_extractor() as extractor:
            if extractor.input(IMAGE, pixels):
                raise ModelFileError(f"{self.path} has no input {IMAGE!r}; {AGAIN}")
            for blob in blobs:
                code, values = extractor.extract(blob)
                if code:
                    raise ModelFileError(f"{self.path} ends with {code} in ncnn; {AGAIN}")
                yield np.array(values, np.float32)
