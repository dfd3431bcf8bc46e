"""Metrics against arithmetic done by hand, and what must hold for any depth map."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdepth.errors import DataError, UnknownNameError, UsageError
from fastdepth.metrics import (
    ALIGNMENTS,
    METRICS,
    PROTOCOLS,
    Evaluation,
    Metric,
    Scores,
    align_image,
    evaluate_image,
    evaluation,
    get_protocol,
)

EIGEN, DENSEDEPTH, FASTDEPTH = (PROTOCOLS[name] for name in ("eigen", "densedepth", "fastdepth"))
NYU = Path(__file__).parents[4] / "shared" / "nyu"


def scored(prediction: np.ndarray, truth: np.ndarray, name: str = "eigen") -> Scores:
    """The scores of an image that has valid pixels."""
    scores = evaluate_image(prediction, truth, PROTOCOLS[name])
    assert scores is not None
    return scores


def halves(left: float, right: float) -> np.ndarray:
    """A map with two depths; either fills 280 of the 560 columns of the Eigen crop."""
    depth = np.full((480, 640), float(left))
    depth[:, 321:] = right
    return depth


def maps(seed: int, nearest: float = 0.5, farthest: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """A random prediction and truth (48, 64) [m]."""
    rng = np.random.default_rng(seed)
    prediction, truth = rng.uniform(nearest, farthest, (2, 48, 64))
    return prediction, truth


def test_every_metric_by_hand() -> None:
    # Half of the pixels: p = 2, g = 1. The other half: p = 4, g = 4.
    s = scored(halves(2, 4), halves(1, 4))
    assert s.d1 == s.d2 == s.d3 == 0.5  # ratio 2 is over 1.25^3 = 1.953
    assert s.abs_rel == pytest.approx(0.5)  # (|2-1|/1 + 0) / 2
    assert s.sq_rel == pytest.approx(0.5)  # ((2-1)^2/1 + 0) / 2
    assert s.mae == pytest.approx(0.5)  # (1 + 0) / 2
    assert s.mse == pytest.approx(0.5)  # (1 + 0) / 2
    assert s.rmse == pytest.approx(0.70710678)  # sqrt(0.5)
    assert s.rmse_log == pytest.approx(0.49012907)  # sqrt(ln(2)^2 / 2) = 0.69314718 / 1.41421356
    assert s.log10 == pytest.approx(0.15051500)  # log10(2) / 2 = 0.30103 / 2
    assert s.silog == pytest.approx(34.657359)  # 100 sqrt(0.24022651 - 0.34657359^2) = 100 ln(2)/2
    assert (s.pixels, s.nonfinite) == (426 * 560, 0)


@pytest.mark.parametrize(
    ("ratio", "hits"),
    [(1.24, (1, 1, 1)), (1.25, (0, 1, 1)), (1.5, (0, 1, 1)), (1.6, (0, 0, 1)), (2, (0, 0, 0))],
)
def test_thresholds_are_strict_and_symmetric(ratio: float, hits: tuple[int, int, int]) -> None:
    # 1.25, 1.25^2 = 1.5625, 1.25^3 = 1.953125
    for prediction, truth in ((2 * ratio, 2.0), (2.0, 2 * ratio)):
        s = scored(halves(prediction, prediction), halves(truth, truth))
        assert (s.d1, s.d2, s.d3) == hits


@pytest.mark.parametrize(
    ("name", "shape", "pixels", "first", "last"),
    [
        ("eigen", (480, 640), 426 * 560, (45, 41), (470, 600)),
        ("densedepth", (480, 640), 440 * 592, (20, 24), (459, 615)),
        # Half the size: rows 22.5 to 235.5, so centres 22.5 to 234.5; columns 20.5 to 300.5.
        ("eigen", (240, 320), 213 * 280, (22, 20), (234, 299)),
    ],
)
def test_crop(
    name: str, shape: tuple[int, int], pixels: int, first: tuple[int, int], last: tuple[int, int]
) -> None:
    mask = PROTOCOLS[name].valid(np.full(shape, 2.0))
    inside = np.argwhere(mask)
    assert mask.sum() == pixels
    assert (tuple(inside[0]), tuple(inside[-1])) == (first, last)


def test_fastdepth_view_is_the_centre_of_the_image() -> None:
    # Columns 14:318 of 333 are 4.2 % to 95.5 % of the width, rows 11:239 of 250 4.4 % to 95.6 %.
    truth = np.full((480, 640), 2.0)
    prediction = truth.copy()
    prediction[:, :26] = prediction[:, 612:] = prediction[:20] = prediction[460:] = 9.0
    s = scored(prediction, truth, "fastdepth")
    assert (s.d1, s.pixels) == (1.0, 224 * 224)
    prediction[:, :30] = 9.0
    assert scored(prediction, truth, "fastdepth").d1 < 1.0


def test_fastdepth_neither_clips_nor_caps_the_truth() -> None:
    assert scored(halves(30, 30), halves(20, 20), "fastdepth").mae == pytest.approx(10)
    assert evaluate_image(halves(30, 30), halves(20, 20), EIGEN) is None


@pytest.mark.parametrize("hole", [0.0, math.nan, math.inf])
def test_fastdepth_leaves_out_what_was_not_measured(hole: float) -> None:
    assert evaluate_image(halves(2, 2), halves(hole, hole), FASTDEPTH) is None


def test_fastdepth_takes_no_negative_prediction_for_a_hit() -> None:
    assert scored(halves(-2, -2), halves(2, 2), "fastdepth").d3 == 0


def test_fastdepth_needs_a_wide_image() -> None:
    with pytest.raises(UsageError, match="4:3"):
        evaluate_image(np.ones((64, 48)), np.ones((64, 48)), FASTDEPTH)


def test_predictions_are_clipped_to_the_range() -> None:
    assert scored(halves(50, 50), halves(8, 8)).mae == pytest.approx(2)  # 10 - 8
    assert scored(halves(0, 0), halves(1, 1), "densedepth").mae == pytest.approx(0.9)  # 1 - 0.1


def test_small_predictions_are_resized_between_pixel_centres() -> None:
    # Two columns with centres at 160 and 480: between them depth grows by 1 m over 320 px. The
    # crop keeps 119 + 320 + 121 columns: at 1 m, on the slope of mean 1.5 m, and at 2 m.
    prediction, truth = np.array([[1.0, 2.0]]), np.full((480, 640), 4.0)
    expected = 4 - (119 * 1 + 320 * 1.5 + 121 * 2) / 560
    assert scored(prediction, truth).mae == pytest.approx(expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_prediction_that_is_no_number_is_a_counted_miss(bad: float, name: str) -> None:
    truth = halves(2, 2)
    prediction = truth.copy()
    prediction[100, 200:210] = bad
    s = scored(prediction, truth, name)
    assert 0 < s.nonfinite <= 10
    assert s.d3 == pytest.approx(1 - s.nonfinite / s.pixels)
    assert all(math.isfinite(value) for value in s.as_dict().values())


def test_no_number_takes_the_end_of_the_range_farther_in_ratio() -> None:
    # 2 m: 2 / 0.001 = 2000 is farther than 10 / 2 = 5, so the error is 2 - 0.001.
    assert scored(halves(np.nan, np.nan), halves(2, 2)).mae == pytest.approx(1.999)
    # densedepth at 0.5 m: 10 / 0.5 = 20 is farther than 0.5 / 0.1 = 5, so the error is 10 - 0.5.
    assert scored(halves(np.inf, np.inf), halves(0.5, 0.5), "densedepth").mae == pytest.approx(9.5)


def test_each_image_counts_the_same_whatever_its_valid_pixels() -> None:
    evaluation = Evaluation(EIGEN)
    sparse = np.zeros((480, 640))
    sparse[240, 320] = 2.0
    evaluation.add(halves(4, 4), sparse)  # one pixel: abs_rel |4-2|/2 = 1
    evaluation.add(halves(4, 4), halves(4, 4))  # 238,560 pixels: abs_rel 0
    assert evaluation.scores().abs_rel == pytest.approx(0.5)
    assert evaluation.scores().pixels == 1 + 426 * 560


def test_images_without_a_valid_pixel_are_skipped_and_counted() -> None:
    evaluation = Evaluation(EIGEN)
    assert evaluation.add(halves(4, 4), np.zeros((480, 640))) is None
    with pytest.raises(DataError, match="none of 1 images"):
        evaluation.scores()
    evaluation.add(halves(4, 4), halves(4, 4))
    assert (evaluation.images, evaluation.skipped) == (1, 1)
    assert evaluation.scores().d1 == 1


@pytest.mark.parametrize("prediction", [np.ones((1, 3, 4)), np.ones((0, 4))])
def test_only_maps_are_scored(prediction: np.ndarray) -> None:
    with pytest.raises(UsageError, match="prediction has shape"):
        evaluate_image(prediction, np.ones((3, 4)))


def test_unknown_protocol() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'eigen'"):
        get_protocol("eigne")
    assert get_protocol("densedepth") is DENSEDEPTH


def test_a_protocol_describes_itself_in_one_line() -> None:
    assert EIGEN.describe() == (
        "protocol eigen; alignment none; crop rows 45:471, columns 41:601 of 480x640; "
        "range 0.001 < g < 10 m; flip no (published: mean of image and mirror); averaging per "
        "image, then over images"
    )
    assert "flip mean of image and mirror" in FASTDEPTH.describe(flip=True)
    assert "224x224; range g > 0 m" in FASTDEPTH.describe()
    assert EIGEN.describe(alignment=ALIGNMENTS["median"]).startswith(
        "protocol eigen; alignment median (scale by the medians, fitted to each image's truth, "
        "Zhou et al., CVPR 2017); crop rows"
    )


def test_alignment_comes_before_the_clip() -> None:
    """Twice too far is 9 and 12 m; clipped first, 10 m would have become 5 m and not 6."""
    prediction, truth = halves(9, 12), halves(4.5, 6)
    assert scored(prediction, truth).d1 == 0
    found = evaluate_image(prediction, truth, EIGEN, ALIGNMENTS["affine"])
    assert found is not None and found.rmse == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_what_is_no_number_stays_a_counted_miss_however_it_is_aligned(
    name: str, alignment: str
) -> None:
    _, truth = maps(0)
    prediction = truth.copy()
    prediction[20:24] = math.nan
    s = evaluate_image(prediction, truth, PROTOCOLS[name], ALIGNMENTS[alignment])
    assert s is not None and s.nonfinite > 0
    assert s.d1 == s.d3 == pytest.approx(1 - s.nonfinite / s.pixels)  # the others are exact
    nothing = evaluate_image(truth * math.nan, truth, PROTOCOLS[name], ALIGNMENTS[alignment])
    assert nothing is not None and (nothing.d3, nothing.nonfinite) == (0, s.pixels)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(list(ALIGNMENTS)))
def test_an_aligned_image_scores_as_its_prediction_does(seed: int, name: str) -> None:
    prediction, truth = maps(seed)
    prediction[30, 30] = math.inf
    aligned = align_image(prediction[::2, ::2], truth, EIGEN, ALIGNMENTS[name])
    assert aligned.shape == truth.shape
    expected = evaluate_image(prediction[::2, ::2], truth, EIGEN, ALIGNMENTS[name])
    assert expected is not None
    assert scored(aligned, truth).values == pytest.approx(dict(expected.values))


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(list(ALIGNMENTS)),
    wrong=st.sampled_from([0.0, -3.0, math.nan, math.inf, 9.9]),
)
def test_no_alignment_sees_what_is_not_valid(seed: int, name: str, wrong: float) -> None:
    prediction, truth = maps(seed)
    holes = np.random.default_rng(seed).random(truth.shape) < 0.3
    truth[holes] = wrong * (wrong != 9.9)
    changed = prediction.copy()
    changed[holes], changed[:3] = wrong, wrong
    fit = ALIGNMENTS[name]
    before, after = (evaluate_image(p, truth, EIGEN, fit) for p in (prediction, changed))
    assert before == after


def test_an_evaluation_is_of_one_alignment() -> None:
    evaluations = {name: Evaluation(EIGEN, each) for name, each in ALIGNMENTS.items()}
    for each in evaluations.values():
        each.add(halves(2, 8), halves(1, 4))
        each.add(halves(1, 4), halves(2, 8))
    d1 = {name: each.scores().d1 for name, each in evaluations.items()}
    assert d1.pop("none") == 0
    assert set(d1.values()) == {1.0}


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.5, 2.0))
def test_silog_does_not_change_with_scale(seed: int, scale: float) -> None:
    prediction, truth = maps(seed, 1.0, 4.0)
    before = scored(prediction, truth)
    after = scored(prediction * scale, truth)
    assert after.silog == pytest.approx(before.silog, rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(list(PROTOCOLS)))
def test_a_perfect_prediction_has_no_error(seed: int, name: str) -> None:
    _, truth = maps(seed)
    s = scored(truth, truth, name)
    assert (s.d1, s.d2, s.d3) == (1, 1, 1)
    assert (s.abs_rel, s.sq_rel, s.rmse, s.rmse_log, s.log10, s.mae, s.mse) == (0,) * 7
    assert s.silog == 0


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(list(PROTOCOLS)))
def test_a_wider_threshold_takes_at_least_as_many(seed: int, name: str) -> None:
    s = scored(*maps(seed), name)
    assert 0 < s.d1 < s.d2 < s.d3 < 1


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    hole=st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf, 10.0, 60.0]),
    wrong=st.sampled_from([0.0, math.nan, math.inf, 9.9]),
)
def test_invalid_pixels_never_have_influence(seed: int, hole: float, wrong: float) -> None:
    prediction, truth = maps(seed)
    holes = np.random.default_rng(seed).random(truth.shape) < 0.3
    truth[holes] = hole
    changed = prediction.copy()
    changed[holes] = wrong
    changed[:3], changed[:, :3] = wrong, wrong  # outside the crop
    assert scored(changed, truth) == scored(prediction, truth)


@pytest.mark.slow
def test_a_constant_scores_on_nyu_what_it_scored_when_computed_apart() -> None:
    """The training set's median (2.536 m): a network must beat this clearly."""
    if not (NYU / "manifest.csv").is_file():
        pytest.skip(f"NYU Depth V2 is not at {NYU}")
    from fastdepth.data.nyu.dataset import open_nyu

    source, evaluation = open_nyu(NYU, "test"), Evaluation(EIGEN)
    for sample in source:
        evaluation.add(np.full((2, 2), 2.536), sample.depth)
    scores = evaluation.scores()
    assert scores.d1 == pytest.approx(0.394, abs=0.001)
    assert scores.rmse == pytest.approx(1.216, abs=0.002)


def test_one_entry_more_is_one_metric_more(monkeypatch: pytest.MonkeyPatch) -> None:
    worst = Metric("worst", "worst", "m", 3, False, lambda pixels: float(pixels.error.max()))
    monkeypatch.setattr(evaluation, "METRICS", {**METRICS, worst.name: worst})
    mean = Evaluation()
    first, second = (mean.add(halves(left, 4), halves(1, 4)) for left in (2, 4))
    assert first is not None and second is not None
    assert (first.worst, second.worst, mean.scores().worst) == (1, 3, 2)
    assert list(mean.scores().as_dict()) == [*METRICS, "worst", "pixels", "nonfinite"]


def test_scores_cross_processes_and_know_no_other_metric() -> None:
    scores = scored(halves(2, 4), halves(1, 4))
    assert pickle.loads(pickle.dumps(scores)) == scores
    with pytest.raises(AttributeError, match="scores have no d4; they have d1, d2"):
        scores.d4  # noqa: B018
