"""Depth that knows a few distances: points, prior, estimator, and points through a clip."""
