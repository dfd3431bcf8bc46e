"""A network that trains in a second, for tests that run whole training runs in other processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fastdepth import variants
from fastdepth.models.network import DepthNetwork, Prediction, upsample
from fastdepth.size import Size, SizeRule
from fastdepth.train import TrainingRun, TrainingSummary, losses, recipes, train, trainer
from fastdepth.train.recipes import Augmentation, Stage, TrainingRecipe
from fastdepth.variants import Variant


class PlainNetwork(DepthNetwork):
    """Two parts, of which one has dropout and, if asked, batch norm."""

    def __init__(self, depth_range: tuple[float, float], norm: bool = False) -> None:
        super().__init__(depth_range)
        normalise = nn.BatchNorm2d(4) if norm else nn.Identity()
        self.coarse = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), normalise, nn.Dropout(0.5 * norm))
        self.fine = nn.Conv2d(4, 1, 3, 2, 1)

    def predict(self, normalised: Tensor) -> Prediction:
        depth = 0.1 + 9.9 * self.fine(self.coarse(normalised).relu()).float().sigmoid()
        return Prediction(normalised, depth)


def per_image(prediction: Prediction, truth: Tensor) -> Tensor:
    """Mean over the images of each one's mean error in ln depth."""
    error = (
        upsample(prediction.depth, *truth.shape[-2:]).log() - truth.clamp(min=1e-3).log()
    ).abs()
    valid = truth > 1e-3
    return ((error * valid).sum((1, 2, 3)) / valid.sum((1, 2, 3)).clamp(min=1)).mean()


AUGMENTATION = Augmentation(border=(0, 0, 640, 480), scale=0.125, crop=Size(48, 64))
RECIPE = TrainingRecipe(
    "tests", "per-image", epochs=5, batch=4, learning_rate=0.02, augmentation=AUGMENTATION
)
STAGES = (Stage("first", 3, ("coarse.",), "per-image"), Stage("second", 2, ("fine.",), "per-image"))


def register(patch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Enter networks ``plain`` and ``normed``, recipe ``plain`` with changes, and the loss."""
    patch.setitem(sys.modules, "fastdepth.models.plain", sys.modules[__name__])
    recipe = TrainingRecipe(**{**vars(RECIPE), **changes})
    patch.setattr(recipes, "RECIPES", {**recipes.RECIPES, "plain": recipe})
    patch.setattr(losses, "LOSSES", {**losses.LOSSES, "per-image": per_image})
    patch.setattr(trainer, "LOSSES", losses.LOSSES)
    patch.setattr(trainer, "LOG_INTERVAL", 1)
    known = dict(variants.VARIANTS)
    for name, norm in (("plain", False), ("normed", True)):
        known[name] = Variant(
            name,
            "plain:PlainNetwork",
            0,
            "",
            Size(48, 64),
            SizeRule(smallest=32),
            {"norm": norm},
            recipe="plain",
        )
    patch.setattr(variants, "VARIANTS", known)


def train_traced(run: TrainingRun, changes: dict[str, Any]) -> TrainingSummary:
    """Train in a fresh process; leave the number of every step done in ``output/trace``."""
    register(pytest.MonkeyPatch(), **changes)
    step = trainer.Trainer._step

    def traced(self: trainer.Trainer, batches: Any) -> Tensor:
        loss = step(self, batches)
        with (run.output / "trace").open("a") as stream:
            stream.write(f"{self.step + 1}\n")
        return loss

    trainer.Trainer._step = traced  # type: ignore[method-assign]
    return train(run)


def _train_as(
    rank: int, environment: dict[str, str], run: TrainingRun, stop_at: int, changes: dict[str, Any]
) -> None:
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    register(pytest.MonkeyPatch(), **changes)
    step = trainer.Trainer._step

    def stopped(self: trainer.Trainer, batches: Any) -> Tensor:
        if rank == 1 and self.step + 1 == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batches)

    trainer.Trainer._step = stopped  # type: ignore[method-assign]
    train(run)


def processes() -> Any:
    """A context whose processes start at once: PyTorch is imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fastdepth.train.trainer", "matplotlib.figure"])
    return context


def train_together(count: int, run: TrainingRun, stop_at: int = 0, **changes: Any) -> None:
    """Train in several processes with the variables that torchrun sets.

    Where ``stop_at`` is given, the second process is sent SIGTERM in that step.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    arguments = [(rank, environment, run, stop_at, changes) for rank in range(count)]
    started = [processes().Process(target=_train_as, args=args) for args in arguments]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
        process.kill()
    assert [process.exitcode for process in started] == [0] * count


def tensors_differ(left: Path, right: Path) -> list[str]:
    """Names of the tensors that are not the same, bit for bit, in two checkpoints."""
    from fastdepth.models.loading import read_tensors

    (one, _), (other, _) = read_tensors(left), read_tensors(right)
    return [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or not torch.equal(one[name], other[name])
    ]


if __name__ == "__main__":
    from fastdepth.train.cli import main

    sys.modules["tiny_training"] = sys.modules["__main__"]
    register(pytest.MonkeyPatch())
    sys.exit(main())
