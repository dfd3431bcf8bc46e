"""What a training run is asked to do, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastdepth.data import DataOptions, has_depth
from fastdepth.data.splits import FOLDS, HELD_OUT, REST
from fastdepth.errors import UnknownNameError, UsageError
from fastdepth.files import check_no_input
from fastdepth.lock import locked
from fastdepth.ranges import MANY, Quantity, Seed, Threads, check_needed, check_ranges, real, whole
from fastdepth.runtime.third_party import OptionNames, ThirdPartyFile
from fastdepth.size import Size
from fastdepth.train.recipes import Augmentation, TrainingRecipe, get_recipe
from fastdepth.variants import get_variant

Factor = Annotated[float, real(0.01, 100)]
"""Of sizes of images."""

Edge = Annotated[int, whole(0, 640)]
"""Of a part of an image [px at 640x480]."""

PRECISIONS = ("fp32", "bf16", "fp16")
TEACHER_OPTIONS = OptionNames("--teacher-size", "--teacher-normalise", "--teacher-output")


@dataclass(frozen=True)
class TrainingRun(DataOptions):
    """One training run; the options of ``fastdepth-train``.

    Attributes:
        variant: network to train.
        data: source of images with depth: nyu:PATH, rooms or rooms:COUNT, or without for a
            teacher: pictures:PATH; with =N after it, N passes through it per epoch.
        output: folder for checkpoints, log and loss.png.
        resume: continue the run in the output folder.
        recipe: train by this recipe instead of the variant's own.
        weights: start from these weights (tag or file) instead of random ones.
        initial: start from those tensors of this file, of any variant, whose names and shapes fit;
            of several files, the last that has one gives it.
        encoder_weights: safetensors file with a pretrained encoder under timm's names, or random;
            timm's own, which it downloads, if absent.
        teacher: ONNX file of any depth network, whose answers join the truth; of several, which all
            answer in metres, the mean of ln depth.
        teacher_weight: share of the teacher in the loss, the rest is the truth's.
        teacher_size: WIDTHxHEIGHT that the teacher sees images at; needed where the file leaves
            it open.
        teacher_normalise: what a teacher that is not fastdepth's wants of pixels: imagenet, half
            (mean and deviation 0.5), unit (0 to 1) or raw (0 to 255).
        teacher_output: what it answers with: metres or disparity.
        feature_teacher: weights (tag or file) of a network of ours whose encoder's features the
            student's should explain, level by level.
        feature_weight: of that in the loss, beside the rest.
        epochs: passes through the data; the recipe's number if absent.
        batch: images per pass through the network, of all processes together; the recipe's if
            absent.
        accumulation: batches per optimiser step; the recipe's if absent.
        learning_rate: peak learning rate; the recipe's if absent.
        ema: decay of the weights' moving average; the recipe's if absent.
        patience: validations without a better one until a stage ends; the recipe's if absent.
        crop: WIDTHxHEIGHT of the random crop; the recipe's if absent.
        scale: fixed resize of every image, metres unchanged; the recipe's if absent.
        zoom: least and greatest random enlargement, depth divided by it; the recipe's if absent.
        border: left, top, right, bottom of what is kept of an image, in pixels at 640x480; the
            recipe's if absent.
        precision: fp32, or bf16 or fp16 (on a GPU) for mixed precision.
        device: cpu, cuda or cuda:N.
        threads: CPU threads of the training step; PyTorch's choice if absent.
        workers: processes that decode and augment.
        max_minutes: stop after this time, leaving a checkpoint to resume from.
        checkpoint_minutes: a kill loses at most this much.
        validation_limit: images of held-out scenes to validate on after each epoch.
        validation_size: WIDTHxHEIGHT at which the network sees whole images of held-out scenes;
            the variant's size, scaled as training is, if absent.
        all_scenes: train on the scenes that are held out otherwise, too; then nothing can be chosen
            by their scores, and the last weights count as the best.
        fold: hold out this fifth of the scenes instead of the usual tenth, for cross-validation.
        skip_limit: so many images that cannot be read are skipped; one more stops the run.
        overfit: train and validate on so many images, evenly spread, whole and unchanged: shows
            that a network learns by its recipe. --data nyu:PATH=50 passes through them 50 times an
            epoch.
        seed: decides shuffling, augmentation and initial weights.
    """

    variant: str
    data: tuple[str, ...]
    output: Path
    resume: bool = False
    recipe: str | None = None
    weights: str | None = None
    initial: tuple[str, ...] = ()
    encoder_weights: str | None = None
    teacher: tuple[Path, ...] = ()
    teacher_weight: Annotated[float, real(0, 1, above=True)] = 0.5
    teacher_size: str | None = None
    teacher_normalise: str | None = None
    teacher_output: str | None = None
    feature_teacher: str | None = None
    feature_weight: Annotated[float, real(0, 1_000_000, above=True)] = 1.0
    epochs: Quantity | None = None
    batch: Quantity | None = None
    accumulation: Quantity | None = None
    learning_rate: Annotated[float, real(0, 100, above=True)] | None = None
    ema: Annotated[float, real(0, 1, above=True, below=True)] | None = None
    patience: Quantity | None = None
    crop: str | None = None
    scale: Factor | None = None
    zoom: tuple[Factor, Factor] | None = None
    border: tuple[Edge, Edge, Edge, Edge] | None = None
    precision: str = "fp32"
    device: str = "cpu"
    threads: Threads | None = None
    workers: Annotated[int, whole(0, 1024)] = 2
    max_minutes: Annotated[float, real(0, MANY, above=True)] | None = None
    checkpoint_minutes: Annotated[float, real(0, MANY)] = 5.0
    validation_limit: Quantity = 50
    validation_size: str | None = None
    all_scenes: bool = False
    fold: Annotated[int, whole(1, FOLDS)] | None = None
    skip_limit: Annotated[int, whole(0, MANY)] = 10
    overfit: Quantity | None = None
    seed: Seed = 0

    @property
    def splits(self) -> tuple[str, str]:
        """What is trained on, and what is held out of it; see :mod:`fastdepth.data.splits`."""
        if self.fold:
            return REST[self.fold - 1], HELD_OUT[self.fold - 1]
        return "all-train" if self.all_scenes else "train", "validation"

    @property
    def checkpoint(self) -> Path:
        """File to resume from."""
        return self.output / "last.safetensors"

    @property
    def best(self) -> Path:
        """Weights of the best validation."""
        return self.output / "best.safetensors"

    @property
    def log(self) -> Path:
        """JSONL log."""
        return self.output / "log.jsonl"

    def check(self) -> None:
        """Refuse what would fail late or lose an earlier run.

        Raises:
            UsageError, SizeError, UnknownNameError: an option that cannot work.
        """
        check_ranges(self)
        variant = get_variant(self.variant)
        recipe = self.changed_recipe()
        recipe.plan()
        variant.sizes.check(recipe.augmentation.crop, variant.name)
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        if self.precision == "fp16" and self.device == "cpu":
            raise UsageError("precision fp16 is for GPUs; use --precision bf16 on the CPU")
        variant.sizes.check(self.evaluated_size(), variant.name)
        begun = [n for n in ("weights", "initial", "encoder_weights") if getattr(self, n)]
        if len(begun) > 1:
            names = " and ".join(f"--{name.replace('_', '-')}" for name in begun)
            raise UsageError(f"{names} exclude each other; give one")
        if not self.data:
            raise UsageError("no training data; give --data nyu:PATH or --data rooms")
        self._check_teachers()
        if self.all_scenes and self.fold:
            raise UsageError("with --all-scenes no scene is held out; leave --fold out")
        if self.all_scenes and (self.overfit is not None or self.patience is not None):
            other = "patience" if self.overfit is None else "overfit"
            raise UsageError(f"with --all-scenes no scores choose anything; leave --{other} out")
        self.check_folder()

    def check_folder(self) -> None:
        """Refuse a folder that holds another run, or no run to continue, or what is read.

        Raises:
            UsageError: give another folder.
        """
        there = os.path.exists(self.checkpoint)  # noqa: PTH110 (no error, whatever the text)
        if there and not self.resume:
            raise UsageError(
                f"{self.output} holds a run; continue it with --resume or give another --output"
            )
        if self.resume and not there:
            raise UsageError(f"{self.checkpoint} does not exist; start without --resume")
        begun = () if self.resume else (self.weights, *self.initial, self.encoder_weights)
        for own in (self.checkpoint, self.best):
            check_no_input(own, (*begun, self.feature_teacher, *self.teacher))

    @contextmanager
    def alone(self, first: bool) -> Iterator[None]:
        """Within, no other run writes to the output folder; the ``first`` process sees to it.

        Raises:
            UsageError: one does, or has since this run was checked.
            OutputError: the folder cannot be written.
        """
        with locked(self.output) if first else nullcontext():
            if first:
                self.check_folder()
            yield

    def _check_teachers(self) -> None:
        """Refuse teachers that cannot work, and images that need one."""
        files = self.teachers()
        said = "teacher_weight", "teacher_size", "teacher_normalise", "teacher_output"
        check_needed(self, files, "--teacher FILE.onnx; add that", *said)
        other = self.feature_teacher
        check_needed(self, other, "--feature-teacher WEIGHTS; add that", "feature_weight")
        if len(files) > 1 and not files[0].in_metres:
            raise UsageError("disparities have no common scale to be averaged on; give one teacher")
        bare = [spec for spec in self.data if not has_depth(spec)]
        if bare and not files:
            raise UsageError(f"{bare[0]} has no depth; add --teacher FILE.onnx")
        if len(bare) == len(self.data):
            raise UsageError(
                f"{bare[0]} has no depth to validate with; add data that have: --data rooms:50"
            )

    def teachers(self) -> tuple[ThirdPartyFile, ...]:
        """The teachers' files, with what was said of them.

        Raises:
            UsageError: something was said that cannot be.
        """
        size = Size.parse(self.teacher_size) if self.teacher_size else None
        said = self.teacher_normalise or "", self.teacher_output or ""
        return tuple(ThirdPartyFile(path, size, *said, TEACHER_OPTIONS) for path in self.teacher)

    def changed_recipe(self) -> TrainingRecipe:
        """The recipe with this run's changes."""
        recipe = get_recipe(self.recipe or get_variant(self.variant).recipe)
        own = self._given("crop", "scale", "zoom", "border")
        if self.overfit is not None:
            if own:
                raise UsageError(f"--overfit shows whole images; leave --{next(iter(own))} out")
            recipe = replace(recipe, augmentation=Augmentation.whole(self.evaluated_size()))
        changes = self._given("epochs", "batch", "accumulation", "learning_rate", "ema", "patience")
        own.pop("crop", None)
        if self.crop is not None:
            own["crop"] = Size.parse(self.crop)
        augmentation = replace(recipe.augmentation, **own)
        low, high = augmentation.zoom
        if low > high:
            raise UsageError(f"zoom {low} {high} must be two numbers, the lesser first: 1 1.2")
        left, top, right, bottom = augmentation.border
        if not (left < right and top < bottom <= 480):
            raise UsageError(f"border {augmentation.border} leaves 640x480; write 10 10 630 470")
        return replace(recipe, augmentation=augmentation, **changes)

    def evaluated_size(self) -> Size:
        """Network input in validation: as asked, else the variant's size scaled as training is.

        Raises:
            UsageError: the size that was asked for is none.
        """
        variant = get_variant(self.variant)
        if self.validation_size is not None:
            return Size.parse(self.validation_size)
        if self.overfit is not None:
            return variant.size
        usual = get_recipe(variant.recipe).augmentation.scale
        factor = self.changed_recipe().augmentation.scale / usual
        return Size(round(variant.size.height * factor), round(variant.size.width * factor))

    def _given(self, *names: str) -> dict[str, Any]:
        """Those of these options that are not absent."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class TrainingSummary:
    """How a run ended.

    Attributes:
        steps: steps done, of ``total_steps``.
        total_steps: length of the whole run.
        images_per_second: images per second since this start, validation left out.
        monitor: figure that decides which validation was the best.
        best: its best value so far, of this stage; infinitely bad before the first validation.
        checkpoint: file to resume from.
        interrupted: whether a signal ended it.
    """

    steps: int
    total_steps: int
    images_per_second: float
    monitor: str
    best: float
    checkpoint: Path
    interrupted: bool

    @property
    def finished(self) -> bool:
        """Whether the whole run is done."""
        return self.steps >= self.total_steps
