"""Records of calibrated third-party files, and files of points."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hostile import Family, as_json, damaged, spoiled
from hypothesis import strategies as st
from tiny_onnx import metadata_entry, write_third_party

from fastdepth import load
from fastdepth.calibrate.correction import Correction, DisparityCorrection, Evidence
from fastdepth.calibrate.known_distances import FARTHEST, read_known_distances
from fastdepth.calibrate.record import RECORD_KEY, CalibrationRecord
from fastdepth.runtime.third_party import ThirdPartyFile
from fastdepth.runtime.third_party_model import ThirdPartyModel
from fastdepth.size import Size

with TemporaryDirectory() as place:
    BARE = write_third_party(Path(place) / "m.onnx").read_bytes()

METRES = CalibrationRecord(
    "x", "depth", True, "float32", None, Size(12, 16), "unit", "0.1.0", Correction(0.3, 0.9)
)
DISPARITY = DisparityCorrection(2e-3, 0.05, 0.5, 20.0, Evidence(9, 99, 0.5, 0.6))
GOOD = [
    record.to_json().encode()
    for record in (METRES, replace(METRES, correction=None, disparity=DISPARITY, normalise="raw"))
]
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
POINTS = b"image,row,column,metres\na.jpg,1,2,2.5\nsub/b.png,30,40,0.75\n"


def with_record(text: bytes) -> bytes:
    """The tiny network with this record."""
    return BARE + metadata_entry(RECORD_KEY, text)


def read_record(data: bytes, folder: Path) -> None:
    path = folder / "m.onnx"
    path.write_bytes(data)
    depth = load(path, threads=1)(IMAGE)
    assert depth.shape == IMAGE.shape[:2] and np.isfinite(depth).all() and (depth >= 0).all()
    third = ThirdPartyModel(ThirdPartyFile(path), threads=1)
    batch = np.zeros((third.graph.batch or 1, *third.graph.size, 3), np.uint8)
    assert np.isfinite(third.infer(batch)).all()


def read_csv(data: bytes, folder: Path) -> None:
    path = folder / "points.csv"
    path.write_bytes(data)
    for image, places in read_known_distances(path).items():
        assert image.is_relative_to(folder) and places
        assert all(row >= 0 <= column and 0 < far <= FARTHEST for row, column, far in places)


RECORDS = Family(
    "calibration-records",
    st.one_of(damaged(GOOD), spoiled([*map(json.loads, GOOD)]).map(as_json)).map(with_record),
    read_record,
)
POINT_FILES = Family("calibration-points", damaged([POINTS, POINTS * 3]), read_csv)


@pytest.mark.thorough
@pytest.mark.parametrize("family", [RECORDS, POINT_FILES], ids=lambda family: family.name)
def test_calibration(try_to_break, family):
    try_to_break(family)
