"""Tables and plot of ``fastdepth-bench rivals``."""
