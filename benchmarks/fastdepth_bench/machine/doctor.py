"""``fastdepth-bench doctor``: what is installed, what really runs, what to install."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import fastdepth
from fastdepth.console import run_command, say
from fastdepth.extras import require
from fastdepth.files import cache_folder
from fastdepth.images.parallel import usable_cores
from fastdepth_bench.machine.environment import (
    PACKAGES,
    cpu_model,
    git_commit,
    gpus,
    instructions,
    package_version,
)
from fastdepth_bench.results.environment import name_processor
from fastdepth_bench.runners.opening import refusal
from fastdepth_bench.runners.providers import probe
from fastdepth_export.targets import TARGETS, Target

PROG = "fastdepth-bench doctor"

DESCRIPTION = """Say what is installed, what really works here, and what to install.

Example:

  fastdepth-bench doctor
"""

OPTIONAL = {
    "torch": "bench",
    "onnx": "bench",
    "onnxscript": "bench",
    "onnxsim": "bench",
    "onnxruntime": "cpu",
    "h5py": "train",
}
"""Modules that some command needs, and the extra that installs each."""


def report() -> str:
    """Everything that decides what can be measured here, as lines of text; needs no extra."""
    return "\n".join([*_versions(), *_hardware(), *_providers(), *_runtimes(), *_missing()])


def _versions() -> list[str]:
    commit = git_commit(Path(__file__))
    lines = [f"fastdepth {fastdepth.__version__}" + (f", commit {commit}" if commit else "")]
    lines.append(f"Python {sys.version.split()[0]}, {sys.executable}")
    lines += [f"{name} {found}" for name in PACKAGES if (found := package_version(name))]
    if package_version("onnxruntime") and package_version("onnxruntime-gpu"):
        lines.append(
            "onnxruntime and onnxruntime-gpu overwrite each other; run: "
            "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'fastdepth[gpu]'"
        )
    return lines


def _hardware() -> list[str]:
    cpu = name_processor(cpu_model(), instructions())
    lines = [f"CPU: {cpu}, {usable_cores()} usable cores"]
    lines += [f"GPU: {name}" for name in gpus()] or ["GPU: none that nvidia-smi shows"]
    return [*lines, f"cache: {cache_folder()}"]


def _providers() -> list[str]:
    """One line a provider that this ONNX Runtime lists, with what a small graph did on it."""
    if find_spec("onnxruntime") is None:
        return ["execution providers: none, ONNX Runtime is not installed"]
    listed = require("onnxruntime", "cpu").get_available_providers()
    problems = {name: probe(name) for name in listed}
    return [
        f"{name}: {f'does not work: {problem}' if problem else 'works'}"
        for name, problem in problems.items()
    ]


def _runtimes() -> list[str]:
    """One line a target: whether it can run on each of its devices, and what is in the way."""
    return [
        f"runtime {target.name}: "
        + "; ".join(f"{device} {_state(target, device)}" for device in target.devices)
        for target in TARGETS.values()
    ]


def _state(target: Target, device: str) -> str:
    reason = refusal(target, device)
    return f"does not work: {reason}" if reason else "works"


def _missing() -> list[str]:
    missing = {name: extra for name, extra in OPTIONAL.items() if find_spec(name) is None}
    extras = ",".join(dict.fromkeys(missing.values()))
    if not missing:
        return ["nothing is missing but what the lines above name"]
    return [f"missing: {', '.join(missing)}; run: pip install 'fastdepth[{extras}]'"]


@dataclass(frozen=True)
class Command:
    """There are no options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(_: Command) -> None:
    say(report())
