"""Devices by name, checked to be there."""

from __future__ import annotations

import torch

from fastdepth.errors import DeviceError, UsageError


def open_device(name: str) -> torch.device:
    """The device ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: another name.
        DeviceError: there is no such GPU, or this PyTorch cannot use it.
    """
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"device {name!r} is none of cpu, cuda, cuda:N")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(f"no GPU that PyTorch {torch.__version__} can use; use --device cpu")
    if int(index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"no {name}; this machine has {torch.cuda.device_count()} GPU(s)")
    return torch.device(name)
