"""What formats share: a line for what a converter raises, and files that say what was measured.

A file states its own difference to PyTorch, so that it is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import FastDepthError, ParityError
from fastdepth.metadata import ModelMetadata

if TYPE_CHECKING:
    from fastdepth_export.verify import Verify

AGAIN = "run fastdepth-export again"
"""What to do about an exported file that is broken."""


class Computes(Protocol):
    """What an export is verified by."""

    def compute(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What is answered to images (B, H, W, 3) uint8 RGB, whatever it is."""
        ...


@contextmanager
def converting(variant: str, converter: str) -> Iterator[None]:
    """Within, what a converter raises becomes one line.

    Args:
        variant: name of the network.
        converter: name of the program that converts it.

    Raises:
        ParityError: it cannot; errors of ours, of the disk and of memory stay what they are.
    """
    try:
        yield
    except (FastDepthError, OSError, MemoryError):
        raise
    except Exception as error:  # of torch.export, of any of its passes, or of the converter's
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ParityError(
            f"{converter} cannot convert {variant} ({reason}); nothing was written; "
            "use another format"
        ) from error


def write_verified(
    write: Callable[[ModelMetadata], None],
    opened: Callable[[], Computes],
    metadata: ModelMetadata,
    verify: Verify,
) -> ModelMetadata:
    """Write an export, have it verified, and write it once more with what was measured of it.

    Args:
        write: writes all its files, which say this of themselves.
        opened: opens them.
        metadata: of them, before anything was measured.
        verify: given the opened files, answers with what was measured of them, or raises.

    Returns:
        The metadata with what was measured.
    """
    write(metadata)
    metadata = replace(metadata, **verify(opened().compute))
    write(metadata)
    return metadata


def write_first(
    writes: Iterable[Callable[[ModelMetadata], None]],
    opened: Callable[[], Computes],
    metadata: ModelMetadata,
    verify: Verify,
) -> ModelMetadata:
    """Write the first of several exports that is not refused, as :func:`write_verified` does.

    Args:
        writes: each writes all files of an export; the last alone may be forced.
        opened: opens them.
        metadata: of them, before anything was measured.
        verify: given the opened files, answers with what was measured of them, or raises.

    Returns:
        The metadata with what was measured.
    """
    *others, last = writes
    for write in others:
        with suppress(ParityError):
            return write_verified(write, opened, metadata, partial(verify, force=False))
    return write_verified(last, opened, metadata, verify)
