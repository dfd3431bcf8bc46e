"""Results as CSV: one line a row, every figure in a column of its own with its unit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from fastdepth_bench.results.reading import Row

_PAIRS = {
    "size": ("height", "width"),
    "frame_size": ("height", "width"),
    "fps_interval": ("low", "high"),
}
"""What the entries of lists are called."""

_UNITS = {
    "fps": "1/s",
    "fps_wall": "1/s",
    "fps_interval": "1/s",
    "end_to_end_fps": "1/s",
    "rate": "1/s",
    "achieved_rate": "1/s",
    "seconds": "s",
    "gmac": "10^9",
    "bytes": "B",
    "size": "px",
    "frame_size": "px",
    "rmse": "m",
    "mae": "m",
    "sq_rel": "m",
    "mse": "m^2",
    "silog": "1/100",
    "max_difference_to_torch": "m",
    "difference_to_plain": "m",
    "difference_to_float64": "m",
    "joules_per_picture": "J",
    "macs_per_second": "1/s",
    "bytes_per_second": "B/s",
}
"""Units by key, of the key itself or of all below it; those of ``_ms`` and ``_bytes`` follow from
the name, and what is not here has none."""


def to_csv(reports: Mapping[str, Mapping[str, Any]]) -> str:
    """All rows of results files: the file's path, the row's figures, then the machine's.

    Args:
        reports: parsed results files by their paths; "" for one that is not yet a file.

    Returns:
        CSV with a line of headings, ``latency_ms.p50 [ms]``; a figure that a row lacks is empty.
    """
    lines = [
        {
            **({"file": name} if name else {}),
            **_flat(row),
            **_flat(report["environment"], "environment."),
        }
        for name, report in reports.items()
        for row in report["rows"]
    ]
    headings = list(dict.fromkeys(heading for line in lines for heading in line))
    headings.sort(key=lambda heading: heading.startswith("environment."))  # stable: machine last
    stream = io.StringIO()
    writer = csv.DictWriter(stream, headings, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue()


def _flat(row: Row, prefix: str = "") -> dict[str, Any]:
    """Scalars by path and unit; None is left out."""
    return {
        f"{prefix}{path}{unit}": value
        for key, entry in row.items()
        for path, unit, value in _scalars(key, entry, "")
    }


def _scalars(path: str, value: Any, unit: str) -> Iterator[tuple[str, str, Any]]:
    key = path.rpartition(".")[2]
    unit = _unit(key) or unit
    if isinstance(value, list) and key in _PAIRS:
        value = dict(zip(_PAIRS[key], value, strict=True))
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _scalars(f"{path}.{name}", entry, unit)
    elif isinstance(value, list):
        yield path, unit, "; ".join(map(str, value))
    elif value is not None:
        yield path, unit, value


def _unit(key: str) -> str:
    named = "ms" if key.endswith("_ms") else "B" if key.endswith("_bytes") else _UNITS.get(key)
    return f" [{named}]" if named else ""
