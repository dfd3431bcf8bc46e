"""Factors of intervals as a file may hold them."""

from __future__ import annotations

from fastdepth.metadata import IntervalFactors

FACTORS = IntervalFactors((0.5, 0.8, 0.9, 0.95), (0.6, 1.2, 1.7, 2.2))
