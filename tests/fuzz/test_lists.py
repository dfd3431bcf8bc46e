from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice

import cv2
import numpy as np
import pytest
from hostile import HOSTILE_TEXT, Family, damaged
from hypothesis import strategies as st

from fastdepth.errors import ImageError
from fastdepth.images.collection import open_images

PNG = cv2.imencode(".png", np.full((16, 16, 3), 7, np.uint8))[1].tobytes()
NAMES = ["a.png", "b c.png", "sub/\u00fc.png", "#.png"]
ENCODINGS = "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"
OUTSIDE = ["/", "..", "sub/../..", "../..", "/proc", "//", "../secret.png", "sub/..", "."]
ENDS = "\n", "\r\n", "\r", "\n\n", ",", ";", "\t", "\0\n", "\u2028"
GOOD = ["\n".join(NAMES).encode(encoding) for encoding in ENCODINGS]


@st.composite
def lists(draw):
    """Lines of good, hostile and escaping paths, in all encodings and with all separators."""
    texts = st.one_of(st.sampled_from([*NAMES, *OUTSIDE]), HOSTILE_TEXT, st.text(max_size=20))
    text = draw(st.sampled_from(ENDS)).join(draw(st.lists(texts, max_size=8)))
    return text.encode(draw(st.sampled_from(ENCODINGS)), "replace")


def read(data, folder):
    (folder / "sub").mkdir()
    for name in NAMES:
        (folder / name).write_bytes(PNG)
    (folder / "list.txt").write_bytes(data)
    (folder.parent / "secret.png").write_bytes(PNG)
    for image in islice(open_images(folder / "list.txt"), 200):
        assert image.name and image.stem
        with suppress(ImageError):
            assert image.read().shape == (16, 16, 3)
            assert os.path.normpath(image.path).startswith(f"{folder}/")


def read_all(data, folder):
    """A list that some program writes is read as it was meant."""
    (folder / "sub").mkdir()
    for name in NAMES:
        (folder / name).write_bytes(PNG)
    (folder / "list.txt").write_bytes(data)
    found = [image.read().shape for image in open_images(folder / "list.txt")]
    assert found == [(16, 16, 3)] * len(NAMES)


@pytest.mark.thorough
def test_lists(try_to_break):
    try_to_break(Family("lists", st.one_of(damaged(GOOD), lists()), read))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " \n\n"])
def test_lists_as_programs_write_them(tmp_path, encoding, end):
    read_all(end.join(NAMES).encode(encoding), tmp_path)
