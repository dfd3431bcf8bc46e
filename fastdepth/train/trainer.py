"""The training loop: one for all recipes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from fastdepth.console import Advance, Stopwatch, progress, tell
from fastdepth.errors import DataError, DivergenceError, ImageError, WeightsError
from fastdepth.files import make_folder, remove_leftovers
from fastdepth.models import DepthNetwork, create_model
from fastdepth.models.device import computes_bf16, open_device
from fastdepth.models.pretrained import RANDOM
from fastdepth.size import Size
from fastdepth.train.checkpoint import (
    Checkpoint,
    Progress,
    initialise,
    save_checkpoint,
    save_weights,
)
from fastdepth.train.compress.distill import describe, make_objective, open_teacher
from fastdepth.train.compress.distill_features import open_feature_teacher
from fastdepth.train.distributed import Processes
from fastdepth.train.ema import AveragedNetwork
from fastdepth.train.loader import (
    Batch,
    EpochSampler,
    error_list,
    make_loader,
    open_validation,
    parse_sources,
)
from fastdepth.train.log import WAITING_LIMIT, Pace, TensorBoard, TrainingLog
from fastdepth.train.losses import LOSSES
from fastdepth.train.mixed_precision import MIXED, SLOW_BF16, keep_float32
from fastdepth.train.optimiser import Schedule, freeze, make_optimiser, set_training
from fastdepth.train.options import TrainingRun, TrainingSummary
from fastdepth.train.plot import plot_losses, write_sheets
from fastdepth.train.stopping import Improvement, StopRequest
from fastdepth.train.validation import validate
from fastdepth.variants import get_variant
from fastdepth.weights import WeightsCard

LOG_INTERVAL = 20  # steps
PLOT_INTERVAL = 60.0  # least time between two drawings of the curves [s]


class Trainer:
    """A run with its network, data and optimiser."""

    def __init__(self, run: TrainingRun) -> None:
        run.check()
        self.run, self.recipe, self.variant = run, run.changed_recipe(), get_variant(run.variant)
        self.processes = Processes()
        self.device = open_device(self.processes.device(run.device))
        if run.threads:
            torch.set_num_threads(run.threads)
        torch.manual_seed(run.seed)
        self.validation = open_validation(run)
        self.processes.check_batch(self.recipe.batch)
        self.sampler = EpochSampler(
            parse_sources(run.data, run.splits[0], run.overfit, follow_outside=run.follow_outside),
            self.recipe.batch,
            self.recipe.epochs,
            run.seed,
            accumulation=self.recipe.accumulation,
            processes=self.processes.count,
            rank=self.processes.rank,
        )
        network = create_model(self.variant)
        self.teacher = open_teacher(
            run.teachers(),
            self.recipe.augmentation,
            network.depth_range,
            self.device.type,
            run.threads,
        )
        initialisation = initialise(network, run)
        if self.processes.first and not run.resume and initialisation.startswith(f"{RANDOM},"):
            tell(initialisation)
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if run.precision in MIXED:
            keep_float32(network, self.device)
            if self.processes.first and not computes_bf16(self.device):
                tell(SLOW_BF16)
        self.network = self.processes.prepare(network, self.device)
        self.average = AveragedNetwork(self.network, self.recipe.ema)
        self.features = open_feature_teacher(run, self.network, self.recipe, self.device)
        self.card = WeightsCard(
            run.variant,
            data=", ".join(run.data),
            initialisation=initialisation,
            teacher=describe(run.teachers(), run.teacher_weight, self.features),
        )
        self.step, self.stages = 0, self.recipe.plan()
        self.unreadable: dict[str, str] = {}
        self.loader_named = False
        self.unplotted = Stopwatch()
        self._enter(0)
        if self.processes.rank:  # dropout of its own; the weights come from the first process
            torch.manual_seed(run.seed * 1_000_003 + self.processes.rank)
        self.random = torch.get_rng_state()

    def _enter(self, stage: int) -> None:
        """Begin a stage: what is trained, and by which optimiser, schedule and loss."""
        self.stage = self.stages[stage]
        self.stage_number = stage
        first, per_epoch = sum(s.epochs for s in self.stages[:stage]), self.sampler.steps_per_epoch
        self.end = (first + self.stage.epochs) * per_epoch
        self.wrapped: nn.Module = self.network
        freeze(self.network, self.stage.trained, self.recipe.frozen)
        self.optimiser = make_optimiser(self.network, self.recipe)
        steps = self.stage.epochs * per_epoch
        self.schedule = Schedule(self.optimiser, self.recipe, steps, per_epoch)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.run.precision == "fp16")
        self.loss = LOSSES[self.stage.loss]
        self.objective = make_objective(
            self.loss,
            self.teacher,
            self.run.teacher_weight,
            self.features,
        )
        self.improvement = Improvement(self.recipe.monitor, self.recipe.patience)

    def begin(self) -> None:
        """Open the output folder; take up the checkpoint in it if the run is to be resumed."""
        if self.run.resume:
            self._restore()
        if self.processes.first:
            make_folder(self.run.output)
            remove_leftovers(self.run.output)
            board = TensorBoard(self.run.output / "tensorboard", self.step)
            self.log = TrainingLog(self.run.log, board)
        self._log(
            resumed=self.run.resume,
            recipe=self.run.recipe or self.variant.recipe,
            source=self.recipe.source,
            initialisation=self.card.initialisation,
            teacher=self.card.teacher,
            images_per_epoch=sum(self.sampler.lengths),
        )

    def train(self) -> TrainingSummary:
        """Do the remaining steps, or as many as time and user allow."""
        total = self.sampler.total_steps
        torch.set_rng_state(self.random)
        with (
            StopRequest(self.run.max_minutes, alone=self.processes.count == 1) as stop,
            progress(self.variant.name, total, shown=self.processes.first) as advance,
        ):
            advance(self.step)
            pace = Pace(self.run.workers)
            while not self._steps(stop, advance, pace) and self.end < total:
                self._enter(self.stage_number + 1)
            self._save()
            self.wrapped = self.network
            if self.processes.first:
                self._plot()
                self.log.close()
        return TrainingSummary(
            self.step,
            total,
            pace.images_per_second,
            self.improvement.monitor,
            self.improvement.best,
            self.run.checkpoint,
            stop.signalled,
        )

    def _steps(self, stop: StopRequest, advance: Advance, pace: Pace) -> bool:
        """Step, log, validate and save until the stage is done; whether it was stopped."""
        if self.step >= self.end:
            return False
        self.sampler.start = self.step
        loader = make_loader(
            self.sampler,
            self.recipe.augmentation,
            self.run.seed,
            self.run.workers,
            pinned=self.device.type == "cuda",
        )
        batches = iter(loader)
        set_training(self.network)
        self.wrapped = self.processes.wrap(self.network)
        losses: list[Tensor] = []
        watch, unsaved = Stopwatch(), Stopwatch()
        while self.step < self.end:
            group = list(islice(batches, self.sampler.batches_in(self.step)))
            waited = watch.lap()
            losses.append(self._step(group))
            self.schedule.after_step()
            self.step += 1
            prepared = sum(batch.seconds for batch in group)
            pace.add(self.recipe.batch * len(group), waited, watch.lap(), prepared)
            advance(1)
            epoch_done = self.step % self.sampler.steps_per_epoch == 0
            if epoch_done or self.step % LOG_INTERVAL == 0:
                self._report(losses, pace, advance)
                losses.clear()
            if epoch_done:
                self._validate()
                if self.improvement.exhausted:
                    advance(self.end - self.step)
                    self.step = self.end
            late = unsaved.seconds > 60 * self.run.checkpoint_minutes
            stopped, late = self.processes.any(stop.due, late, device=self.device)
            if epoch_done or late:
                self._save()
                unsaved.lap()
            if stopped:
                return True
            watch.lap()
        return False

    def _step(self, batches: Sequence[Batch]) -> Tensor:
        """One optimiser step on the mean loss of some batches, which is returned, detached."""
        self.optimiser.zero_grad(set_to_none=True)
        losses = []
        for number, batch in enumerate(batches, start=1):
            with self.processes.gradients(self.wrapped, exchange=number == len(batches)):
                loss = self._loss(batch)
                self.scaler.scale(loss / len(batches)).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        if torch.isfinite(norm):  # one overflow of half precision must not spoil the weights
            self.scaler.step(self.optimiser)
        self.scaler.update()
        self.average.update()
        return torch.stack(losses).mean()

    def _loss(self, batch: Batch) -> Tensor:
        """Loss of a batch.

        Raises:
            DataError: too many samples could not be read.
            DivergenceError: the loss is not a finite number.
        """
        self._skip(batch.unreadable)
        if not batch.names:
            raise DataError(f"no sample can be read: {error_list(self.unreadable)}")
        image = batch.image.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        depth = batch.depth.to(self.device, non_blocking=True)
        kind = MIXED.get(self.run.precision)
        with torch.autocast(self.device.type, kind, enabled=kind is not None):
            prediction = self.wrapped(image)
        loss = self.objective(prediction, batch.image, depth)
        if not torch.isfinite(loss):
            names = ", ".join(batch.names)
            message = f"the loss is {loss.item()} at step {self.step + 1}, on {names}"
            self._log(stopped=message)
            mend = "look at these samples, or take a lower --learning-rate"
            raise DivergenceError(f"{message}; {mend}")
        return loss

    def _skip(self, unreadable: dict[str, str]) -> None:
        """Name samples that cannot be read, each once.

        Raises:
            DataError: there are more of them than the run allows.
        """
        for name in sorted(unreadable.keys() - self.unreadable.keys()):
            if self.processes.first:
                tell(f"skipped {name}: {unreadable[name]}")
            self._log(skipped=name, error=unreadable[name])
        self.unreadable.update(unreadable)
        if len(self.unreadable) > self.run.skip_limit:
            raise DataError(
                f"{len(self.unreadable)} samples cannot be read, more than --skip-limit "
                f"{self.run.skip_limit}: {error_list(self.unreadable)}"
            )

    def _report(self, losses: Sequence[Tensor], pace: Pace, advance: Advance) -> None:
        """Log what happened since the last time."""
        for unreadable in self.processes.gather(self.unreadable):
            self._skip(unreadable)
        mean = self.processes.mean
        loss = float(mean(torch.stack(list(losses)).mean()))
        rate, waiting = pace.images_per_second, pace.waiting()
        loader, step = pace.loader_images_per_second, pace.step_images_per_second
        self._log(
            loss=loss,
            **{name: float(mean(value)) for name, value in self.objective.means().items()},
            images_per_second=round(rate, 2),
            loader_images_per_second=round(loader, 2),
            step_images_per_second=round(step, 2),
            waiting=round(waiting, 3),
        )
        best = f"best {self.improvement.monitor} {self.improvement.best:.3f}"
        advance(0, f"loss {loss:.3f}  {rate:.1f} images/s  {best}")
        if waiting > WAITING_LIMIT and self.processes.first and not self.loader_named:
            self.loader_named = True
            tell(
                f"the loader is the bottleneck: {waiting:.0%} of the time is spent waiting for "
                f"images; the step could take {step:.1f} images/s, the loader prepares "
                f"{loader:.1f} with --workers {self.run.workers}: raise that where cores idle"
            )

    def _validate(self) -> None:
        """Score held-out scenes; keep the network where it is the best so far."""
        scores: dict[str, float] = {}
        if self.processes.first:
            size = self.run.evaluated_size()
            shipped = self.average.network
            loss, metrics = validate(shipped, self.validation, size, self.loss, self._skip)
            scores = {"loss": loss, **metrics}
            self._draw(shipped, size)
            set_training(self.network)
        scores = self.processes.from_first(scores)
        self._log(validation=scores)
        if self.processes.first and self.unplotted.seconds > PLOT_INTERVAL:
            self._plot()
        self.schedule.after_validation(scores["loss"])
        better = self.improvement.update(scores) or self.run.all_scenes
        if better and self.processes.first:
            card = replace(
                self.card,
                scores={key: round(value, 4) for key, value in scores.items() if key != "loss"},
                protocol="eigen",
                evaluated_on=f"{self.validation.name} validation scenes"
                f"{', which it was trained on' * self.run.all_scenes}",
            )
            save_weights(self.run.best, self.average.network, card)
        if self.improvement.exhausted:
            self._log(stopped=f"no better {self.recipe.monitor} in {self.recipe.patience} epochs")

    def _draw(self, network: DepthNetwork, size: Size) -> None:
        """Show what it predicts by now; a sample that cannot be read is not worth the run."""
        epoch = self.step // self.sampler.steps_per_epoch
        with suppress(DataError, ImageError):
            sheet = write_sheets(network, self.validation, size, self.run.output, epoch)
            self.log.draw(sheet, self.step)

    def _plot(self) -> None:
        """Draw the curves so far."""
        plot_losses(self.run.log, self.run.output / "loss.png", self.variant.name)
        self.unplotted.lap()

    def _save(self) -> None:
        """Write the checkpoint."""
        random = torch.stack(self.processes.gather(torch.get_rng_state()))
        if not self.processes.first:
            return
        progress: Progress = {
            "step": self.step,
            "total_steps": self.sampler.total_steps,
            "stage": self.stage_number,
            "best": self.improvement.best,
            "stale": self.improvement.stale,
            "averaged": self.average.updates,
            "schedule": self.schedule.state(),
            "scaler": self.scaler.state_dict(),
        }
        save_checkpoint(
            self.run.checkpoint,
            self.average.network,
            self.network,
            self.optimiser,
            self.card,
            progress=progress,
            random=random,
        )

    def _restore(self) -> None:
        """Take up the checkpoint."""
        checkpoint = Checkpoint(self.run.checkpoint, self.sampler.total_steps)
        progress = checkpoint.progress
        stage = progress["stage"]
        self._enter(min(stage, len(self.stages) - 1))
        first = self.end - self.stage.epochs * self.sampler.steps_per_epoch
        if stage != self.stage_number or not first <= progress["step"] <= self.end:
            raise WeightsError(
                f"{self.run.checkpoint} was trained in other stages; resume with the same recipe"
            )
        checkpoint.restore(self.average.network, self.network, self.optimiser, self.card)
        self.step = progress["step"]
        self.improvement.best, self.improvement.stale = progress["best"], progress["stale"]
        self.average.updates = progress["averaged"]
        self.schedule.restore(progress["schedule"])
        if progress["scaler"]:  # of another precision it has none
            self.scaler.load_state_dict(progress["scaler"])
        if self.processes.rank < len(checkpoint.random):
            self.random = checkpoint.random[self.processes.rank].clone()

    def _log(self, **entry: Any) -> None:
        """Write an entry with the step it belongs to."""
        if self.processes.first:
            rate = self.optimiser.param_groups[-1]["lr"]
            epoch = round(self.step / self.sampler.steps_per_epoch, 3)
            where = {"step": self.step, "epoch": epoch, "learning_rate": rate}
            if len(self.stages) > 1:
                where["stage"] = self.stage.name
            self.log.write(**where, **entry)
