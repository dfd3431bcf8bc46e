"""PyTorch network to ONNX graph."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fastdepth.extras import require
from fastdepth.metadata import METADATA_KEY, ModelMetadata
from fastdepth.models import DepthNetwork
from fastdepth.runtime.onnx_file import read_graph
from fastdepth.size import Size
from fastdepth_export.compress.resize import enlarge_by_factors
from fastdepth_export.network import CameraToDepth

require("onnx", "export")
import onnx  # noqa: E402


def to_onnx(
    network: DepthNetwork,
    sizes: Sequence[Size],
    opset: int,
    *,
    batch: int | None = None,
    simplify: bool = True,
) -> onnx.ModelProto:
    """Export a network as one graph, ``image`` to ``depth`` and, where asked for, ``std``.

    The stages of the network keep their names as tensors inside the graph, so that
    :mod:`fastdepth_export.verify` can read them.

    Args:
        network: in evaluation mode, on the CPU.
        sizes: network inputs. A side that all share is fixed in the graph.
        opset: ONNX opset.
        batch: it is fixed in the graph; None takes any.
        simplify: fold constants and the arithmetic on shapes, unless that makes the graph larger.
    """
    # A batch of 1 would be taken for a constant inside the transformer.
    example = torch.zeros((batch or 2, *sizes[0], 3), dtype=torch.uint8)
    module = CameraToDepth(network).eval()
    with torch.inference_mode():
        names = list(module.outputs(example))
    model = _export(module, example, names, opset, _open_dimensions(sizes, batch))
    simplified = _simplify(model) if simplify else model
    _strip(model)
    _strip(simplified)
    model = min(simplified, model, key=onnx.ModelProto.ByteSize)
    while model.graph.output[-1].name.startswith("stage_"):
        model.graph.output.pop()
    _name_dimensions(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _open_dimensions(sizes: Sequence[Size], batch: int | None) -> dict[int, Any]:
    """Axes of the input that the graph leaves open, for ``torch.export``.

    A side is left open in steps that divide all its values, so that what is true of all of them,
    such as that it can be halved, stays known.
    """
    axes: dict[int, Any] = {}
    if batch is None:
        axes[0] = torch.export.Dim("batch", min=1, max=1024)
    for axis, name in ((1, "height"), (2, "width")):
        sides = {size[axis - 1] for size in sizes}
        if len(sides) == 1:
            continue
        step = math.gcd(*sides)
        if step == min(sides):  # torch.export would take a count of 1 for a constant
            step = math.gcd(step, step // 2)
        steps = torch.export.Dim(name, min=min(sides) // step, max=max(sides) // step)
        axes[axis] = step * steps
    return axes


def _name_dimensions(model: onnx.ModelProto) -> None:
    """Call open dimensions what they are, not what they are computed from."""
    (image,) = model.graph.input
    axes = ("batch", "height", "width")
    names = {
        dim.dim_param: name
        for name, dim in zip(axes, image.type.tensor_type.shape.dim, strict=False)
        if dim.dim_param
    }
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = names[dim.dim_param]


def _export(
    module: torch.nn.Module,
    example: Tensor,
    outputs: Sequence[str],
    opset: int,
    open_dimensions: dict[int, Any],
) -> onnx.ModelProto:
    require("onnxscript", "export")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations between torch's own modules
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=["image"],
            output_names=list(outputs),
            dynamic_shapes=(open_dimensions,),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    enlarge_by_factors(model)
    return model


def _simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and the arithmetic on shapes."""
    simplified, same = require("onnxsim", "export").simplify(model)
    return simplified if same else model


def _strip(model: onnx.ModelProto) -> None:
    """Drop the exporter's bookkeeping: source lines of every node and shapes of every tensor."""
    model.doc_string = ""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    model.graph.name = "fastdepth"


def set_metadata(model: onnx.ModelProto, metadata: ModelMetadata) -> None:
    """Write the metadata into the model, in the place of what stood there."""
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    model.producer_name, model.producer_version = "fastdepth", metadata.version


def read_metadata(path: str | Path) -> ModelMetadata:
    """The metadata in an ONNX file.

    Raises:
        ModelFileError: another program wrote the file, or it is missing or broken.
    """
    entries = {entry.key: entry.value for entry in read_graph(Path(path)).metadata_props}
    return ModelMetadata.from_json(entries.get(METADATA_KEY, ""), str(path))
