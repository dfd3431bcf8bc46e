"""Which execution providers of ONNX Runtime really run something here.

Being listed proves nothing: a wheel lists every provider it was compiled with, and a session
quietly continues on the CPU. So each provider is given a graph, with that way out closed.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from typing import Any

import numpy as np

from fastdepth.errors import DeviceError, UsageError
from fastdepth.extras import require
from fastdepth.runtime.session import load_libraries, provider_with_options

TINY_MODEL = bytes.fromhex(
    "08083a370a100a01780a017812017922034164643a001201675a0f0a0178120a0a08080112040a020802"
    "620f0a0179120a0a08080112040a02080242040a00100d"
)
"""ONNX file of y = x + x for two float32, so that asking needs no package but the runtime."""

CPU = "CPUExecutionProvider"

DEVICE_PROVIDERS = {"cpu": CPU, "cuda": "CUDAExecutionProvider"}
"""Execution provider that stands for a device, by ONNX Runtime's name."""

_SILENT = 4  # ONNX Runtime's log level; what went wrong is answered, not logged


def probe(provider: str, *imported: str) -> str | None:
    """Run a small graph on an execution provider alone.

    In a process of its own, but for the CPU: a session keeps CUDA's context, and memory on the GPU,
    for as long as its process lives, and would be counted as a second one that computes there.

    Args:
        provider: ONNX Runtime's name, ``CUDAExecutionProvider``.
        imported: modules that the process imports first.

    Returns:
        None where it ran there, else one line that says why not.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    require("onnxruntime", "cpu")
    if provider == CPU and not imported:
        return probe_here(provider)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        try:
            return process.submit(probe_here, provider, *imported).result()
        except BrokenProcessPool:
            return "the process that asked it died"


def probe_here(provider: str, *imported: str) -> str | None:
    """As :func:`probe`, in this process, which keeps what the provider takes."""
    for name in imported:
        import_module(name)
    runtime = require("onnxruntime", "cpu")
    if provider != CPU:
        load_libraries(runtime)
    if provider not in runtime.get_available_providers():
        return "not in this build of onnxruntime"
    try:
        session = _session(runtime, provider)
        answer = session.run(None, {"x": np.ones(2, np.float32)})[0]
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        reason = " ".join(str(error).split())
        return "leaves the work to the CPU" if "default CPU EP" in reason else reason[:160]
    if session.get_providers()[0] != provider or answer.tolist() != [2, 2]:
        return f"ran on {session.get_providers()[0]} instead"
    return None


def check_device(device: str) -> None:
    """Make sure that ONNX Runtime can use a device here.

    Raises:
        UsageError: it has no device of that name.
        DeviceError: the device does not work.
        MissingExtraError: ONNX Runtime is not installed.
    """
    if device not in DEVICE_PROVIDERS:
        raise UsageError(f"ONNX Runtime has no device {device!r}; use cpu or cuda")
    problem = probe(DEVICE_PROVIDERS[device])
    if problem:
        raise DeviceError(
            f"no {device} that ONNX Runtime can use ({problem}); use --device cpu, "
            "and see fastdepth-bench --doctor"
        )


def _session(runtime: Any, provider: str) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = _SILENT
    if provider != CPU:  # which cannot be asked not to fall back on itself
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return runtime.InferenceSession(
        TINY_MODEL,
        sess_options=options,
        providers=[provider_with_options(provider)],
        enable_fallback=0,
    )
