from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_onnx import METADATA, write_model

from fastdepth.calibrate.correction import (
    Correction,
    DisparityCorrection,
    Evidence,
    corrected,
)
from fastdepth.calibrate.record import CalibrationRecord
from fastdepth.errors import ModelFileError
from fastdepth.metadata import UNCORRECTED, IntervalFactors, ModelMetadata
from fastdepth.runtime.model import load
from fastdepth.runtime.uncertainty import interval_around
from fastdepth.size import Size

EVIDENCE = Evidence(images=12, points=34, d1_before=0.5, d1_after=0.75)
STEEP = Correction(math.log(1.3), 0.9, EVIDENCE)
DISPARITY = DisparityCorrection(0.001, 0.05, 0.5, 20.0, EVIDENCE)
RECORD = CalibrationRecord(
    "x", "depth", True, "float32", None, Size(12, 16), "raw", "0.1.0", disparity=DISPARITY
)


def test_depth_is_scaled_and_bent():
    depth = np.array([0, 1, 4], np.float32)
    np.testing.assert_allclose(Correction(math.log(2)).apply(depth), [0, 2, 8], rtol=1e-6)
    np.testing.assert_allclose(STEEP.apply(depth), [0, 1.3, 1.3 * 4**0.9], rtol=1e-6)
    assert STEEP.apply(depth).dtype == np.float32


@given(
    st.floats(-1.6, 1.6),
    st.floats(0.5, 2),
    st.lists(st.floats(-1e3, 1e6, width=32), min_size=1, max_size=8),
)
def test_depth_stays_finite_not_negative_and_in_its_order(shift, slope, values):
    depth = np.sort(np.array(values, np.float32))
    answer = Correction(shift, slope).apply(depth)
    assert np.isfinite(answer).all() and (answer >= 0).all()
    assert (np.diff(answer) >= -1e-5 * answer[1:]).all()


@pytest.mark.parametrize("correction", [Correction(0.3), STEEP])
def test_std_is_scaled_as_depth_changes_about_it(correction):
    depth, small = np.array([0.5, 2, 7], np.float32), 1e-2
    change = correction.apply(depth + np.float32(small)) - correction.apply(depth)
    std = correction.apply_std(np.full(3, small, np.float32), depth)
    np.testing.assert_allclose(std, change, rtol=2e-3)
    assert np.isfinite(correction.apply_std(depth, 0 * depth)).all()


@given(
    st.floats(-1.6, 1.6),
    st.floats(0.5, 2),
    st.floats(0.05, 100),
    st.floats(0, 1),
    st.floats(0.1, 5),
)
def test_an_interval_is_corrected_by_the_same_map_as_depth(shift, slope, metres, share, factor):
    correction = Correction(shift, slope)
    depth = np.array([[metres]], np.float32)
    std = np.float32(share) * depth
    plain = interval_around(depth, std, factor)
    now = interval_around(*corrected(correction, ["depth", "std"], [depth, std]), factor)
    np.testing.assert_allclose(now, [correction.apply(end) for end in plain], rtol=1e-4)


def test_an_open_file_corrects_the_ends_of_its_intervals(tmp_path):
    factors = IntervalFactors((0.5, 0.9), (0.7, 2.0))
    plain = replace(METADATA, interval=factors)
    image = np.full((48, 64, 3), 90, np.uint8)
    ends = [
        load(write_model(tmp_path / "m.onnx", metadata=metadata, std=True), threads=1).interval(
            image, 0.9
        )
        for metadata in (plain, replace(plain, correction=STEEP))
    ]
    np.testing.assert_allclose(ends[1], [STEEP.apply(end) for end in ends[0]], rtol=1e-4)
    assert (ends[1][0] < ends[1][1]).all() and not np.allclose(ends[0], ends[1], rtol=0.1)


def test_a_file_before_its_correction_is_refused_without_it():
    metadata = replace(METADATA, unit=UNCORRECTED, correction=STEEP)
    assert ModelMetadata.from_json(metadata.to_json(), "m.onnx") == metadata
    text = json.dumps(json.loads(metadata.to_json()) | {"correction": None})
    with pytest.raises(ModelFileError, match="there is no `correction`"):
        ModelMetadata.from_json(text, "m.onnx")


def test_all_answers_are_corrected_and_none_without_a_correction():
    depth, std = np.full((1, 1, 2, 2), 2, np.float32), np.full((1, 1, 2, 2), 0.2, np.float32)
    double = Correction(math.log(2))
    again = corrected(double, ["depth", "std"], [depth, std])
    np.testing.assert_allclose(again, [2 * depth, 2 * std], rtol=1e-6)
    assert corrected(None, ["depth"], [depth])[0] is depth


def test_disparity_becomes_depth_within_what_was_seen():
    disparity = np.array([-1e9, -50, 0, 950, 1e30], np.float32)
    np.testing.assert_allclose(DISPARITY.apply(disparity), [20, 20, 20, 1, 0.5], rtol=1e-6)


@pytest.mark.parametrize("correction", [None, Correction(0.2), STEEP])
def test_metadata_round_trip(correction):
    metadata = replace(METADATA, correction=correction)
    assert ModelMetadata.from_json(metadata.to_json(), "m.onnx") == metadata


@pytest.mark.parametrize(
    "hostile",
    [
        {"shift": 1.7},
        {"shift": -1.7},
        {"shift": None},
        {"shift": "0.1"},
        {"shift": 0.1, "slope": 0},
        {"shift": 0.1, "slope": -1},
        {"shift": 0.1, "slope": 2.1},
        {"shift": 0.1, "evidence": {"images": 0, "points": 1, "d1_before": 0, "d1_after": 1}},
        {"shift": 0.1, "evidence": {"images": 1, "points": 1, "d1_before": 0, "d1_after": 1.1}},
        {},
        [],
        5,
    ],
)
def test_hostile_corrections_are_refused(hostile):
    text = json.dumps(json.loads(METADATA.to_json()) | {"correction": hostile})
    with pytest.raises(ModelFileError, match=r"the metadata of m\.onnx.*export it again"):
        ModelMetadata.from_json(text, "m.onnx")


def test_record_round_trip():
    assert CalibrationRecord.from_json(RECORD.to_json(), "m.onnx") == RECORD
    metres = replace(RECORD, disparity=None, correction=STEEP, batch=1)
    assert CalibrationRecord.from_json(metres.to_json(), "m.onnx") == metres


@pytest.mark.parametrize(
    "hostile",
    [
        {"correction": asdict(STEEP)},  # both
        {"disparity": None},  # neither
        {"disparity": {"scale": 0, "offset": 0, "nearest": 1, "farthest": 2}},
        {"disparity": {"scale": 1, "offset": 1e5, "nearest": 1, "farthest": 2}},
        {"disparity": {"scale": 1, "offset": 0, "nearest": 2, "farthest": 1}},
        {"disparity": {"scale": 1, "offset": 0, "nearest": 0, "farthest": 1}},
        {"size": [0, 16]},
        {"size": [12, 5000]},
        {"size": [12]},
        {"normalise": "other"},
        {"dtype": "float64"},
        {"input": ""},
        {"output": "x" * 1001},
        {"batch": 0},
        {"channels_first": 1},
    ],
)
def test_hostile_records_are_refused(hostile):
    text = json.dumps(json.loads(RECORD.to_json()) | hostile)
    with pytest.raises(ModelFileError, match=r"the calibration in m\.onnx.*calibrate it again"):
        CalibrationRecord.from_json(text, "m.onnx")


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ModelFileError, match=r"the calibration in m\.onnx"):
        CalibrationRecord.from_json(text, "m.onnx")
