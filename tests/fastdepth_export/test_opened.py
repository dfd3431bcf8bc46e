"""An exported file answers with depth or an error, whatever its runtime says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import METADATA

from fastdepth.errors import ImageError, ModelFileError, UsageError
from fastdepth_export.opened import Opened


class Answering(Opened):
    """Opened files whose runtime answers to each image with its first red value, in metres."""

    def __init__(self, batch=None, threads=None, change=lambda depth: depth):
        super().__init__(Path("m.xml"), replace(METADATA, batch=batch), threads)
        self.change, self.counts = change, []

    def answer(self, batch):
        self.counts.append(len(batch))
        depth = np.empty((len(batch), 1, *batch.shape[1:3]), np.float32)
        depth[:] = batch[:, :1, :1, :1]
        return self.change(depth)


@pytest.fixture
def images():
    images = np.zeros((3, *METADATA.size, 3), np.uint8)
    images[:] = np.array([2, 3, 4]).reshape(3, 1, 1, 1)
    return images


@pytest.mark.parametrize(
    ("batch", "counts"), [(None, [3]), (1, [1, 1, 1]), (2, [2, 1])], ids=["any", "one", "two"]
)
def test_a_file_is_given_as_many_images_at_once_as_it_takes(batch, counts, images):
    model = Answering(batch)
    depth = model.infer(images)
    assert depth.shape == (3, 1, *METADATA.size)
    assert [float(each.mean()) for each in depth] == [2, 3, 4]
    assert model.counts == counts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda depth: depth[..., 1:], "m.xml answered float32 .*as its metadata say"),
        (lambda depth: depth.astype(np.float16), "m.xml answered float16 "),
        (lambda depth: depth * np.nan, "m.xml answered depth of nan to nan m"),
        (lambda depth: depth + 100, "m.xml answered depth of 102 to 104 m, but"),
        (lambda depth: depth - 100, "m.xml answered depth of -98 to -96 m, but"),
    ],
    ids=["size", "type", "NaN", "far", "negative"],
)
def test_what_is_no_depth_of_the_file_is_an_error_and_not_an_answer(change, message, images):
    model = Answering(change=change)
    with pytest.raises(ModelFileError, match=message):
        model.infer(images)
    np.testing.assert_array_equal(model.compute(images), change(Answering().compute(images)))


@pytest.mark.parametrize("batch", [[], [[1]], None, "depth"], ids=repr)
def test_a_batch_that_is_no_array_is_one_line(batch):
    with pytest.raises(ImageError, match="batch is a .*; this model takes uint8"):
        Answering().infer(batch)


@pytest.mark.parametrize("threads", [-1, 0, 100_000, 1.5])
def test_threads_that_no_cpu_has_do_not_reach_the_runtime(threads):
    with pytest.raises(UsageError, match="threads is .*; give"):
        Answering(threads=threads)
