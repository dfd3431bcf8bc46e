"""Labelled sets that lead elsewhere, unpack without end or hold what is no depth."""

from __future__ import annotations

import os
import tracemalloc
import zlib

import numpy as np
import pytest
from pairs_on_disk import (
    COUNT,
    HEIGHT,
    WIDTH,
    letters,
    lie_on_each_other,
    mat_bytes,
    metres,
    write_scenes,
)

from fastdepth.data.nyu.dataset import open_nyu
from fastdepth.errors import DataError

h5py = pytest.importorskip("h5py")

IMAGES, DEPTHS = (COUNT, 3, WIDTH, HEIGHT), (COUNT, WIDTH, HEIGHT)


@pytest.fixture
def opened(tmp_path):
    """Opens a labelled set in which some datasets are written otherwise."""

    def open_mat(follow_outside=False, **changes):
        path = tmp_path / "a.mat"
        path.write_bytes(mat_bytes(**changes))
        return open_nyu(path, "test", follow_outside=follow_outside)

    return open_mat


def holding(content):
    return lambda file, name: file.__setitem__(name, content)


def made(*shape, **how):
    return lambda file, name: file.create_dataset(name, *shape, **how)


def changed(value, where=...):
    def write(file, name):
        content = metres()
        content[where] = value
        file[name] = content

    return write


def test_as_matlab_writes_it(opened):
    packed = made(
        data=metres(), chunks=(1, WIDTH, 5), compression="gzip", shuffle=True, fletcher32=True
    )
    for sample in opened(depths=packed):
        assert lie_on_each_other(sample.image, sample.depth)
    assert opened(depths=holding(metres().astype(">f8")))[0].depth.dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": lambda file, name: file.create_group(name)}, "images is no dataset"),
        ({"depths": holding(np.dtype("f4"))}, "depths is no dataset"),
        ({"images": holding(np.ones(IMAGES, np.float32))}, "has images of the type float32"),
        ({"depths": holding(np.ones(DEPTHS, np.complex64))}, "depths of the type complex64"),
        ({"depths": holding(np.ones(DEPTHS, np.int32))}, "depths of the type int32"),
        ({"depths": holding(np.full(DEPTHS, b"far"))}, r"depths of the type \|S3"),
        ({"depths": holding(np.ones(DEPTHS[1:], np.float32))}, r"depths \(32, 24\)"),
        ({"images": holding(h5py.Empty("u1"))}, "has images None"),
        ({"images": holding(np.ones((0, *IMAGES[1:]), np.uint8))}, r"has images \(0, 3"),
        ({"scenes": holding(np.ones((1, COUNT)))}, "scenes of the type float64"),
        ({"scenes": made((1, COUNT), h5py.ref_dtype)}, "scene 1 leads nowhere"),
        ({"scenes": made((1, COUNT), h5py.regionref_dtype)}, "scenes of the type object"),
        ({"depths": changed(-1)}, "image 1: no depth is -1 to -1 m"),
        ({"depths": changed(-0.5, (0, 3, 3))}, "image 1: no depth is -0.5 to 3 m"),
        ({"depths": changed(1e30, (0, 3, 3))}, r"image 1: no depth is 1 to 1e\+30 m"),
        ({"depths": changed(np.nan)}, "image 1: depth is 0 everywhere"),
        ({"depths": changed(-np.inf)}, "image 1: depth is 0 everywhere"),
    ],
)
def test_what_is_not_as_it_should_be(opened, changes, message):
    with pytest.raises(DataError, match=rf"a\.mat.*{message}"):
        opened(**changes)


@pytest.mark.parametrize(
    "content",
    [
        letters("x" * 300),
        letters("a\nb"),
        letters("\x1b[31m"),
        np.array([[0xD800]], np.uint16),  # half a character
        np.arange(9.0),
    ],
)
def test_scenes_that_are_no_names(opened, content):
    with pytest.raises(DataError, match=r"a\.mat"):
        opened(scenes=lambda file, name: write_scenes(file, name, content))


def test_references_to_what_is_no_text(opened):
    with pytest.raises(DataError, match="scene 1 is no dataset"):
        opened(scenes=lambda file, name: write_scenes(file, name, file.create_group("group")))


def test_single_pixels_without_depth_are_holes(opened):
    depth = opened(depths=changed(np.nan, (0, 3, 5)))[0].depth
    assert depth[5, 3] == 0 and (depth == 0).sum() == 1


def external(name):
    return lambda file, dataset: file.__setitem__(dataset, h5py.ExternalLink(name, "/" + dataset))


def virtual(name):
    def write(file, dataset):
        layout = h5py.VirtualLayout(IMAGES, "u1")
        layout[...] = h5py.VirtualSource(name, dataset, IMAGES)
        file.create_virtual_dataset(dataset, layout)

    return write


def test_other_files_are_read_if_asked_for(opened, tmp_path):
    other = tmp_path / "other.mat"
    other.write_bytes(mat_bytes())
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(range(256)) * (int(np.prod(IMAGES)) // 256))
    stored = made(IMAGES, "u1", external=[(str(raw), 0, int(np.prod(IMAGES)))])
    for write in (external(str(other)), virtual(str(other)), stored):
        with pytest.raises(DataError, match=r"images (is a link|lies in other files); .*outside"):
            opened(images=write)
        assert opened(images=write, follow_outside=True)[0].image.any()


def test_names_that_unpack_to_more_than_they_say(opened):
    def write(file, name):
        dataset = file.create_dataset("#refs#/a", (4, 1), "u2", chunks=(4, 1), compression="gzip")
        dataset.id.write_direct_chunk((0, 0), deflated_gigabyte())
        write_scenes(file, name, dataset)

    with pytest.raises(DataError, match="bytes are stored where some letters should be"):
        opened(scenes=write)


@pytest.mark.parametrize("target", ["/else", "/nowhere", "/images"])
def test_links_within_the_file_are_refused(opened, target):
    with pytest.raises(DataError, match="images is a link"):
        opened(images=holding(h5py.SoftLink(target)))


def test_a_pipe_is_never_opened(opened, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="images is a link"):
        opened(images=external(str(tmp_path / "pipe")))
    with pytest.raises(DataError, match="pipe is a named pipe"):
        open_nyu(tmp_path / "pipe", "test")


def deflated_gigabyte():
    """Zeros in a megabyte; of their end nothing is stored."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(10**6)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + 999 * (packer.compress(bytes(10**6)) + packer.flush(zlib.Z_FULL_FLUSH))


def bomb(file, name):
    """Chunks of a megabyte that unpack to a gigabyte."""
    dataset = file.create_dataset(name, DEPTHS, "f4", chunks=(1, *DEPTHS[1:]), compression="gzip")
    for number in range(COUNT):
        dataset.id.write_direct_chunk((number, 0, 0), deflated_gigabyte())


def test_what_unpacks_to_more_than_it_says_takes_no_memory(opened):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="image 1 is damaged: a chunk unpacks to more than"):
            opened(depths=bomb)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (made((COUNT, 3, 20_000, 20_000), "u1"), "images of 20000x20000 px"),
        (made(IMAGES, "u1", chunks=IMAGES, compression="lzf"), r"packed by the filters \[32000\]"),
        (made((COUNT, 3, 4096, 4096), "u1", chunks=(1, 1, 1, 1)), "chunks .*, too small"),
        (made((2000, 3, 500, 500), "u1", chunks=(2000, 3, 500, 500)), "chunks .*, too large"),
    ],
)
def test_sizes_are_bounded_before_anything_is_read(opened, images, message):
    depths = (COUNT, 20_000, 20_000) if "px" in message else DEPTHS
    with pytest.raises(DataError, match=message):
        opened(images=images, depths=made(depths, "f4"))
