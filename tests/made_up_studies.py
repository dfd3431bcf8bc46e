"""Results of ``fastdepth-bench anchors`` of no machine."""

from __future__ import annotations

from typing import Any

from made_up_results import ENVIRONMENT

GAINS = {"anchored": 0.1, "none": 0.0, "median": 0.05}


def study(**changes: Any) -> dict[str, Any]:
    """The content of a file, of three estimators, random points and a sensor."""
    rows = [
        _row(kind, number, name, 0.75 + gain * (number or 20) / 20)
        for kind, number in (("1 random", 1), ("16 random", 16), ("8x8 ToF", None))
        for name, gain in GAINS.items()
    ]
    return {
        "environment": ENVIRONMENT,
        "variant": "mnv2-64-dws",
        "weights": "mnv2-64-dws.nyu",
        "weights_hash": "0123456789ab",
        "input": [240, 320],
        "prior": False,
        "data": "nyu",
        "depth_kind": "in-painted",
        "samples": 498,
        "sample_hash": "903e649ece66",
        "protocol": "eigen",
        "protocol_description": "protocol eigen; crop none",
        "stride": 4,
        "draws": 2,
        "noise": 0.02,
        "rows": rows,
        "schema": 1,
        **changes,
    }


CLIP = {
    "video": "kitchen.mp4",
    "video_hash": "0123456789ab",
    "frames": 240,
    "visible": 0.9,
    "rows": [{"known": "no frame", "flicker": 5.0}, {"known": "every frame", "flicker": 2.5}],
}
"""Flicker on a video."""


def with_intervals(**changes: Any) -> dict[str, Any]:
    """The same with how often intervals hold the truth, and a clip."""
    rows = study()["rows"]
    for row in rows:
        row["coverage"] = None if row["estimator"] == "median" else 0.91
    return study(rows=rows, interval=0.9, clip=CLIP, **changes)


def _row(kind: str, number: int | None, estimator: str, d1: float) -> dict[str, Any]:
    return {
        "kind": kind,
        "number": number,
        "points": number or 50.5,
        "estimator": estimator,
        "d1": d1,
        "d1_interval": [d1 - 0.01, d1 + 0.01],
        "d1_draws": [d1 - 0.002, d1 + 0.002],
        "gain": d1 - 0.75,
        "gain_interval": [d1 - 0.76, d1 - 0.74],
        "rmse": 1.25 - d1,
        "rmse_interval": [1.24 - d1, 1.26 - d1],
        "rmse_draws": [1.25 - d1, 1.25 - d1],
    }
