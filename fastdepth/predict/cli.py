"""The command ``fastdepth-predict``."""

from __future__ import annotations

from collections.abc import Sequence

from fastdepth.console import run_command
from fastdepth.predict.clips import clips_of, predict_clips
from fastdepth.predict.images import predict
from fastdepth.predict.options import PROG, Options

DESCRIPTION = """Predict the depth of images and clips in metres.

For each image NAME it writes NAME_depth.png (16 bits, millimetres, 0 is none, at most 65.535 m)
and NAME_colour.png (near bright, far dark, with a bar in metres).

Examples:

  fastdepth-predict mnv2-64-dws photo.jpg --output depth

  fastdepth-predict unet128-dws.onnx photos/*.jpg --output depth --npy --ply --focal 1180

  fastdepth-predict unet128-dws.onnx photo.jpg --output depth --compare effb0-256.onnx unet256.onnx

  fastdepth-predict mnv2-64-dws photo.jpg --output depth --points tape-measure.csv

Any number of images, one after the other, from a folder, tar shards or a list (.txt, a path a
line). Files are called as the images are: a/b.jpg becomes OUTPUT/a/b_depth.png, and b.jpg in
shard-0.tar OUTPUT/shard-0.tar/b_depth.png. Only .jpg is dropped from names; b.png becomes
b.png_depth.png, so that no two images meet. Names of several sources begin with each one's own.

  fastdepth-predict unet128-dws.onnx photos --output depth

  fastdepth-predict unet128-dws.onnx shards/*.tar --output depth --workers 8

  fastdepth-predict unet128-dws.onnx list.txt --output depth --engine ray --workers 8

Clips, cameras (by number), addresses and sequences of images become coloured clips:

  fastdepth-predict mnv2-64-dws clip.mp4 --output out.mp4 --side-by-side

  fastdepth-predict mnv2-64-dws clips --output depth --depth16 --smooth

  fastdepth-predict mnv2-64-dws 0 --output camera.mp4 --live --window

The same command again goes on where it was stopped: images of which all files are there are
skipped. To predict them anew, as with another model, give another folder. Clips are always
predicted anew. Ctrl-C ends a clip; what there is of it is written and can be played.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Options, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(options: Options) -> int:
    options.check()
    clips = clips_of(options)
    return predict_clips(options, clips) if clips else predict(options)
