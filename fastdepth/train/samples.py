"""Feed augmented batches to the training loop, the same ones after any restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fastdepth.data import Source, open_source
from fastdepth.errors import UsageError
from fastdepth.train.augment import augment
from fastdepth.train.recipes import Augmentation

Key = tuple[int, int, int]
"""Epoch, source and index: all that decides what a training sample looks like."""


@dataclass(frozen=True)
class WeightedSource:
    """A source, and how often an epoch passes through it.

    A share of .5 takes another random half in every epoch; 3 takes everything three times.
    """

    source: Source
    passes: float = 1.0


def parse_sources(specs: Sequence[str], split: str) -> list[WeightedSource]:
    """Open ``nyu:PATH``, ``rooms:500=0.5`` and the like.

    Raises:
        UsageError: a number of passes that is not positive.
        UnknownNameError, DataError: see :func:`fastdepth.data.open_source`.
    """
    parts = [split_weight(spec) for spec in specs]
    return [WeightedSource(open_source(name, split), passes) for name, passes in parts]


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
    """Batches of keys from a given step on; shuffled per epoch by the seed alone."""

    def __init__(
        self, sources: Sequence[WeightedSource], batch: int, epochs: int, seed: int
    ) -> None:
        self.sources, self.batch, self.seed, self.start = sources, batch, seed, 0
        self.lengths = [round(len(entry.source) * entry.passes) for entry in sources]
        self.steps_per_epoch = sum(self.lengths) // batch  # whole batches only
        self.total_steps = epochs * self.steps_per_epoch
        if not self.steps_per_epoch:
            raise UsageError(f"{sum(self.lengths)} samples do not fill a batch of {batch}")

    def epoch_keys(self, epoch: int) -> list[Key]:
        """All keys of an epoch in their order."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        keys = []
        for number, (entry, length) in enumerate(zip(self.sources, self.lengths, strict=True)):
            size = len(entry.source)
            order = [
                index
                for _ in range(-(-length // size))
                for index in torch.randperm(size, generator=generator).tolist()
            ]
            keys += [(epoch, number, index) for index in order[:length]]
        return [keys[i] for i in torch.randperm(len(keys), generator=generator).tolist()]

    def __iter__(self) -> Iterator[list[Key]]:
        first, within = divmod(self.start, self.steps_per_epoch)
        for epoch in range(first, self.total_steps // self.steps_per_epoch):
            keys = self.epoch_keys(epoch)
            for batch in range(within, self.steps_per_epoch):
                yield keys[batch * self.batch : (batch + 1) * self.batch]
            within = 0

    def __len__(self) -> int:
        return self.total_steps - self.start


class AugmentedSamples(Dataset[tuple[Tensor, Tensor]]):
    """Samples by key; the same key gives the same tensors in any process."""

    def __init__(
        self, sources: Sequence[WeightedSource], augmentation: Augmentation, seed: int
    ) -> None:
        self.sources, self.augmentation, self.seed = sources, augmentation, seed

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        epoch, number, index = key
        mixed = ((self.seed * 1_000_003 + epoch) * 1_009 + number) * 1_000_003 + index
        generator = torch.Generator().manual_seed(mixed % 2**63)
        return augment(self.sources[number].source[index], self.augmentation, generator)


def make_loader(
    sampler: EpochSampler, augmentation: Augmentation, seed: int, workers: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """A loader of (B, 3, H, W) pictures in [0, 1] and (B, 1, H, W) depths [m]."""
    return DataLoader(
        AugmentedSamples(sampler.sources, augmentation, seed),
        batch_sampler=sampler,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # forked OpenCV threads can hang
        worker_init_fn=_use_one_thread,
        generator=torch.Generator(),  # the global one must not move: dropout reads it
        persistent_workers=False,
        prefetch_factor=4 if workers else None,
    )


def _use_one_thread(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
