"""Colours mean the same distance in every image, and labels are legible at every size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fastdepth.errors import ImageError, UsageError
from fastdepth.images.colour import INVALID_COLOUR, colourise, scale_bar, sheet


def lightness(image: np.ndarray) -> np.ndarray:
    """CIE L* of each pixel, 0 to 100."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]


def test_near_is_bright_and_far_is_dark_without_a_turn() -> None:
    light = lightness(colourise(np.geomspace(0.5, 10, 64)[np.newaxis]))[0]
    assert (np.diff(light) < 0).all()
    assert light[0] > 90
    assert light[-1] < 5


def test_equal_ratios_are_equal_steps_of_lightness() -> None:
    light = lightness(colourise(np.array([[0.625, 1.25, 2.5, 5.0]])))[0]
    steps = -np.diff(light)
    assert steps.max() < 1.4 * steps.min()


def test_a_colour_does_not_depend_on_the_rest_of_the_image() -> None:
    alone = colourise(np.array([[2.0]]))[0, 0]
    among = colourise(np.array([[2.0, 0.6, 9.0, np.nan]]))[0, 0]
    np.testing.assert_array_equal(alone, among)


def test_beyond_the_range_looks_like_its_ends() -> None:
    image = colourise(np.array([[0.1, 0.5, 10.0, 80.0]]))
    np.testing.assert_array_equal(image[0, 0], image[0, 1])
    np.testing.assert_array_equal(image[0, 3], image[0, 2])


@pytest.mark.parametrize("invalid", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_invalid_depth_has_a_colour_of_its_own(invalid: float) -> None:
    assert tuple(colourise(np.array([[1.0, invalid]], np.float32))[0, 1]) == INVALID_COLOUR
    whole_map = colourise(np.geomspace(0.5, 10, 2000)[np.newaxis]).astype(int)
    assert np.abs(whole_map - INVALID_COLOUR).sum(axis=-1).min() > 60


@pytest.mark.parametrize(("vmin", "vmax"), [(0, 10), (5, 5), (6, 5), (-1, 5), (1, np.inf)])
def test_impossible_ranges(vmin: float, vmax: float) -> None:
    with pytest.raises(UsageError, match="0 < vmin < vmax"):
        colourise(np.ones((2, 2)), vmin, vmax)
    with pytest.raises(UsageError, match="0 < vmin < vmax"):
        scale_bar(np.zeros((64, 64, 3), np.uint8), vmin, vmax)


def test_depth_must_be_a_map() -> None:
    with pytest.raises(UsageError, match=r"\(1, 4, 4\)"):
        colourise(np.ones((1, 4, 4)))


@pytest.mark.parametrize("size", [(16, 16), (120, 160), (480, 640), (1080, 1920), (16, 3000)])
def test_the_bar_stands_beside_the_image(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    labelled = scale_bar(image)
    np.testing.assert_array_equal(labelled[: size[0], : size[1]], image)
    margin = labelled[:, size[1] :]
    assert margin.shape[0] >= 44
    assert (margin[:, -1] == 255).all(), "the labels are cut off"
    assert 0.1 < (margin == 255).all(axis=-1).mean() < 0.9


def test_the_bar_has_the_colours_of_the_distances() -> None:
    margin = scale_bar(np.zeros((480, 640, 3), np.uint8))[:, 640:]
    rows = (margin[:, 20] != 255).any(axis=-1).nonzero()[0]
    middle = margin[(rows[0] + rows[-1]) // 2, 20].astype(int)
    expected = colourise(np.array([[np.sqrt(0.5 * 10)]]))[0, 0].astype(int)
    assert np.abs(middle - expected).max() <= 4


def test_larger_images_have_larger_labels_and_more_ticks() -> None:
    widths = [
        scale_bar(np.zeros((size, size, 3), np.uint8)).shape[1] - size for size in (64, 480, 1080)
    ]
    assert widths == sorted(set(widths))


def test_a_sheet_holds_every_column_whole() -> None:
    red = np.full((60, 80, 3), (255, 0, 0), np.uint8)
    blue = np.full((60, 80, 3), (0, 0, 255), np.uint8)
    page = sheet([red, scale_bar(blue)], ["a title that is much too long", "b"])
    assert (page == (255, 0, 0)).all(axis=-1).sum() == 60 * 80
    assert (page == (0, 0, 255)).all(axis=-1).sum() == 60 * 80
    strip = page[: page.shape[0] - 60]
    assert (strip < 100).any(), "no title is written"
    assert (strip[:, 80:83] == 255).all(), "the title runs into the next column"


def test_sheets_that_cannot_be() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    for columns, titles in ([], []), ([image], ["a", "b"]):
        with pytest.raises(UsageError, match="one title for each"):
            sheet(columns, titles)
    with pytest.raises(ImageError, match=r"give \(H, W, 3\) uint8"):
        sheet([image.astype(np.float32)], ["a"])
