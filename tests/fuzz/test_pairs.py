from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hostile import Family, damaged
from hypothesis import strategies as st
from pairs_on_disk import depth_of, encoded, image_of, lie_on_each_other, with_orientation

from fastdepth.data.nyu.dataset import open_nyu

SIDES = st.one_of(st.integers(1, 40), st.sampled_from((64, 100, 161, 240)))
SUFFIXES = (".jpg", ".png", ".tiff", ".bmp", ".webp")
TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)
DTYPES = ("uint8", "int16", "uint16", "float32", "three channels", "four channels")
FILLS = (None, 0, 1, 49, 50, 1000, 20_001, 65_535)


def depth_bytes(height, width, turn, fill, dtype):
    depth = depth_of(height, width)
    if fill is not None:
        depth[:] = fill
    if turn is not None:
        depth = cv2.rotate(depth, turn)
    if "channels" in dtype:
        return encoded(np.repeat(depth[..., None], 3 if dtype[0] == "t" else 4, 2))
    if dtype in ("int16", "float32"):
        return encoded(depth.astype(dtype), ".tiff")
    return encoded(depth.astype(dtype))


@st.composite
def pairs(draw):
    """Undamaged files that may not belong together; whether they may be taken for a pair."""
    height, width = draw(SIDES), draw(SIDES)
    rows, columns, turn, fill, dtype = height, width, None, None, "uint16"
    for fault in draw(st.lists(st.sampled_from(range(6)), max_size=2)):
        match fault:
            case 0:
                factor = draw(st.sampled_from((0.25, 0.5, 2 / 3, 2, 3)))
                rows, columns = (max(1, round(side * factor)) for side in (height, width))
            case 1:
                rows, columns = draw(SIDES), draw(SIDES)
            case 2:
                columns = max(1, columns - draw(st.integers(0, columns)))
            case 3:
                turn = draw(st.sampled_from(TURNS))
            case 4:
                fill = draw(st.sampled_from(FILLS))
            case 5:
                dtype = draw(st.sampled_from(DTYPES))
    suffix = draw(st.sampled_from(SUFFIXES))
    image = encoded(image_of(height, width), suffix)
    if suffix == ".jpg":
        image = with_orientation(image, draw(st.integers(0, 9)))
    turned = (columns, rows) if turn is not None else (rows, columns)
    alike = abs(turned[0] / height - turned[1] / width) < 2 * max(1 / height, 1 / width)
    square = turn is not None and alike  # what is as high as wide can be turned unseen
    facts = {"alike": bool(alike), "unseen": bool(square or fill is not None)}
    return joined(image, depth_bytes(rows, columns, turn, fill, dtype), facts)


def joined(image, depth, facts):
    head = json.dumps({"image": len(image), **facts}).encode()
    return head + b"\n" + image + depth


JPEG = with_orientation(encoded(image_of(48, 64), ".jpg"), 6)
DEPTH = depth_bytes(48, 64, None, None, "uint16")
DAMAGED = {"alike": True, "unseen": True}
FAMILY = Family(
    "pairs",
    st.one_of(
        pairs(),
        pairs(),
        damaged([JPEG]).map(lambda image: joined(image, DEPTH, DAMAGED)),
        damaged([DEPTH]).map(lambda depth: joined(JPEG, depth, DAMAGED)),
    ),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    head, _, files = data.partition(b"\n")
    facts = json.loads(head)
    (folder / "a.jpg").write_bytes(files[: facts["image"]])
    (folder / "a.png").write_bytes(files[facts["image"] :])
    (folder / "test.txt").write_text("a.jpg a.png 519\n")
    sample = open_nyu(folder, "test")[0]
    assert sample.image.dtype == np.uint8 and sample.depth.dtype == np.float32
    assert np.isfinite(sample.depth).all() and sample.depth.min() >= 0
    assert min(sample.depth.shape) > 1 and sample.depth.max() > 0
    assert facts["alike"]
    assert facts["unseen"] or lie_on_each_other(sample.image, sample.depth)


@pytest.mark.thorough
def test_pairs(try_to_break):
    try_to_break(FAMILY)
