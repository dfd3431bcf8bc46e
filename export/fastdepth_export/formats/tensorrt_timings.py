"""How long TensorRT's kernels took on a GPU, kept from one build of an engine to the next.

The file is a SHA-256 and what TensorRT serialised. TensorRT itself only sees that timings are of
this GPU and release, not that they are whole; wrong ones would choose wrong kernels.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fastdepth.console import tell
from fastdepth.errors import ModelFileError
from fastdepth.files import cache_folder, read_bytes, write_bytes

_DIGEST = hashlib.sha256().digest_size


def timings_file(gpu: str, compute_capability: str, tensorrt: str) -> Path:
    """Where the timings of a GPU and a TensorRT lie."""
    name = f"{gpu}-{compute_capability}-{tensorrt}.timings".replace(" ", "-")
    return cache_folder() / "tensorrt" / name


def use_timings(config: Any, file: Path) -> None:
    """Give a builder's configuration the timings that are known; says so where they are damaged.

    Args:
        config: ``tensorrt.IBuilderConfig``, which gets empty ones where there are none.
        file: may be missing; one that is damaged or refused is written anew after the build.
    """
    for known in (_read(file), b""):
        cache = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return
        if known:
            tell(f"TensorRT refuses the timings in {file}; kernels are timed anew")


def keep_timings(config: Any, file: Path) -> None:
    """Write what a build has timed.

    Raises:
        OutputError: the file cannot be written.
    """
    cache = config.get_timing_cache()
    if cache is not None:
        timings = bytes(cache.serialize())
        write_bytes(file, hashlib.sha256(timings).digest() + timings)


def _read(file: Path) -> bytes:
    """What TensorRT serialised; nothing where there is no file or a damaged one."""
    if not file.exists():
        return b""
    content = read_bytes(file, ModelFileError)
    timings = content[_DIGEST:]
    if hashlib.sha256(timings).digest() == content[:_DIGEST]:
        return timings
    tell(f"the timings in {file} are damaged; kernels are timed anew")
    return b""
