from __future__ import annotations

import numpy as np
import pytest

from fastdepth.errors import UsageError
from fastdepth.images.colour import INVALID_COLOUR, colourise
from fastdepth.images.contact_sheet import SheetRow, make_sheet

IMAGE = np.full((240, 320, 3), (10, 20, 200), np.uint8)
TRUTH = np.tile(np.linspace(1, 4, 320, dtype=np.float32), (240, 1))
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def share(sheet, colour):
    """Pixels of a colour, as a share of one image's."""
    return (sheet == colour).all(axis=2).sum() / (240 * 320)


def made(depth, truth=TRUTH):
    return make_sheet([SheetRow(IMAGE, truth, {"net": depth})])


def count(sheet, image):
    """How often an image is on the sheet, pixel for pixel."""
    height, width = image.shape[:2]
    corners = np.argwhere((sheet == image[0, 0]).all(axis=2))
    parts = (sheet[y : y + height, x : x + width] for y, x in corners)
    return sum(np.array_equal(part, image) for part in parts)


def test_the_image_is_on_the_sheet_as_it_is():
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
    smaller = SheetRow(IMAGE[:160], TRUTH[::2, ::2], {"net": np.ones((48, 64), np.float32)})
    sheet = make_sheet([SheetRow(IMAGE, TRUTH, {"net": TRUTH[::3, ::3]}), smaller])
    assert sheet.dtype == np.uint8
    assert 4 * 320 < sheet.shape[1] < 5 * 320
    assert make_sheet([smaller], width=80).shape[1] < 5 * 100


def test_networks_stand_side_by_side_on_one_scale():
    sheet = make_sheet([SheetRow(IMAGE, TRUTH, {"one": TRUTH, "other": TRUTH + 1})])
    assert count(sheet, colourise(TRUTH, 1, 4)) == 2
    assert count(sheet, colourise(TRUTH + 1, 1, 4)) == 1
    assert sheet.shape[1] > 6 * 320


def test_captions_stand_below():
    plain = made(TRUTH)
    row = SheetRow(IMAGE, TRUTH, {"net": TRUTH}, {"net": "d1 1.000"}, "room")
    sheet = make_sheet([row])
    below = len(sheet) - len(plain)
    assert below > 10
    np.testing.assert_array_equal(sheet[: -below - 8], plain[:-8])  # but for the margin
    assert (sheet[-below - 8 :] < 128).any()


@pytest.mark.parametrize(("rows", "width"), [([], 320), ([SheetRow(IMAGE, TRUTH, {})], 8)])
def test_nothing_to_see_is_refused(rows, width):
    with pytest.raises(UsageError, match="give 1 or more of 32 px"):
        make_sheet(rows, width)
