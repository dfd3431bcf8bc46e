from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from an_interval import FACTORS
from hostile import Family, as_json, damaged, spoiled
from hypothesis import strategies as st
from tiny_onnx import METADATA, metadata_entry, write_model

from fastdepth import load
from fastdepth.anchors.prior import DEFAULT
from fastdepth.calibrate.correction import Correction, Evidence, corrected
from fastdepth.metadata import METADATA_KEY
from fastdepth.runtime.answer import MARGIN

with TemporaryDirectory() as place:
    BARE = write_model(Path(place) / "m.onnx", metadata=None).read_bytes()

CALIBRATED = replace(METADATA, correction=Correction(0.3, 0.9, Evidence(9, 99, 0.5, 0.6)))
WITH_PRIOR = replace(METADATA, anchor_prior=DEFAULT, interval=FACTORS)
GOOD = [metadata.to_json().encode() for metadata in (METADATA, CALIBRATED, WITH_PRIOR)]
IMAGE = np.full((60, 100, 3), 90, np.uint8)
IMAGE[..., 0] = np.arange(100)


def with_metadata(*entries: bytes) -> bytes:
    """The tiny model with these metadata, each under fastdepth's key."""
    return BARE + b"".join(metadata_entry(METADATA_KEY, entry) for entry in entries)


def repeated(depth: int) -> bytes:
    return b'{"variant":' + b"[" * depth


JSON = st.one_of(
    damaged(GOOD),
    spoiled([*map(json.loads, GOOD)]).map(as_json),
    st.integers(1, 10**5).map(repeated),
)
FAMILY = Family(
    "onnx-metadata",
    st.one_of(JSON.map(with_metadata), st.tuples(JSON, JSON).map(lambda two: with_metadata(*two))),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    path = folder / "m.onnx"
    path.write_bytes(data)
    model = load(path, threads=1)
    near, far = model.metadata.depth_range
    margin = MARGIN * (far - near)
    ends = np.array([max(0, near - margin), far + margin], np.float32)
    least, most = corrected(model.metadata.correction, ["depth"], [ends])[0]
    depth = model(IMAGE)
    assert (depth.shape, depth.dtype) == (IMAGE.shape[:2], np.float32)
    assert least * (1 - 1e-5) <= depth.min() <= depth.max() <= most * (1 + 1e-5)
    seen = model(IMAGE, focal=500.0)
    assert np.isfinite(seen).all() and (seen >= 0).all() and seen.max() > 0
    known = model(IMAGE, points=[[1, 1, 2], [20, 30, 1e-3], [20, 30.2, 9], [47, 63, 4]])
    assert np.isfinite(known).all() and (known >= 0).all()
    assert 0 < model.training_focal(model.size) < np.inf
    assert len(repr(model)) < 10_000


@pytest.mark.thorough
def test_onnx_metadata(try_to_break):
    try_to_break(FAMILY)
