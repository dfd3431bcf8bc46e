"""Images as files, collections and colours; points and contact sheets."""

from fastdepth.images.io import read_image

__all__ = ["read_image"]
