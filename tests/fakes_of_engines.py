"""What tests of engines map: processes import it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from unittest import mock

import numpy as np

from fastdepth.errors import OutputError
from fastdepth.files import replacing, write_text
from fastdepth.images.collection import ImageFile
from fastdepth.images.io import to_millimetres, write_png
from fastdepth.predict import Options, predict_image
from fastdepth.predict import images as predict


def refuse(image: ImageFile) -> str:
    """A disk that is full."""
    raise OutputError(f"cannot write {image}")


def wait_long(image: ImageFile) -> str:
    """Write this process's id to the image's path and never come to an end."""
    write_text(image.path, str(os.getpid()))
    time.sleep(600)
    return ""


def written(output: Path) -> list[str]:
    """Names of the images whose files were all written, once for each time that they were."""
    return sorted((output.parent / "written.txt").read_text().split())


def predict_or_die(options: Options, image: ImageFile) -> str:
    """Predict an image as the command does, and be killed at some.

    At ``half`` when one file is written and the next one half, at ``unsaid`` when all files are
    written but nobody knows, both the first time only; at ``poison`` each time.
    """
    with mock.patch.object(predict, "write_files", _write_or_die):
        return predict_image(options, image)


def _write_or_die(
    options: Options, file: ImageFile, image: np.ndarray, write=predict.write_files
) -> None:
    tried = options.output.parent / f"{file.stem}.tried"
    first = not tried.exists()
    tried.parent.mkdir(parents=True, exist_ok=True)
    tried.touch()
    if "half" in file.name and first:
        files = options.files(file)
        write_png(files["depth"], to_millimetres(np.zeros((20, 20), np.float32)))
        with replacing(files["colour"]) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    if "poison" in file.name:
        os.kill(os.getpid(), signal.SIGKILL)
    write(options, file, image)
    with (options.output.parent / "written.txt").open("a") as log:
        log.write(f"{file.name}\n")  # one short write, which processes do not mix
    if "unsaid" in file.name and first:
        os.kill(os.getpid(), signal.SIGKILL)
