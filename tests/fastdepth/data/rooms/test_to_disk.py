from __future__ import annotations

import numpy as np
import pytest

from fastdepth.data import open_source
from fastdepth.data.rooms.to_disk import Drawing, draw, main


def test_drawn_rooms_read_back_as_the_rooms_they_are(tmp_path):
    manifest = draw(Drawing(tmp_path, count=3, size="64x48", workers=1))
    assert len(manifest.read_text().splitlines()) == 4
    from_disk = open_source(f"nyu:{tmp_path}", "all-train")
    from_seed = open_source("rooms:3", "train")
    assert len(from_disk) == 3
    for index in range(3):
        stored, room = from_disk[index], from_seed[index]
        assert stored.image.shape == (48, 64, 3)
        # The same view, drawn smaller.
        assert np.median(stored.depth) == pytest.approx(np.median(room.depth), rel=0.05)


def test_a_second_call_draws_only_what_is_missing(tmp_path):
    draw(Drawing(tmp_path, count=1, size="64x48", workers=1))
    first = tmp_path / "100000.png"
    stamp = first.stat().st_mtime_ns
    draw(Drawing(tmp_path, count=2, size="64x48", workers=1))
    assert first.stat().st_mtime_ns == stamp
    assert (tmp_path / "100001.jpg").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "0"], "rooms:0 is no count"),
        (["--workers", "0"], "give 1 or more"),
        (["--size", "64"], "64"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(tmp_path, capsys, words, message):
    assert main(["--output", str(tmp_path), *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
