"""How much known distances help: ``fastdepth-bench anchors``."""
