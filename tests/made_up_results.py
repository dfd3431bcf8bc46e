"""Results files of no machine: rows with all keys, of which tests and readers change some."""

from __future__ import annotations

from typing import Any

from fastdepth.variants import VARIANTS
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row

ENVIRONMENT: dict[str, Any] = {
    "cpu": "Model of the CPU",
    "cores": 8,
    "usable_cores": 4,
    "gpus": [],
    "os": "Linux 6 x86_64",
    "python": "3.11.7",
    "packages": {"torch": "2.9.0", "onnxruntime-gpu": None},
    "fastdepth": "0.1.0",
    "commit": None,
    "governor": None,
    "date": "2025-01-01T00:00:00+00:00",
    "load_before": 0.1,
    "load_after": 1.0,
    "other_load": 0.1,
    "busy": False,
}

METRICS: dict[str, Any] = {
    "d1": 0.6,
    "d2": 0.9,
    "d3": 0.98,
    "abs_rel": 0.2,
    "sq_rel": 0.1,
    "rmse": 0.8,
    "rmse_log": 0.2,
    "log10": 0.05,
    "silog": 15.0,
    "mae": 0.3,
    "mse": 0.2,
    "pixels": 9,
    "nonfinite": 0,
}


def latency(p50: float, iqr: float | None = None) -> dict[str, float]:
    """A distribution about a median [ms]."""
    shares = {"p50": 1, "p90": 1.1, "p95": 1.15, "p99": 1.3, "min": 0.94, "max": 1.6}
    return {name: p50 * share for name, share in shares.items()} | {"iqr": iqr or 0.05 * p50}


def old_row(variant: str = "unet128-dws", p50: float = 100.0, **changes: Any) -> dict[str, Any]:
    """A row as files had them before stages, memory and restarts were measured."""
    metrics = (
        METRICS | changes.pop("metrics", {}) if changes.get("metrics", {}) is not None else None
    )
    params = VARIANTS[variant].params if variant in VARIANTS else None  # None: third-party files
    row = {
        "variant": variant,
        "weights": f"{variant}.nyu",
        "weights_hash": "0123456789ab",
        "untrained": False,
        "runtime": "onnxruntime",
        "precision": "fp32",
        "size": [480, 640],
        "device": "cpu",
        "threads": 2,
        "batch": 1,
        "params": params,
        "deployed_params": params,
        "gmac": 3.1,
        "bytes": 11_600_000,
        "fps": 1e3 / p50,
        "latency_ms": latency(p50),
        "n": 100,
        "cv": 0.05,
        "warm_up": {"n": 10, "seconds": 1.0, "stable": True},
        "data": "nyu",
        "depth_kind": "in-painted",
        "samples": 498,
        "sample_hash": "903e649ece66",
        "protocol": "eigen",
        "protocol_description": "protocol eigen; crop of Eigen",
        "flip": False,
        "metrics": metrics,
        "d1_minus_torch": 0.0,
        "error": None,
    }
    return row | changes


def new_row(variant: str = "unet128-dws", p50: float = 100.0, **changes: Any) -> dict[str, Any]:
    """A row with everything that is measured now."""
    fps, whole = 1e3 / p50, p50 + 9
    row = {
        "scenario": "single-stream",
        "fold": True,
        "model": None,
        "fps_wall": 0.97 * fps,
        "fps_interval": [0.98 * fps, 1.02 * fps],
        "restarts": 5,
        "noisy": False,
        "end_to_end_ms": latency(whole),
        "end_to_end_fps": 1e3 / whole,
        "frame_size": [480, 640],
        "stages_ms": {
            "decode": 4.0,
            "preprocess": 2.0,
            "copy_in": None,
            "inference": p50,
            "copy_out": None,
            "postprocess": 3.0,
        },
        "peak_resident_bytes": 300_000_000,
        "peak_gpu_bytes": None,
        "joules_per_picture": None,
        "weights_bytes": 11_500_000,
        "ceiling": {
            "least_ms": 0.4 * p50,
            "share": 0.4,
            "binds": "multiply-adds",
            "macs_per_second": 1e11,
            "bytes_per_second": 1e10,
        },
        "against": None,
        "metrics_minus_torch": None,
        "queries": None,
    }
    return row | old_row(variant, p50, **changes)


def failed_row(
    variant: str = "unet128-dws", error: str = "no memory", **changes: Any
) -> dict[str, Any]:
    """A row that says why it has no figures."""
    nothing = dict.fromkeys(
        ("deployed_params", "gmac", "bytes", "fps", "latency_ms", "n", "cv", "warm_up", "metrics")
    )
    return old_row(variant) | nothing | {"d1_minus_torch": None, "error": error} | changes


def report(*rows: dict[str, Any], **environment: Any) -> dict[str, Any]:
    """A parsed results file of these rows."""
    return {"schema": 1, "environment": ENVIRONMENT | environment, "rows": list(rows)}


def results(*rows: dict[str, Any], **environment: Any) -> Report:
    """The same, read."""
    return Report.from_json(report(*rows, **environment))


def read_rows(*rows: dict[str, Any]) -> tuple[Row, ...]:
    """Rows, read."""
    return results(*rows).rows
