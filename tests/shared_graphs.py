"""PyTorch's exporter takes seconds for a graph: each is made once for all tests and workers."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from fastdepth.models import adabins
from fastdepth_export.formats import onnx_graph


def _digest(module: torch.nn.Module, *asked: object) -> str:
    """Of all that decides a graph: parts, their settings and tensors, and what was asked for."""
    digest = hashlib.sha256(f"{asked} {adabins.mix_bins.__name__} {module}".encode())
    for part in module.modules():
        settings = {
            name: value
            for name, value in sorted(vars(part).items())
            if isinstance(value, bool | int | float | str | tuple)
        }
        digest.update(f"{type(part).__module__}.{type(part).__qualname__} {settings}".encode())
    for name, tensor in module.state_dict(keep_vars=True).items():
        digest.update(name.encode())
        digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Have the steps of :func:`fastdepth_export.formats.onnx_graph.to_onnx` look in a folder.

    Args:
        folder: the same for all workers of a run; what one of them makes the others wait for.
    """
    folder.mkdir(exist_ok=True)
    export, simplify = onnx_graph._export, onnx_graph._simplify

    def once(key: str, make: Callable[[], onnx.ModelProto]) -> onnx.ModelProto:
        path = folder / key
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                content = make().SerializeToString()
                path.with_suffix(".part").write_bytes(content)
                path.with_suffix(".part").rename(path)
        return onnx.ModelProto.FromString(path.read_bytes())

    def export_once(module: Any, example: torch.Tensor, *asked: Any) -> onnx.ModelProto:
        key = _digest(module, example.shape, *asked)
        return once(key, lambda: export(module, example, *asked))

    def simplify_once(model: onnx.ModelProto) -> onnx.ModelProto:
        key = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
        return once(f"{key}-simple", lambda: simplify(model))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graph, "_export", export_once)
        patch.setattr(onnx_graph, "_simplify", simplify_once)
        yield
