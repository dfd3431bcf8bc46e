from __future__ import annotations

import json
from dataclasses import replace

import pytest
from an_interval import FACTORS

from fastdepth.anchors.prior import AnchorPrior
from fastdepth.errors import ModelFileError
from fastdepth.metadata import UNTRAINED, ModelMetadata
from fastdepth.size import Size

METADATA = ModelMetadata(
    variant="unet128-dws",
    weights="unet128-dws.nyu",
    licence="Apache-2.0",
    sizes=(Size(480, 640),),
    depth_range=(1e-3, 10.0),
    params=6_472_944,
    precision="fp32",
    opset=20,
    parity=1e-5,
    version="0.1.0",
)


def test_round_trip():
    assert ModelMetadata.from_json(METADATA.to_json(), "m.onnx") == METADATA


def test_a_prior_is_kept_and_checked():
    fitted = replace(METADATA, anchor_prior=AnchorPrior(0.1, 0.2, 0.3, 0.4, 0.5))
    assert ModelMetadata.from_json(fitted.to_json(), "m.onnx") == fitted
    entries = json.loads(fitted.to_json())
    entries["anchor_prior"]["length"] = 0
    with pytest.raises(ModelFileError, match="length"):
        ModelMetadata.from_json(json.dumps(entries), "m.onnx")


def test_json_has_what_an_app_in_any_language_needs():
    entries = json.loads(METADATA.to_json())
    assert entries["sizes"] == [[480, 640]]
    assert entries["unit"] == "metre"
    assert entries["preprocessing"] == "area-down-bilinear-up"
    assert (entries["training_focal_length"], entries["training_width"]) == (519, 640)


def test_fields_of_a_later_version_are_ignored():
    entries = json.loads(METADATA.to_json()) | {"colour": "blue"}
    assert ModelMetadata.from_json(json.dumps(entries), "m.onnx") == METADATA


def test_intervals_go_round_and_are_between_those_stored():
    metadata = replace(METADATA, interval=FACTORS)
    again = ModelMetadata.from_json(metadata.to_json(), "m.onnx")
    assert again == metadata
    assert [again.interval.at(c) for c in (0.5, 0.9, 0.95)] == pytest.approx([0.6, 1.7, 2.2])
    assert 1.2 < again.interval.at(0.85) < 1.7


@pytest.mark.parametrize(
    ("coverages", "factors"),
    [
        ([0.5], [1]),
        ([0.5, 0.9], [1, 1]),
        ([0.9, 0.5], [1, 2]),
        ([0.5, 1], [1, 2]),
        ([0.5, 0.9], [1, 2, 3]),
        ([0.5, 0.9], [0, 2]),
        ([0.5, 0.9], [1, 1e9]),
    ],
)
def test_intervals_that_cannot_be(coverages, factors):
    interval = {"coverages": coverages, "factors": factors}
    text = json.dumps(json.loads(METADATA.to_json()) | {"interval": interval})
    with pytest.raises(ModelFileError, match=r"the metadata of m\.onnx"):
        ModelMetadata.from_json(text, "m.onnx")


def test_files_from_before_reduced_precision_are_still_read():
    entries = json.loads(METADATA.to_json())
    for name in ("d1_change", "quantisation", "calibration", "anchor_prior", "interval"):
        assert entries.pop(name) is None
    assert ModelMetadata.from_json(json.dumps(entries), "m.onnx") == METADATA


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"sizes": 5}', "null", "[" * 100_000, '{"a":' * 100_000, "nan"]
)
def test_broken_metadata_names_the_file_and_what_to_do(text):
    with pytest.raises(ModelFileError, match=r"the metadata of m\.onnx.*; export it again"):
        ModelMetadata.from_json(text, "m.onnx")


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "variant": (None, 5, []),
        "sizes": (
            [],
            [[]],
            [[48]],
            [[48, 64, 3]],
            [[0, 64]],
            [[-48, 64]],
            [[48, 4097]],
            [[48.5, 64]],
        ),
        "depth_range": ([], [1], [1, 2, 3], [0, 10], [-1, 10], [10, 1], [1, 1], [1, 1e30], "ab"),
        "params": (-1, 1.5, "1", 10**20, 10**400),
        "opset": (0, "20"),
        "parity": (-1e-9, "nan"),
        "batch": (0, -1, 10**12),
        "training_focal_length": (0, -5, None, 1e-300, 1e300, True),
        "training_width": (0, -640, 10**9),
        "d1_change": (-2, "x"),
    }.items(),
)
def test_every_value_is_of_its_type_and_within_its_range(field, values):
    entries = json.loads(METADATA.to_json())
    for value in values:
        with pytest.raises(ModelFileError, match=rf"the metadata of m\.onnx.*{field}"):
            ModelMetadata.from_json(json.dumps(entries | {field: value}), "m.onnx")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_are_finite(value):
    text = METADATA.to_json().replace("519.0", value)
    assert text != METADATA.to_json()
    with pytest.raises(ModelFileError, match=r"the metadata of m\.onnx.*; export it again"):
        ModelMetadata.from_json(text, "m.onnx")


@pytest.mark.parametrize("change", [{"preprocessing": "crop"}, {"unit": "inch"}])
def test_another_preprocessing_or_unit_is_refused(change):
    text = replace(METADATA, **change).to_json()
    with pytest.raises(ModelFileError, match="install the fastdepth that exported it"):
        ModelMetadata.from_json(text, "m.onnx")


def test_random_weights_are_not_trained():
    assert METADATA.trained
    assert not replace(METADATA, weights=UNTRAINED).trained
