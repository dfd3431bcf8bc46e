from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
import torch

from fastdepth.errors import ImageError, UnknownNameError, UsageError
from fastdepth.size import Size
from fastdepth.train.loader import (
    AugmentedSamples,
    EpochSampler,
    WeightedSource,
    error_list,
    join_batches,
    make_loader,
    parse_sources,
    split_weight,
)
from fastdepth.train.recipes import Augmentation

SMALL = Augmentation(crop=Size(96, 128))


def test_weights_of_sources():
    assert split_weight("nyu:PATH=3") == ("nyu:PATH", 3)
    assert split_weight("rooms") == ("rooms", 1)
    assert split_weight("nyu:a=b/c") == ("nyu:a=b/c", 1)
    with pytest.raises(UsageError, match="must be positive"):
        split_weight("rooms=0")


def test_an_unknown_source_is_named():
    with pytest.raises(UnknownNameError, match="unknown data source"):
        parse_sources(["kitti:x"], "train")


def test_every_sample_comes_once_per_pass(folder):
    sampler = EpochSampler(parse_sources([f"nyu:{folder}=2"], "train"), 1, 1, 0)
    count = len(sampler.sources[0].source)
    indices = sorted(index for _, _, index in sampler.epoch_keys(0))
    assert indices == list(range(2 * count))  # another number each time: another augmentation
    assert sampler.epoch_keys(0) != sampler.epoch_keys(1)


def test_a_part_of_a_source_is_another_part_in_every_epoch():
    sampler = EpochSampler(parse_sources(["rooms:1000=0.01"], "train"), 2, 3, 0)
    assert sampler.steps_per_epoch == 5
    first, second = ({i for _, _, i in sampler.epoch_keys(epoch)} for epoch in (0, 1))
    assert len(first) == 10
    assert first != second


def test_the_batches_after_a_restart_are_those_that_were_to_come(folder):
    sampler = EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 3, 3, 0)
    whole = list(sampler)
    assert len(whole) == sampler.total_steps
    for start in (1, sampler.steps_per_epoch, sampler.total_steps - 1):
        sampler.start = start
        assert list(sampler) == whole[start:]
        assert len(sampler) == len(whole) - start


@pytest.mark.thorough
def test_workers_give_the_same_batches_as_none(folder):
    sampler = EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 4, 1, 0)
    alone = list(make_loader(sampler, SMALL, 0, workers=0))
    helped = list(make_loader(sampler, SMALL, 0, workers=1))
    assert len(alone) == len(helped) == sampler.total_steps
    for left, right in zip(alone, helped, strict=True):
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])
        assert left.names == right.names


@pytest.mark.thorough
@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals to a group")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_outlive_the_signal_that_ends_a_run(folder, number):
    """A terminal and ``timeout`` send it to all processes; the trainer decides when to stop."""
    sampler = EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 4, 30, 0)
    before = set(multiprocessing.active_children())
    batches = iter(make_loader(sampler, SMALL, 0, workers=1))
    assert next(batches).names
    (worker,) = set(multiprocessing.active_children()) - before
    os.kill(worker.pid, number)
    assert len(list(batches)) == sampler.total_steps - 1
    del batches
    worker.join(10)
    assert worker.exitcode == 0


def test_batches_for_a_gpu_lie_in_page_locked_memory(folder, monkeypatch):
    """Copies that are not waited for need it; a stand-in locks the pages here."""
    locked = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.accelerator, "current_accelerator", lambda *_: torch.device("cuda"), raising=False
    )
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda t, *_: locked.append(t.shape) or t)
    sampler = EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 4, 1, 0)
    for pinned in (False, True):
        batch = next(iter(make_loader(sampler, SMALL, 0, 0, pinned=pinned)))
        assert locked == ([batch.image.shape, batch.depth.shape] if pinned else [])
        assert batch.names


def test_too_few_samples_for_a_batch(folder):
    with pytest.raises(UsageError, match="do not fill a batch of 99"):
        EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 99, 1, 0)


def test_steps_that_take_several_batches(folder):
    sources = parse_sources([f"nyu:{folder}"], "train")
    whole = list(EpochSampler(sources, 3, 2, 0))
    sampler = EpochSampler(sources, 3, 2, 0, accumulation=4)
    assert sampler.steps_per_epoch == -(-sampler.batches_per_epoch // 4)
    assert sampler.batches_per_epoch % 4  # the last step of an epoch takes what is left
    taken = [sampler.batches_in(step) for step in range(sampler.total_steps)]
    assert sum(taken) == len(whole) == len(sampler)
    assert taken[sampler.steps_per_epoch - 1] == sampler.batches_per_epoch % 4
    for start in range(sampler.total_steps):
        sampler.start = start
        assert list(sampler) == whole[sum(taken[:start]) :]
        assert len(sampler) == sum(taken[start:])


class Damaged:
    """A source of which some samples cannot be read."""

    name = "damaged"

    def __init__(self, source, broken):
        self.source, self.broken, self.names = source, broken, source.names

    def __len__(self):
        return len(self.source)

    def __getitem__(self, index):
        if index in self.broken:
            raise ImageError(f"{index}.jpg is truncated")
        return self.source[index]


def test_what_cannot_be_read_is_replaced_by_the_next_good_one(folder):
    (entry,) = parse_sources([f"nyu:{folder}"], "train")
    names = entry.source.names
    samples = AugmentedSamples([WeightedSource(Damaged(entry.source, {1, 2}))], SMALL, 0)
    batch = samples[0, 0, 1]
    assert batch.names == [f"damaged:{names[3]}"]
    assert batch.unreadable == {
        f"damaged:{names[1]}": "1.jpg is truncated",
        f"damaged:{names[2]}": "2.jpg is truncated",
    }
    assert torch.equal(batch.image, samples[0, 0, 1].image)  # the same in every epoch's repetition
    everything = AugmentedSamples([WeightedSource(Damaged(entry.source, range(99)))], SMALL, 0)
    nothing = join_batches([everything[0, 0, 1], everything[0, 0, 2]])
    assert nothing.names == []
    assert nothing.image.shape == (0, 3, 96, 128)
    assert len(nothing.unreadable) == len(names)


def test_a_list_of_errors_is_one_line():
    assert error_list({"a:1": "gone", "a:2": "empty"}) == "a:1 (gone); a:2 (empty)"
    assert error_list(dict.fromkeys("abc", "x"), most=1) == "a (x); and 2 more"
