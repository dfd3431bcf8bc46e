"""The command ``fastdepth-train``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fastdepth.console import run_command
from fastdepth.train import TrainingRun, train

DESCRIPTION = """Train a network.

Examples:

  fastdepth-train --variant unet128-dws --data nyu:PATH --output runs/first

  fastdepth-train --variant unet128-dws --data nyu:PATH=3 --data rooms:1000 --output runs/mixed

  fastdepth-train --variant unet128-dws --data nyu:PATH --output runs/first --resume

  torchrun --nproc-per-node 2 --no-python fastdepth-train --variant unet128-dws --data nyu:PATH
      --output runs/two-gpus --device cuda
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(
        TrainingRun, _run, prog="fastdepth-train", description=DESCRIPTION, arguments=arguments
    )


def _run(run: TrainingRun) -> int:
    summary = train(run)
    from fastdepth.train.processes import Processes

    if not Processes().first:
        return 130 if summary.interrupted else 0
    print(
        f"{summary.steps} of {summary.total_steps} steps, "
        f"{summary.images_per_second:.1f} images/s, "
        f"best validation {summary.monitor} {summary.best:.3f}; checkpoint {summary.checkpoint}",
        file=sys.stderr,
    )
    return 130 if summary.interrupted else 0
