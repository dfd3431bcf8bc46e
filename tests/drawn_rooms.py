"""A room of full size takes a second to draw: each is drawn once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest

from fastdepth.data import Sample
from fastdepth.data.rooms import dataset
from fastdepth.size import Size


@contextmanager
def drawn_once() -> Iterator[None]:
    """Have :class:`fastdepth.data.rooms.dataset.Rooms` keep what it drew."""
    draw = cache(dataset.render_room)

    def copy(seed: int, size: Size) -> Sample:
        room = draw(seed, size)
        return replace(room, image=room.image.copy(), depth=room.depth.copy())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "render_room", copy)
        yield
