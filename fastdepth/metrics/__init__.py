"""How accurate depth is, under a protocol and an alignment that are named with every figure."""

from __future__ import annotations

from fastdepth.metrics.alignments import (
    ALIGNMENTS,
    DEFAULT_ALIGNMENT,
    OF_DISPARITY,
    Alignment,
    get_alignment,
)
from fastdepth.metrics.edges import Edges
from fastdepth.metrics.evaluation import (
    ALL_METRICS,
    EDGE_METRICS,
    METRICS,
    Evaluation,
    Metric,
    Scores,
    align_image,
    evaluate_image,
    valid_pixels,
)
from fastdepth.metrics.protocols import DEFAULT_PROTOCOL, PROTOCOLS, Protocol, get_protocol

__all__ = [
    "ALIGNMENTS",
    "ALL_METRICS",
    "DEFAULT_ALIGNMENT",
    "DEFAULT_PROTOCOL",
    "EDGE_METRICS",
    "METRICS",
    "OF_DISPARITY",
    "PROTOCOLS",
    "Alignment",
    "Edges",
    "Evaluation",
    "Metric",
    "Protocol",
    "Scores",
    "align_image",
    "evaluate_image",
    "get_alignment",
    "get_protocol",
    "valid_pixels",
]
