"""Feed augmented batches to the training loop, the same ones after any restart."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import NamedTuple

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fastdepth.console import Stopwatch
from fastdepth.data import Source, has_depth, open_source
from fastdepth.errors import InputError, UsageError
from fastdepth.train.augment import augment
from fastdepth.train.options import TrainingRun
from fastdepth.train.recipes import Augmentation

Key = tuple[int, int, int]
"""Epoch, source, and index plus number of the pass times the source's length: all that decides what
a training sample looks like."""


MOST_REPLACED = 100  # unreadable samples in a row after which nothing good is to be expected


class Batch(NamedTuple):
    """Augmented samples.

    Attributes:
        image: (B, 3, H, W) float32 in [0, 1].
        depth: (B, 1, H, W) float32 [m], 0 where nothing was measured.
        names: ``source:sample`` of each.
        unreadable: what was wrong with samples that were replaced by the next good ones, by name.
        seconds: what it took to decode and augment them, one after the other [s].
    """

    image: Tensor
    depth: Tensor
    names: list[str]
    unreadable: dict[str, str]
    seconds: float = 0.0


@dataclass(frozen=True)
class WeightedSource:
    """A source, and how often an epoch passes through it.

    A share of .5 takes another random half in every epoch; 3 takes everything three times.
    """

    source: Source
    passes: float = 1.0


def parse_sources(
    specs: Sequence[str],
    split: str,
    limit: int | None = None,
    *,
    follow_outside: bool = False,
) -> list[WeightedSource]:
    """Open ``nyu:PATH``, ``rooms:500=0.5`` and the like; of each at most ``limit`` samples.

    Args:
        specs: sources, each with its passes per epoch.
        split, limit, follow_outside: see :func:`fastdepth.data.open_source`.

    Raises:
        UsageError: a number of passes that is not positive.
        UnknownNameError, DataError: see :func:`fastdepth.data.open_source`.
    """
    parts = [split_weight(spec) for spec in specs]
    return [
        WeightedSource(
            open_source(name, split, limit=limit, look=False, follow_outside=follow_outside), passes
        )
        for name, passes in parts
    ]


def open_validation(run: TrainingRun) -> Source:
    """What a run is validated on: held-out scenes of its first source that has depth.

    Raises:
        UnknownNameError, DataError: see :func:`fastdepth.data.open_source`.
    """
    first, _ = split_weight(next(filter(has_depth, run.data)))
    training, held_out = run.splits
    by_heart, outside = run.overfit is not None, run.follow_outside
    split, limit = (training, run.overfit) if by_heart else (held_out, run.validation_limit)
    return open_source(first, split, limit=limit, look=False, follow_outside=outside)


def split_weight(spec: str) -> tuple[str, float]:
    """Part ``nyu:PATH=3`` into ``nyu:PATH`` and 3 passes per epoch; without a number 1.

    Raises:
        UsageError: a number of passes that is not positive.
    """
    name, equals, number = spec.rpartition("=")
    try:
        passes = float(number) if equals else 1.0
    except ValueError:
        return spec, 1.0  # an equals sign that belongs to a path
    if not 0 < passes < 1000:
        raise UsageError(f"{spec!r}: passes per epoch must be positive, as in nyu:PATH=3")
    return (name, passes) if equals else (spec, 1.0)


class EpochSampler(Sampler[list[Key]]):
    """Batches of keys from a given step on; shuffled per epoch by the seed alone.

    A step takes ``accumulation`` batches, the last one of an epoch those that are left. Of every
    batch each process takes its share, so that the union is the batch of a single process.
    """

    def __init__(
        self,
        sources: Sequence[WeightedSource],
        batch: int,
        epochs: int,
        seed: int,
        *,
        accumulation: int = 1,
        processes: int = 1,
        rank: int = 0,
    ) -> None:
        self.sources, self.batch, self.seed, self.start = sources, batch, seed, 0
        self.accumulation, self._share = accumulation, slice(rank, None, processes)
        self.lengths = [round(len(entry.source) * entry.passes) for entry in sources]
        self.batches_per_epoch = sum(self.lengths) // batch  # whole batches only
        self.steps_per_epoch = -(-self.batches_per_epoch // accumulation)
        self.total_steps = epochs * self.steps_per_epoch
        if not self.steps_per_epoch:
            raise UsageError(f"{sum(self.lengths)} samples do not fill a batch of {batch}")

    def batches_in(self, step: int) -> int:
        """Number of batches that a step takes."""
        done = step % self.steps_per_epoch * self.accumulation
        return min(self.accumulation, self.batches_per_epoch - done)

    def epoch_keys(self, epoch: int) -> list[Key]:
        """All keys of an epoch in their order."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        keys = []
        for number, (entry, length) in enumerate(zip(self.sources, self.lengths, strict=True)):
            size = len(entry.source)
            order = [
                turn * size + index  # each pass by another number, so that it looks different
                for turn in range(-(-length // size))
                for index in torch.randperm(size, generator=generator).tolist()
            ]
            keys += [(epoch, number, index) for index in order[:length]]
        return [keys[i] for i in torch.randperm(len(keys), generator=generator).tolist()]

    def __iter__(self) -> Iterator[list[Key]]:
        first, within = divmod(self.start, self.steps_per_epoch)
        for epoch in range(first, self.total_steps // self.steps_per_epoch):
            keys = self.epoch_keys(epoch)
            for batch in range(within * self.accumulation, self.batches_per_epoch):
                yield keys[batch * self.batch : (batch + 1) * self.batch][self._share]
            within = 0

    def __len__(self) -> int:
        epochs, within = divmod(self.start, self.steps_per_epoch)
        whole = self.total_steps // self.steps_per_epoch * self.batches_per_epoch
        return whole - epochs * self.batches_per_epoch - within * self.accumulation


class AugmentedSamples(Dataset[Batch]):
    """Samples by key as batches of one; the same key gives the same tensors in any process."""

    def __init__(
        self, sources: Sequence[WeightedSource], augmentation: Augmentation, seed: int
    ) -> None:
        self.sources, self.augmentation, self.seed = sources, augmentation, seed

    def __getitem__(self, key: Key) -> Batch:
        watch = Stopwatch()
        epoch, number, index = key
        mixed = ((self.seed * 1_000_003 + epoch) * 1_009 + number) * 1_000_003 + index
        generator = torch.Generator().manual_seed(mixed % 2**63)
        source = self.sources[number].source
        unreadable: dict[str, str] = {}
        for turn in range(min(MOST_REPLACED, len(source))):
            place = (index + turn) % len(source)
            name = sample_name(source, place)
            try:
                image, depth = augment(source[place], self.augmentation, generator)
            except InputError as error:
                unreadable[name] = str(error)
                continue
            return Batch(image[None], depth[None], [name], unreadable, watch.seconds)
        crop = self.augmentation.crop
        return Batch(torch.empty(0, 3, *crop), torch.empty(0, 1, *crop), [], unreadable)


def sample_name(source: Source, index: int) -> str:
    """``source:sample``, as messages name it."""
    return f"{source.name}:{source.names[index]}"


def error_list(unreadable: Mapping[str, str], most: int = 10) -> str:
    """What is wrong with the first of so many samples, in one line."""
    listed = [f"{name} ({error})" for name, error in list(unreadable.items())[:most]]
    left = len(unreadable) - len(listed)
    return "; ".join(listed) + (f"; and {left} more" if left else "")


def join_batches(parts: Sequence[Batch]) -> Batch:
    """One batch of several."""
    return Batch(
        torch.cat([part.image for part in parts]),
        torch.cat([part.depth for part in parts]),
        [name for part in parts for name in part.names],
        {name: error for part in parts for name, error in part.unreadable.items()},
        sum(part.seconds for part in parts),
    )


def make_loader(
    sampler: EpochSampler,
    augmentation: Augmentation,
    seed: int,
    workers: int,
    *,
    pinned: bool = False,
) -> DataLoader[Batch]:
    """A loader of batches.

    Args:
        sampler: which samples make each batch.
        augmentation: of them.
        seed: of the augmentation.
        workers: processes that make batches; 0 makes them here.
        pinned: in page-locked memory, from which copies to a GPU need not be waited for.
    """
    return DataLoader(
        AugmentedSamples(sampler.sources, augmentation, seed),
        batch_sampler=sampler,
        collate_fn=join_batches,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # forked OpenCV threads can hang
        worker_init_fn=_begin_worker,
        generator=torch.Generator(),  # the global one must not move: dropout reads it
        prefetch_factor=4 if workers else None,
        pin_memory=pinned,
    )


def _begin_worker(_: int) -> None:
    """Use one thread, and leave it to the trainer to stop.

    A terminal, ``timeout`` or systemd send their signal to the workers, too, without whom the
    trainer's last step would lack its images.
    """
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _outlive)


def _outlive(number: int, _: FrameType | None) -> None:
    """Outlive the first; a second one is of somebody who waits for the end."""
    signal.signal(number, signal.SIG_DFL)
