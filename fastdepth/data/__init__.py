"""Depth data by name: ``nyu:PATH`` on the disk, or ``rooms`` drawn on the fly.

``pictures:PATH`` has none, and is for training with a teacher.

Every source is a sequence of :class:`~fastdepth.data.sample.Sample`.
"""

from __future__ import annotations

from fastdepth.data.sample import Sample
from fastdepth.data.source import Source, Subset, has_depth, open_source, sample_list_hash

__all__ = ["Sample", "Source", "Subset", "has_depth", "open_source", "sample_list_hash"]
