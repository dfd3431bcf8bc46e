"""Measuring: speed, accuracy, exactness, and what makes them believable."""
