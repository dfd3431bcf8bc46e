from __future__ import annotations

import pytest
import torch

from fastdepth.errors import UnknownNameError, UsageError
from fastdepth.size import Size
from fastdepth.train.recipes import Augmentation
from fastdepth.train.samples import EpochSampler, make_loader, parse_sources, split_weight

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
    assert indices == sorted(list(range(count)) * 2)
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


def test_workers_give_the_same_batches_as_none(folder):
    sampler = EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 4, 1, 0)
    alone = list(make_loader(sampler, SMALL, 0, workers=0))
    helped = list(make_loader(sampler, SMALL, 0, workers=1))
    assert len(alone) == len(helped) == sampler.total_steps
    for left, right in zip(alone, helped, strict=True):
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])


def test_too_few_samples_for_a_batch(folder):
    with pytest.raises(UsageError, match="do not fill a batch of 99"):
        EpochSampler(parse_sources([f"nyu:{folder}"], "train"), 99, 1, 0)
