from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastdepth.errors import DataError, ImageError, ModelFileError
from fastdepth.images.skipping import Skipped


def test_what_cannot_be_used_is_named_counted_and_left_out(capsys):
    skipped, used = Skipped("fastdepth-some"), []
    for name, error in (
        ("a.png", ImageError("a.png is\ndamaged")),
        ("b.png", None),
        ("c.png", DataError("row 9 is outside of c.png")),
        ("d.png", MemoryError()),
    ):
        with skipped.unusable(name):
            if error:
                raise error
            used.append(name)
    assert (skipped.count, used) == (3, ["b.png"])
    assert capsys.readouterr().err.splitlines() == [
        "fastdepth-some: a.png is damaged",
        "fastdepth-some: row 9 is outside of c.png",
        "fastdepth-some: d.png: it does not fit into memory beside its depth; make it smaller",
    ]


def test_what_opencv_cannot_do_is_told_in_its_words(capsys):
    skipped = Skipped("fastdepth-some")
    with skipped.unusable("a.png"):
        cv2.resize(np.zeros((2, 2), np.uint8), (0, 0))
    line = capsys.readouterr().err
    assert skipped.count == 1 and line.startswith("fastdepth-some: a.png: ")
    assert line.endswith("; make it smaller\n")


def test_what_is_wrong_with_all_images_is_raised(capsys):
    skipped = Skipped("fastdepth-some")
    with pytest.raises(ModelFileError), skipped.unusable("a.png"):
        raise ModelFileError("m.onnx answered NaN")
    assert (skipped.count, capsys.readouterr().err) == (0, "")
