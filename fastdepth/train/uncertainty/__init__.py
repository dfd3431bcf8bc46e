"""Fit and calibrate the head that tells how sure a network is: ``fastdepth-train uncertainty``."""
