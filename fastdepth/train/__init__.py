"""Training. Needs the extra ``train``.

::

    from fastdepth.train import TrainingRun, train

    train(TrainingRun("unet128-dws", data=("nyu:PATH",), output=Path("runs/first")))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastdepth.errors import FastDepthError, UsageError
from fastdepth.extras import require
from fastdepth.train.options import TrainingRun, TrainingSummary

__all__ = ["TrainingRun", "TrainingSummary", "train"]


def train(run: TrainingRun) -> TrainingSummary:
    """Train a network, or continue where a run was left.

    On the CPU a resumed run continues bit for bit. Ctrl-C, SIGTERM and ``max_minutes`` end it after
    the current step with a checkpoint to resume from. Under torchrun all processes train one
    network.

    Raises:
        UsageError: an option that cannot work, an output folder that holds another run or that
            another process trains in, or a machine without the memory.
        DataError, ImageError: the data cannot be used, or more images than ``skip_limit``.
        WeightsError: weights or checkpoint do not fit.
        InputError: the log of the run that is continued is damaged.
        DeviceError: no such device.
        OutputError: the output folder cannot be written.
        DivergenceError: the loss is not a finite number.
        MissingExtraError: the extra ``train`` is not installed.
    """
    for module in ("torch", "safetensors"):
        require(module, "train")
    from fastdepth.train.trainer import Trainer

    with _enough_memory():
        trainer = Trainer(run)
        with trainer.processes.joined(trainer.device), run.alone(trainer.processes.first):
            trainer.begin()
            return trainer.train()


_SCARCE = (
    "can't allocate memory",
    "Cannot allocate memory",
    "out of memory",
    "Insufficient memory",
    "shared memory",
    "unable to write to file",
    "DataLoader worker",
)
"""What PyTorch and OpenCV say where memory, or a worker that took too much, is gone."""


@contextmanager
def _enough_memory() -> Iterator[None]:
    """Within, memory that does not suffice is a UsageError."""
    try:
        yield
    except Exception as error:
        scarce = isinstance(error, MemoryError) or any(said in str(error) for said in _SCARCE)
        if not scarce or isinstance(error, FastDepthError):
            raise
        reason = (str(error).splitlines() or ["no more memory"])[0]
        raise UsageError(
            f"memory does not suffice ({reason}); take a lower --batch, --crop or --workers"
        ) from None
