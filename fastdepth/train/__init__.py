"""Training. Needs the extra ``train``.

::

    from fastdepth.train import TrainingRun, train

    train(TrainingRun("unet128-dws", data=("nyu:PATH",), output=Path("runs/first")))
"""

from __future__ import annotations

from fastdepth.extras import require
from fastdepth.train.options import TrainingRun, TrainingSummary

__all__ = ["TrainingRun", "TrainingSummary", "train"]


def train(run: TrainingRun) -> TrainingSummary:
    """Train a network, or continue where a run was left: see :func:`fastdepth.train.trainer.train`.

    Raises:
        MissingExtraError: the extra ``train`` is not installed.
    """
    for module in ("torch", "safetensors"):
        require(module, "train")
    from fastdepth.train import trainer

    return trainer.train(run)
