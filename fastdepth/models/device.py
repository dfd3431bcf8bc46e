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


def computes_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; without them a CPU is slower in it.

    Of x86 PyTorch takes those with AVX-512; with AVX2 alone a step takes forty times as long.
    """
    if device.type != "cpu":
        return True
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
