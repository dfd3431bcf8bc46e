from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from fastdepth.data.sample import Sample
from fastdepth.errors import ImageError
from fastdepth.size import Size
from fastdepth.train.augment import _turn_camera, augment
from fastdepth.train.recipes import RECIPES, Augmentation

PLAIN = Augmentation(rotation=0, crop=Size(64, 96), flip=0, colour=0)


def sample(height=480, width=640):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows * 255 // height, columns * 255 // width, 0 * rows], axis=2)
    depth = 1 + 8 * columns / width  # the column is written in the image and in the depth
    return Sample(image.astype(np.uint8), depth.astype(np.float32), "a", "a")


def run(augmentation, seed=0, **size):
    return augment(sample(**size), augmentation, torch.Generator().manual_seed(seed))


def test_shapes_types_and_ranges():
    image, depth = run(Augmentation())
    assert image.shape == (3, 416, 544)
    assert depth.shape == (1, 416, 544)
    assert image.dtype == depth.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, {"height": 2000, "width": 1}),  # a stripe would become a million pixels high
        ({}, {"height": 1, "width": 640}),  # of which the border leaves no row
        ({}, {"height": 1, "width": 5000}),
        ({"scale": 100.0}, {}),
        ({"zoom": (1e30, 1e30)}, {}),
        ({"scale": 1e-9}, {}),
        ({"border": (0, 0, 1, 1), "scale": 0.01}, {}),
    ],
)
def test_what_cannot_be_brought_to_a_size_is_an_unreadable_image(changes, size):
    with pytest.raises(ImageError, match="would become .*; leave it out"):
        run(replace(PLAIN, **changes), **size)


@pytest.mark.parametrize("seed", range(5))
def test_image_and_depth_stay_on_top_of_each_other(seed):
    image, depth = run(replace(PLAIN, rotation=2.5, flip=0.5, crop=Size(416, 544)), seed)
    valid = depth[0] > 0
    difference = (depth[0] - (1 + 8 * image[1])).abs()[valid]  # a grey level is 3 cm
    assert difference.median() < 0.08  # the rest lies on the edge of the rotated image


def test_zoom_divides_metres():
    image, depth = run(replace(PLAIN, zoom=(2.0, 2.0)))
    at_the_same_place = 1 + 8 * image[1]
    torch.testing.assert_close(depth[0] * 2, at_the_same_place, atol=0.08, rtol=0)


def test_a_stretched_image_keeps_metres_and_shows_all_of_it():
    whole = {"border": (0, 0, 640, 480), "scale": 0.35, "crop": Size(224, 224)}
    image, depth = run(replace(PLAIN, stretch=4 / 3, **whole))
    torch.testing.assert_close(depth[0], 1 + 8 * image[1], atol=0.08, rtol=0)
    assert image[0, 0].max() < 0.01
    assert image[0, -1].min() > 0.98


def test_a_fixed_scale_keeps_metres():
    image, depth = run(replace(PLAIN, scale=0.75))
    torch.testing.assert_close(depth[0], 1 + 8 * image[1], atol=0.08, rtol=0)


def test_a_image_of_another_size_enters_as_the_training_camera_sees_it():
    small, _ = run(PLAIN, height=240, width=320)
    large, _ = run(PLAIN)
    torch.testing.assert_close(small, large, atol=0.02, rtol=0)


def test_the_border_never_enters():
    # NYU's white border would be at the first and last columns: depth 1 and 9 m.
    for seed in range(20):
        _, depth = run(replace(PLAIN, crop=Size(416, 544)), seed)
        assert depth.min() > 1 + 8 * 42 / 640
        assert depth.max() < 1 + 8 * 609 / 640


def test_one_seed_one_result():
    for left, right in zip(run(Augmentation(), 3), run(Augmentation(), 3), strict=True):
        assert torch.equal(left, right)
    assert not torch.equal(run(Augmentation(), 3)[0], run(Augmentation(), 4)[0])


def test_a_crop_larger_than_the_image_is_padded_without_depth():
    image, depth = run(replace(PLAIN, crop=Size(480, 640)))
    assert image.shape[1:] == (480, 640)
    assert (depth[0, 427:] == 0).all()


def test_recipes_of_the_seeds():
    light, paper, small = (RECIPES[f"adabins{s}"] for s in ("-light", "", "-light-75"))
    assert (light.epochs, light.batch, light.rates) == (10, 5, ())
    assert (paper.epochs, paper.batch, paper.rates) == (25, 16, (("encoder.", 0.1),))
    assert light.learning_rate == paper.learning_rate == 3.57e-4
    assert small.augmentation.crop == Size(312, 408)


def test_a_turned_camera_measures_the_turned_plane():
    # The plane n.X = 3 is the plane (R n).X = 3 for a camera turned by R.
    height, width, focal = 96, 128, 100.0
    x = (np.arange(width) - (width - 1) / 2) / focal
    y = ((np.arange(height) - (height - 1) / 2) / focal)[:, None]

    def plane(normal):
        return 3 / (normal[0] * x + normal[1] * y + normal[2])

    normal = np.array([-0.2, -0.1, 1.0])
    turn = np.array([0.05, -0.1, 0.07], np.float32)
    image = np.full((height, width, 3), 200, np.uint8)
    pixels, depth = _turn_camera(image, plane(normal).astype(np.float32), turn, focal)
    valid = depth > 0
    assert 0.7 < valid.mean() < 1
    rotation, _ = cv2.Rodrigues(turn.astype(np.float64))
    assert np.abs(depth - plane(rotation @ normal))[valid].max() < 0.01  # nearest neighbour
    assert (pixels[~valid] < 200).all()  # what came into view is dark


def test_strong_changes_stay_images_and_differ():
    strong = RECIPES["trunk-half"].augmentation
    images = [run(strong, seed) for seed in range(4)]
    for image, depth in images:
        assert image.shape == (3, 224, 288)
        assert image.min() >= 0
        assert image.max() <= 1
        assert depth.isfinite().all()
        assert (depth >= 0).all()
    assert not torch.equal(images[0][0], images[1][0])


def test_saturation_of_nothing_is_grey():
    grey, _ = run(replace(PLAIN, colour=1, saturation=(0.0, 0.0)))
    torch.testing.assert_close(grey[0], grey[2])
    assert grey.std() > 0.01


def test_noise_is_the_same_for_the_same_seed():
    noisy = replace(PLAIN, colour=1, noise=0.1, blur=2.0)
    assert torch.equal(run(noisy, 5)[0], run(noisy, 5)[0])


def test_a_strip_shows_its_depth_and_the_truth_stays():
    whole = replace(PLAIN, border=(0, 0, 640, 480), crop=Size(480, 640))
    plain, truth = run(whole)
    shares = []
    for seed in range(20):
        image, depth = run(replace(whole, cut_depth=1.0), seed)
        torch.testing.assert_close(depth, truth)
        cut = (image != plain).any(dim=0)
        assert torch.equal(cut.all(dim=0), cut.any(dim=0))  # from top to bottom
        torch.testing.assert_close(image[:, cut], depth[:, cut].expand(3, -1) / 10)
        shares.append(cut.float().mean().item())
    assert 0 < min(shares) < 0.1
    assert 0.3 < max(shares) <= 0.75


def test_strips_come_as_often_as_asked():
    changed = [
        not torch.equal(run(replace(PLAIN, cut_depth=share), seed)[0], run(PLAIN, seed)[0])
        for share in (0.0, 0.5)
        for seed in range(40)
    ]
    assert not any(changed[:40])
    assert 10 < sum(changed[40:]) < 30
