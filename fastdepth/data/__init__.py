"""Images with depth: readers of what lies on a disk, drawn rooms, and sources by their names."""

from __future__ import annotations

from fastdepth.data.sample import Sample
from fastdepth.data.source import (
    DataOptions,
    Source,
    Subset,
    has_depth,
    open_source,
    sample_list_hash,
)

__all__ = [
    "DataOptions",
    "Sample",
    "Source",
    "Subset",
    "has_depth",
    "open_source",
    "sample_list_hash",
]
