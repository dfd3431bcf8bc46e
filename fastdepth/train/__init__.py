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
    """Train a network, or continue where a run was left.

    On the CPU a resumed run continues bit for bit. Ctrl-C, SIGTERM and ``max_minutes`` end it after
    the current step with a checkpoint to resume from. Under torchrun all processes train one
    network.

    Raises:
        UsageError: an option that cannot work, or an output folder that holds another run.
        DataError, ImageError: the data cannot be used, or more images than ``skip_limit``.
        WeightsError: weights or checkpoint do not fit.
        DeviceError: no such device.
        OutputError: the output folder cannot be written.
        DivergenceError: the loss is not a finite number.
        MissingExtraError: the extra ``train`` is not installed.
    """
    for module in ("torch", "safetensors"):
        require(module, "train")
    from fastdepth.train.trainer import Trainer

    trainer = Trainer(run)
    with trainer.processes.joined(trainer.device):
        trainer.begin()
        return trainer.train()
