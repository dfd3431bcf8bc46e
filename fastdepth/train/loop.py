"""The training loop: one for all recipes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fastdepth.console import Advance, Stopwatch, progress
from fastdepth.data import open_source
from fastdepth.files import make_folder
from fastdepth.models import create_model
from fastdepth.models.device import open_device
from fastdepth.models.loading import load_fitting, load_weights
from fastdepth.train.checkpoint import restore_checkpoint, save_checkpoint, save_weights
from fastdepth.train.log import TrainingLog
from fastdepth.train.losses import LOSSES
from fastdepth.train.optimiser import make_optimiser, make_schedule
from fastdepth.train.plot import plot_losses
from fastdepth.train.run import TrainingRun, TrainingSummary
from fastdepth.train.samples import EpochSampler, make_loader, parse_sources, split_weight
from fastdepth.train.stopping import StopRequest
from fastdepth.train.validation import validate
from fastdepth.variants import get_variant
from fastdepth.weights import WeightsCard, find_weights

LOG_INTERVAL = 20  # steps


def train(run: TrainingRun) -> TrainingSummary:
    """Train a network, or continue where a run was left.

    On the CPU a resumed run continues bit for bit. Ctrl-C, SIGTERM and ``max_minutes`` end it after
    the current step with a checkpoint to resume from.

    Raises:
        UsageError: an option that cannot work, or an output folder that holds another run.
        DataError, ImageError: the data cannot be used.
        WeightsError: weights or checkpoint do not fit.
        DeviceError: no such device.
        OutputError: the output folder cannot be written.
    """
    trainer = Trainer(run)
    trainer.begin()
    return trainer.train()


class Trainer:
    """A run with its network, data and optimiser."""

    def __init__(self, run: TrainingRun) -> None:
        run.check()
        self.run, self.recipe, self.variant = run, run.changed_recipe(), get_variant(run.variant)
        self.device = open_device(run.device)
        if run.threads:
            torch.set_num_threads(run.threads)
        torch.manual_seed(run.seed)
        first, _ = split_weight(run.data[0])
        self.validation = open_source(first, "validation", limit=run.validation_limit)
        self.sampler = EpochSampler(
            parse_sources(run.data, "train"), self.recipe.batch, self.recipe.epochs, run.seed
        )
        self.network = create_model(self.variant)
        if run.weights:
            load_weights(self.network, find_weights(run.weights), run.variant)
        taken = load_fitting(self.network, find_weights(run.initial)) if run.initial else []
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(self.network, self.recipe)
        self.loss = LOSSES[self.recipe.loss]
        beginning = f"{len(taken)} tensors of {run.initial}" if taken else "random"
        self.card = WeightsCard(
            run.variant, data=", ".join(run.data), initialisation=run.weights or beginning
        )
        self.step, self.best = 0, float("-inf")
        self.random = torch.get_rng_state()
        self.log = TrainingLog(run.log)

    def begin(self) -> None:
        """Open the output folder; take up the checkpoint in it if the run is to be resumed."""
        if self.run.resume:
            self.step, self.best, self.random = restore_checkpoint(
                self.run.checkpoint,
                self.network,
                self.optimiser,
                self.variant.name,
                self.sampler.total_steps,
            )
        make_folder(self.run.output)
        self._log(resumed=self.run.resume, images_per_epoch=sum(self.sampler.lengths))

    def train(self) -> TrainingSummary:
        """Do the remaining steps, or as many as time and user allow."""
        total = self.sampler.total_steps
        with (
            StopRequest(self.run.max_minutes) as stop,
            progress(self.variant.name, total) as advance,
        ):
            advance(self.step)
            rate = self._steps(stop, advance)
        self._save()
        plot_losses(self.run.log, self.run.output / "loss.png", self.variant.name)
        return TrainingSummary(
            self.step, total, rate, self.best, self.run.checkpoint, stop.signalled
        )

    def _steps(self, stop: StopRequest, advance: Advance) -> float:
        """Step, log, validate and save until done or stopped; returns images per second."""
        self.sampler.start = self.step
        schedule = make_schedule(self.optimiser, self.recipe, self.sampler.total_steps, self.step)
        augmentation, seed = self.recipe.augmentation, self.run.seed
        batches = iter(make_loader(self.sampler, augmentation, seed, self.run.workers))
        torch.set_rng_state(self.random)
        self.network.train()
        losses: list[Tensor] = []
        images, seconds, rate = 0, 0.0, 0.0
        watch, unsaved = Stopwatch(), Stopwatch()
        for image, depth in batches:
            losses.append(self._step(image, depth))
            schedule.step()
            self.step += 1
            images, seconds = images + len(image), seconds + watch.lap()
            rate = images / seconds
            advance(1)
            if self.step % LOG_INTERVAL == 0:
                loss = float(torch.stack(losses).mean())
                losses.clear()
                self._log(loss=loss, images_per_second=round(rate, 2))
                advance(0, f"loss {loss:.3f}  {rate:.1f} images/s  best d1 {self.best:.3f}")
            if self.step % self.sampler.steps_per_epoch == 0:
                self._validate()
            if self.step % self.sampler.steps_per_epoch == 0 or unsaved.seconds > (
                60 * self.run.checkpoint_minutes
            ):
                self._save()
                unsaved.lap()
            if stop.due:
                break
            watch.lap()
        return rate

    def _step(self, image: Tensor, depth: Tensor) -> Tensor:
        """One optimiser step on a batch; returns the detached loss."""
        image = image.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        depth = depth.to(self.device, non_blocking=True)
        self.optimiser.zero_grad(set_to_none=True)
        mixed = self.run.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            prediction = self.network(image)
        loss = self.loss(prediction, depth)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        if torch.isfinite(norm):  # one overflow of half precision must not spoil the weights
            self.optimiser.step()
        return loss.detach()

    def _validate(self) -> None:
        """Score held-out scenes; keep the network where its d1 is the best so far."""
        size = self.run.validation_size()
        loss, scores = validate(self.network, self.validation, size, self.loss)
        self._log(validation={"loss": loss, **scores})
        if scores["d1"] > self.best:
            self.best = scores["d1"]
            card = replace(
                self.card,
                scores={key: round(value, 4) for key, value in scores.items()},
                protocol="eigen",
                evaluated_on=f"{self.validation.name} validation scenes",
            )
            save_weights(self.run.output / "best.safetensors", self.network, card)

    def _save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(
            self.run.checkpoint,
            self.network,
            self.optimiser,
            self.card,
            step=self.step,
            total_steps=self.sampler.total_steps,
            best_score=self.best,
        )

    def _log(self, **entry: Any) -> None:
        """Write an entry with the step it belongs to."""
        rate = self.optimiser.param_groups[-1]["lr"]
        epoch = round(self.step / self.sampler.steps_per_epoch, 3)
        self.log.write(step=self.step, epoch=epoch, learning_rate=rate, **entry)
