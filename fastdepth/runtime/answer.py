"""Running an open file: no failure is a foreign one, and nothing but depth passes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import FastDepthError, ModelFileError
from fastdepth.extras import require
from fastdepth.runtime.buffers import Buffers
from fastdepth.runtime.onnx_file import Source, failed, name_of
from fastdepth.runtime.opening import Opening
from fastdepth.size import Size

TIME_LIMIT = 60.0
"""For an inference of a file that a command line is given, unless it is told otherwise [s]."""

MARGIN = 0.05
"""Share of the depth range by which reduced precision may miss its ends; never below 0 m."""


def run(
    session: Any,
    outputs: Sequence[str],
    inputs: dict[str, NDArray[Any]],
    opening: Opening,
    size: Size,
    mend: str,
    buffers: Buffers | None = None,
) -> list[Any]:
    """What a session answers.

    Args:
        session: opened by :func:`open_session`.
        outputs: names of what is asked for.
        inputs: by name, the image first.
        opening: how the session was opened.
        size: of the images, for messages.
        mend: what to do where it fails.
        buffers: hold the answers until the thread's next run; None gives new arrays.

    Raises:
        UsageError: the model was closed.
        ModelFileError: it fails, does not end in time, or needs more memory than there is.
    """
    source, time_limit = opening.source, opening.time_limit
    try:
        with _watched(time_limit) as options:
            if buffers is not None:
                return buffers.run(session, outputs, inputs, options)
            return list(session.run(list(outputs), inputs, options))
    except FastDepthError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        if "terminate flag" in str(error):
            raise ModelFileError(
                f"{name_of(source)} did not answer within {time_limit:g} s and was stopped; "
                "give it longer (--time-limit), or use another file"
            ) from None
        (images,) = inputs.values()
        raise failed(error, source, f"at {size} with {len(images)} image(s)", mend) from None


@contextmanager
def _watched(seconds: float | None) -> Iterator[Any]:
    """Options of a run that is told to stop after so long, if ever; it does between two nodes."""
    if seconds is None:
        yield None
        return
    options = require("onnxruntime", "cpu").RunOptions()
    timer = threading.Timer(seconds, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield options
    finally:
        timer.cancel()


def check_answer(
    answer: Any, shape: Sequence[int], span: tuple[float, float], source: Source
) -> NDArray[np.float32]:
    """Return what a file answered if it is a map of metres for each image.

    Args:
        answer: of the file.
        shape: (B, 1, H, W), as the file's metadata have it.
        span: least and greatest depth that the file can answer [m].
        source: the file.

    Raises:
        ModelFileError: another shape or type, NaN, infinite, or outside the range.
    """
    found: NDArray[np.float32] = np.asarray(answer)
    if found.dtype != np.float32 or found.shape != tuple(shape):
        raise ModelFileError(
            f"{name_of(source)} answered {found.dtype} {found.shape}, not float32 {tuple(shape)} "
            "as its metadata say; export it again with fastdepth-export"
        )
    near, far = span
    margin = MARGIN * (far - near)
    least, most = float(found.min()), float(found.max())  # NaN where there is one
    if not max(0.0, near - margin) <= least <= most <= far + margin:
        raise ModelFileError(
            f"{name_of(source)} answered depth of {least:g} to {most:g} m, but its metadata say "
            f"{near:g} to {far:g} m; export it again with fastdepth-export"
        )
    return found
