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
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(
        TrainingRun, _run, prog="fastdepth-train", description=DESCRIPTION, arguments=arguments
    )


def _run(run: TrainingRun) -> int:
    summary = train(run)
    print(
        f"{summary.steps} of {summary.total_steps} steps, "
        f"{summary.images_per_second:.1f} images/s, best validation d1 {summary.best_d1:.3f}; "
        f"checkpoint {summary.checkpoint}",
        file=sys.stderr,
    )
    return 130 if summary.interrupted else 0
