"""Running an open file: no failure is a foreign one, and nothing but depth passes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdepth.arguments import checked
from fastdepth.errors import ModelFileError, UsageError
from fastdepth.extras import require
from fastdepth.runtime.onnx_file import Source, failed, name_of
from fastdepth.runtime.session import Opening
from fastdepth.size import Size

TIME_LIMIT = 60.0
"""For an inference of a file that a command line is given, unless it is told otherwise [s]."""

LONGEST = 86_400.0
"""Greatest time limit of an inference [s]."""

MARGIN = 0.05
"""Share of the depth range by which reduced precision may miss its ends; never below 0 m."""


@checked
def check_time_limit(seconds: float | None) -> None:
    """Raise UsageError unless an inference can be given so long [s]; None is for ever."""
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise UsageError(f"time limit {seconds:g} must be above 0 and at most {LONGEST:g} seconds")


def run(
    session: Any,
    outputs: Sequence[str],
    inputs: dict[str, NDArray[Any]],
    opening: Opening,
    size: Size,
    mend: str,
) -> list[Any]:
    """What a session answers.

    Args:
        session: opened by :func:`open_session`.
        outputs: names of what is asked for.
        inputs: by name, the image first.
        opening: how the session was opened.
        size: of the images, for messages.
        mend: what to do where it fails.

    Raises:
        ModelFileError: it fails, does not end in time, or needs more memory than there is.
    """
    source, time_limit = opening.source, opening.time_limit
    try:
        if time_limit is None:
            return list(session.run(list(outputs), inputs))
        with _watched(time_limit) as options:
            return list(session.run(list(outputs), inputs, options))
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        if "terminate flag" in str(error):
            raise ModelFileError(
                f"{name_of(source)} did not answer within {time_limit:g} s and was stopped; "
                "give it longer (--time-limit), or use another file"
            ) from None
        (images,) = inputs.values()
        raise failed(error, source, f"at {size} with {len(images)} image(s)", mend) from None


@contextmanager
def _watched(seconds: float) -> Iterator[Any]:
    """Options of a run that is told to stop after so long; it does between two nodes."""
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
