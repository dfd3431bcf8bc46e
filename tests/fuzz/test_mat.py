from __future__ import annotations

import zlib

import numpy as np
import pytest
from hostile import Family, damaged
from hypothesis import strategies as st
from pairs_on_disk import COUNT, HEIGHT, WIDTH, letters, mat_bytes, metres, write_scenes

from fastdepth.data.nyu.dataset import open_nyu

h5py = pytest.importorskip("h5py")

SHAPES = {"images": (COUNT, 3, WIDTH, HEIGHT), "depths": (COUNT, WIDTH, HEIGHT)}
DTYPES = ("u1", "i1", ">u2", "i4", "u8", "f2", "f4", ">f4", "f8", "c8", "c16", "S4", "bool")
DTYPES += (("f4", (2,)), [("r", "f4"), ("i", "f4")], "V3", h5py.string_dtype(), h5py.ref_dtype)
DTYPES += (h5py.regionref_dtype, h5py.vlen_dtype("f4"), h5py.enum_dtype({"A": 1}))
VALUES = (0, 1, -1, 2, 90, 1e-6, 1e5, 1e30, -1e30, float("nan"), float("inf"), -float("inf"))
FAR = 2**13


def typed(dtype, shape):
    return lambda file, name: file.create_dataset(
        name, shape or SHAPES.get(name, (1, COUNT)), dtype
    )


def filled(value, whole):
    def write(file, name):
        content = metres()
        content[slice(None) if whole else (0, 0, 0)] = value
        file[name] = content

    return write


def packed(options):
    def write(file, name):
        content = metres() if name == "depths" else np.ones(SHAPES[name], np.uint8)
        file.create_dataset(name, data=content, chunks=(2, *content.shape[1:]), **options)

    return write


def zeros(size):
    """About so many bytes of zeros, deflated: one block again and again, and no end."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(10**6)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(10**6)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (size // 10**6 - 1)


def bomb(size):
    """Chunks that unpack to ``size`` bytes whatever they should have."""

    def write(file, name):
        dtype, shape = ("f4" if name == "depths" else "u1"), SHAPES.get(name, (1, COUNT))
        chunks = (1, *shape[1:])
        dataset = file.create_dataset(name, shape, dtype, chunks=chunks, compression="gzip")
        dataset.id.write_direct_chunk((0,) * len(shape), zeros(size))

    return write


def huge(chunks):
    def write(file, name):
        shape = {"images": (COUNT, 3, FAR, FAR), "depths": (COUNT, FAR, FAR)}.get(name, (1, COUNT))
        dtype = {"images": "u1", "depths": "f4"}.get(name, "u1")
        file.create_dataset(name, shape, dtype, chunks=shape if chunks else None, fillvalue=1)

    return write


def elsewhere(kind):
    def write(file, name):
        shape, dtype = SHAPES.get(name, (1, COUNT)), "f4" if name == "depths" else "u1"
        if kind == "soft":
            file[f"else {name}"] = np.zeros(shape, dtype)
            file[name] = h5py.SoftLink(f"/else {name}")
        elif kind == "external link":
            file[name] = h5py.ExternalLink("/dev/zero", "/images")
        elif kind == "storage":
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            file.create_dataset(name, shape, dtype, external=[("/dev/zero", 0, size)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource("/dev/zero", "images", shape)
            file.create_virtual_dataset(name, layout, 1)
        else:
            file[name] = h5py.SoftLink("/nowhere" if kind == "dangling" else f"/{name}")

    return write


def scene(text):
    return lambda file, name: write_scenes(file, name, text)


def null_references(file, name):
    file.create_dataset(name, (1, COUNT), h5py.ref_dtype)


def references_to_group(file, name):
    write_scenes(file, name, file.create_group(f"group {name}"))


KINDS = ("soft", "external link", "storage", "virtual", "dangling", "circle")
FILTERS = ({"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True}, {"fletcher32": True})
FILTERS += ({"compression": "gzip", "shuffle": True, "fletcher32": True}, {"scaleoffset": 2})
TEXTS = (letters("a" * 5000), letters("a\nb"), letters("\x1b[31m"), letters(""), np.arange(9.0))
TEXTS += (np.array([[0xD800]], np.uint16), np.zeros((2, 2), np.uint16), letters("café"))
SHAPE = st.lists(st.integers(0, 5), max_size=5).map(tuple)
ODD = st.one_of(
    st.none(),
    st.builds(typed, st.sampled_from(DTYPES), st.one_of(st.none(), SHAPE)),
    st.sampled_from(KINDS).map(elsewhere),
    st.just(lambda file, name: file.create_group(name)),
    st.just(lambda file, name: file.__setitem__(name, h5py.Empty("f4"))),
    st.just(lambda file, name: file.__setitem__(name, np.dtype("f8"))),
    st.sampled_from((10**6, 6 * 10**8)).map(bomb),
    st.booleans().map(huge),
)
PIXELS = st.one_of(ODD, st.sampled_from(FILTERS).map(packed))
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "images": PIXELS,
        "depths": st.one_of(PIXELS, st.builds(filled, st.sampled_from(VALUES), st.booleans())),
        "scenes": st.one_of(
            ODD,
            st.sampled_from(TEXTS).map(scene),
            st.just(null_references),
            st.just(references_to_group),
        ),
    },
)
FAMILY = Family(
    "mat",
    st.one_of(
        damaged([mat_bytes(), mat_bytes(depths=packed(FILTERS[4]))], most=8),
        CHANGES.map(lambda changes: mat_bytes(**changes)),
    ),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    path = folder / "a.mat"
    path.write_bytes(data)
    for split in ("test", "all-train"):
        source = open_nyu(path, split, look=False)
        for sample in source:
            assert sample.image.dtype == np.uint8 and sample.depth.dtype == np.float32
            assert sample.image.shape == (*sample.depth.shape, 3)
            assert np.isfinite(sample.depth).all() and sample.depth.min() >= 0
            assert 0.05 < sample.depth.max() < 66
            assert sample.scene.isprintable() and sample.scene


@pytest.mark.thorough
def test_mat(try_to_break):
    try_to_break(FAMILY)
