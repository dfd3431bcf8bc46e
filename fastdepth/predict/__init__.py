"""The command ``fastdepth-predict``: depth of image files."""

from fastdepth.predict.cli import main
from fastdepth.predict.images import predict_image
from fastdepth.predict.options import PROG, Options

__all__ = ["PROG", "Options", "main", "predict_image"]
