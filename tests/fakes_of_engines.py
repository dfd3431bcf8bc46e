"""What tests of engines map: processes import it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from unittest import mock

import numpy as np

from fastdepth import predict
from fastdepth.errors import OutputError
from fastdepth.files import replacing, write_text
from fastdepth.images import write_png
from fastdepth.pictures import Picture
from fastdepth.predict import Prediction, predict_picture, to_millimetres


def refuse(picture: Picture) -> str:
    """A disk that is full."""
    raise OutputError(f"cannot write {picture}")


def wait_long(picture: Picture) -> str:
    """Write this process's id to the picture's path and never come to an end."""
    write_text(picture.path, str(os.getpid()))
    time.sleep(600)
    return ""


def written(output: Path) -> list[str]:
    """Names of the pictures whose files were all written, once for each time that they were."""
    return sorted((output.parent / "written.txt").read_text().split())


def predict_or_die(options: Prediction, picture: Picture) -> str:
    """Predict a picture as the command does, and be killed at some.

    At ``half`` when one file is written and the next one half, at ``unsaid`` when all files are
    written but nobody knows, both the first time only; at ``poison`` each time.
    """
    with mock.patch.object(predict, "write_files", _write_or_die):
        return predict_picture(options, picture)


def _write_or_die(
    options: Prediction, picture: Picture, image: np.ndarray, write=predict.write_files
) -> None:
    tried = options.output.parent / f"{picture.stem}.tried"
    first = not tried.exists()
    tried.parent.mkdir(parents=True, exist_ok=True)
    tried.touch()
    if "half" in picture.name and first:
        files = options.files(picture)
        write_png(files["depth"], to_millimetres(np.zeros((20, 20), np.float32)))
        with replacing(files["colour"]) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    if "poison" in picture.name:
        os.kill(os.getpid(), signal.SIGKILL)
    write(options, picture, image)
    with (options.output.parent / "written.txt").open("a") as log:
        log.write(f"{picture.name}\n")  # one short write, which processes do not mix
    if "unsaid" in picture.name and first:
        os.kill(os.getpid(), signal.SIGKILL)
