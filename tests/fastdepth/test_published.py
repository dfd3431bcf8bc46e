from __future__ import annotations

import dataclasses

import pytest

from fastdepth.metrics import ALIGNMENTS
from fastdepth.published import ALIGNED_SCORES, PUBLISHED
from fastdepth.variants import VARIANTS

REPORTED = {
    "effb5-256": (0.903, 0.984, 0.997, 11.53, 940),
    "effb0-256": (0.836, 0.974, 0.995, 18.20, 326),
    "unet256": (0.721, 0.932, 0.984, 27.04, 131),
    "unet128": (0.728, 0.936, 0.983, 34.84, 130),
    "unet128-dws": (0.689, 0.919, 0.981, 34.85, 78),
    "unet128-dws-75": (0.298, 0.627, 0.847, 52.3, 55.9),
}


def test_sizes_reported_are_those_of_checkpoints_with_the_optimisers_state():
    """12 bytes a parameter: what ties the figures of the table to the networks in ours."""
    for name, figures in REPORTED.items():
        system = PUBLISHED[name]
        assert (system.d1, system.d2, system.d3, system.fps, system.megabytes) == figures
        assert system.megabytes == pytest.approx(12e-6 * VARIANTS[name].params, rel=0.01)


def test_the_fault_of_one_evaluation_is_said():
    (remark,) = [text for text in PUBLISHED["unet128-dws-75"].remarks if "bicubic" in text]
    assert "evaluation fault" in remark
    assert not any(remark in s.remarks for n, s in PUBLISHED.items() if n != "unet128-dws-75")


def test_an_error_that_divides_by_invalid_pixels_is_said():
    for system in PUBLISHED.values():
        if system.abs_rel is not None and system.abs_rel > 10:
            assert any("invalid pixels" in remark for remark in system.remarks)


def test_thresholds_grow():
    for system in PUBLISHED.values():
        scores = [d for d in (system.d1, system.d2, system.d3) if d is not None]
        assert scores == sorted(scores) and all(0 < d < 1 for d in scores)


def test_each_is_keyed_by_its_variant_and_says_its_source():
    assert all(name == system.variant and system.source for name, system in PUBLISHED.items())
    assert all(bool(system.fps) == bool(system.fps_on) for system in PUBLISHED.values())
    with pytest.raises(dataclasses.FrozenInstanceError):
        PUBLISHED["eigen"].d1 = 1
    with pytest.raises(TypeError):
        PUBLISHED["eigen"] = None


def test_what_is_reported_after_a_fit_says_which_where_and_what_differs():
    for score in ALIGNED_SCORES:
        assert score.alignment in ALIGNMENTS and score.alignment != "none"
        assert 0 < (score.abs_rel or 0.1) < score.d1 < 1 < score.params
        assert score.source and score.differs
    keys = [(score.network, score.alignment, score.source) for score in ALIGNED_SCORES]
    assert len({*keys}) == len(keys)
