"""Devices by name, checked to be there, and what they are told before a training."""

from __future__ import annotations

import ctypes
import sys

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


def keep_memory() -> None:
    """Have glibc keep what is freed: of PyTorch's tensors on a CPU each operation makes new ones.

    As it is, large ones come from the system each time, which fills their pages with zeros. From
    now on the process does not shrink. Other systems' allocators are left alone.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return
    for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 64 << 20)):
        libc.mallopt(option, value)


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # malloc.h
