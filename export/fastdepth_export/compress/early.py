"""How many of the first products stay in float: all that follows sees their rounding."""

from __future__ import annotations

EARLY = 3
"""In half precision: stem and first block of a MobileNet. They hold 1,700 weights. Of what fp16
changes in ``mnv2-64-dws-70`` they make seven tenths in an ONNX file, and all but a fortieth in
ncnn's; of what bfloat16 changes in OpenVINO 30 of 31 mm, over 12 images of NYU Depth V2."""

EARLY_IN_8_BITS = (EARLY, 10)
"""In 8 bits; where the first number is not enough, the second is tried. Of ``mnv2-64-dws-wide``
depth on 24 drawn rooms moved by .054 m in LiteRT with all in 8 bits, by .018 and .014 so; in ncnn
d1 changed by -.029 with all, by +.007 with the first number."""
