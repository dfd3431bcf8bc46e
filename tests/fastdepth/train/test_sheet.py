from __future__ import annotations

import numpy as np
import pytest

from fastdepth.colour import INVALID_COLOUR, colourise
from fastdepth.data import open_source
from fastdepth.errors import UsageError
from fastdepth.models import create_model
from fastdepth.size import Size
from fastdepth.train.sheet import make_sheet, write_sheets

PICTURE = np.full((240, 320, 3), (10, 20, 200), np.uint8)
TRUTH = np.tile(np.linspace(1, 4, 320, dtype=np.float32), (240, 1))
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def share(sheet, colour):
    """Pixels of a colour, as a share of one picture's."""
    return (sheet == colour).all(axis=2).sum() / (240 * 320)


def made(depth, truth=TRUTH):
    return make_sheet([PICTURE], [truth], [depth])


def count(sheet, picture):
    """How often a picture is on the sheet, pixel for pixel."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet == picture[0, 0]).all(axis=2))
    parts = (sheet[y : y + height, x : x + width] for y, x in corners)
    return sum(np.array_equal(part, picture) for part in parts)


def test_the_picture_is_on_the_sheet_as_it_is():
    assert share(made(TRUTH), (10, 20, 200)) == 1


def test_truth_and_prediction_have_one_scale():
    assert count(made(TRUTH), colourise(TRUTH, 1, 4)) == 2


def test_a_scale_is_that_of_the_truth_whatever_is_predicted():
    sheet = made(TRUTH + 1)
    assert count(sheet, colourise(TRUTH, 1, 4)) == count(sheet, colourise(TRUTH + 1, 1, 4)) == 1


def test_errors_grow_from_white_to_black():
    white = [share(made(TRUTH * factor), WHITE) for factor in (1, 1.1, 0.9, 1.25, 2)]
    assert white[0] > white[4] + 0.95
    assert max(white[1:4]) < white[4] + 0.05  # a tenth off is seen
    black = [share(made(TRUTH * factor), BLACK) for factor in (1, 1.5, 2, 0.5)]
    assert max(black[:2]) < 0.05
    assert min(black[2:]) > 0.95


def test_the_median_ratio_stands_above_the_error():
    assert (made(TRUTH) != made(TRUTH * 1.001)).any()


def test_holes_are_neutral_in_truth_and_error():
    truth = TRUTH.copy()
    truth[:120] = 0
    assert share(made(TRUTH, truth), INVALID_COLOUR) == 1  # a half of each


def test_a_prediction_of_nothing_is_wrong_and_not_hidden():
    for nothing in (np.nan, np.inf, 0, -1):
        depth = np.full_like(TRUTH, nothing)
        sheet = made(depth)
        assert share(sheet, INVALID_COLOUR) == 1  # the prediction
        assert share(sheet, BLACK) > 0.95  # its error


def test_a_truth_of_holes_alone_is_drawn():
    assert share(made(TRUTH, np.zeros_like(TRUTH)), INVALID_COLOUR) == 2


def test_sizes_may_differ():
    truths = [TRUTH, TRUTH[::2, ::2]]
    depths = [TRUTH[::3, ::3], np.ones((48, 64), np.float32)]
    sheet = make_sheet([PICTURE, PICTURE[:160]], truths, depths)
    assert sheet.dtype == np.uint8
    assert 4 * 320 < sheet.shape[1] < 5 * 320


def test_as_many_of_each():
    with pytest.raises(UsageError, match="1 pictures, 2 truths and 1 predictions; give as many"):
        make_sheet([PICTURE], [TRUTH, TRUTH], [TRUTH])
    with pytest.raises(UsageError, match="one at least"):
        make_sheet([], [], [])


def test_every_validation_shows_the_same_samples(tiny, folder, tmp_path):
    network, source = create_model("tiny").train(), open_source(f"nyu:{folder}", "train")
    asked = []

    class Watched:
        name, names = source.name, source.names

        def __len__(self):
            return len(source)

        def __getitem__(self, index):
            asked.append(index)
            return source[index]

    sheets = [write_sheets(network, Watched(), Size(96, 128), tmp_path, e) for e in (1, 2)]
    assert asked[:4] == asked[4:]
    assert asked[0] == 0 and asked[3] == len(source) - 1
    np.testing.assert_array_equal(*sheets)
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["0001.png", "0002.png"]
    assert (tmp_path / "sheet.png").read_bytes() == (tmp_path / "sheets/0002.png").read_bytes()
