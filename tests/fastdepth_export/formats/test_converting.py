"""What a converter raises is one line, and what an export says of itself was measured of it."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_onnx import METADATA

from fastdepth.errors import DataError, ImageError, ModelFileError, ParityError, UsageError
from fastdepth_export.formats.converting import Opened, converting, write_first, write_verified


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Lowering not found:\n aten.exotic"), "Lowering not found: aten.exotic"),
        (AssertionError(), "AssertionError"),
        (ValueError("x" * 1000), "x" * 200),
    ],
)
def test_what_a_converter_raises_is_one_line(error, reason):
    message = rf"^PNNX cannot convert tiny \({reason}\); nothing was written; use another format$"
    with pytest.raises(ParityError, match=message), converting("tiny", "PNNX"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        DataError("room.png is damaged; copy it again"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
        KeyboardInterrupt(),
    ],
    ids=["images to calibrate on", "disk", "memory", "Ctrl-C"],
)
def test_what_is_not_the_converters_stays_what_it_is(error):
    with pytest.raises(type(error)) as found, converting("tiny", "PNNX"):
        raise error
    assert found.value is error


def test_what_was_measured_is_written():
    written = []

    def opened():
        assert written == [METADATA]
        return SimpleNamespace(compute="depth")

    def verify(infer):
        assert infer == "depth"
        return {"parity": 0.25}

    expected = replace(METADATA, parity=0.25)
    assert write_verified(written.append, opened, METADATA, verify) == expected
    assert written == [METADATA, expected]


def refusing(*names):
    """What verifies files as if some of them had lost too much."""

    def verify(infer, *, force=True):
        if infer in names and not force:
            raise ParityError(f"{infer} loses too much")
        return {"parity": 0.25}

    return verify


@pytest.mark.parametrize(
    ("refused", "expected"),
    [([], "all"), (["all"], "most"), (["all", "most"], "some"), (["all", "most", "some"], "some")],
)
def test_the_first_that_is_not_refused_is_written_and_the_last_alone_is_forced(refused, expected):
    written = []
    writes = [lambda _, name=name: written.append(name) for name in ("all", "most", "some")]

    def opened():
        return SimpleNamespace(compute=written[-1])

    write_first(writes, opened, METADATA, refusing(*refused))
    assert written[-1] == expected


def test_where_all_are_refused_the_last_says_why():
    def verify(infer, **_):
        raise ParityError(f"{infer} loses too much")

    written = []
    writes = [lambda _, name=name: written.append(name) for name in ("all", "most")]
    with pytest.raises(ParityError, match="^most loses too much$"):
        write_first(writes, lambda: SimpleNamespace(compute=written[-1]), METADATA, verify)


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
