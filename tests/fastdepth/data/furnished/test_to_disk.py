from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_furniture import write_libraries

from fastdepth.data import open_source
from fastdepth.data.furnished import to_disk
from fastdepth.data.furnished.catalogue import read_catalogue
from fastdepth.data.furnished.models import Models
from fastdepth.data.furnished.roles import cast_roles
from fastdepth.data.furnished.to_disk import (
    Frame,
    Job,
    develop,
    draw_room,
    read_frames,
    split_of,
    write_frames,
)
from fastdepth.data.furnished.tracer import newest_llvm
from fastdepth.data.furnished.views import bare_depth
from fastdepth.data.rooms.to_disk import main
from fastdepth.errors import DataError, MissingExtraError
from fastdepth.size import Size


class FakeRoom:
    """Posts that stand in an empty room, without a renderer."""

    def __init__(self, mitsuba, surfaces, lamps):
        assert all(surface.corners.shape[1:] == (3, 3) for surface in surfaces)
        self.room = mitsuba.room

    def depth(self, view, size):
        depth = bare_depth(view, self.room, size)
        for left in range(0, size.width, size.width // 5):
            post = np.s_[:, left : left + size.width // 8]
            depth[post] = np.minimum(depth[post], 1.7)
        return depth

    def radiance(self, view, size, samples, seed):
        return np.random.default_rng(seed).random((size.height, size.width, 3), np.float32)

    def close(self):
        pass


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path / "cache"))
    furniture = write_libraries(tmp_path / "furniture")
    (tmp_path / "out").mkdir()
    return Job(tmp_path / "out", furniture, Size(48, 64), views=2)


@pytest.fixture
def fake(job, monkeypatch):
    mitsuba = SimpleNamespace()
    compose = to_disk.compose

    def remember(seed, cast):
        mitsuba.room = compose(seed, cast)
        return mitsuba.room

    cast = cast_roles(read_catalogue(job.furniture))
    monkeypatch.setattr(to_disk, "compose", remember)
    monkeypatch.setattr(to_disk, "TracedRoom", FakeRoom)
    monkeypatch.setattr(to_disk, "_studio", lambda folder: (mitsuba, Models(folder), cast))
    return job


def test_frames_are_read_as_they_were_drawn(fake):
    frames = [frame for seed in (0, 1, 2) for frame in draw_room(seed, fake)]
    write_frames(fake.folder / "manifest.csv", frames)
    test = open_source(f"nyu:{fake.folder}", "test")
    train = open_source(f"nyu:{fake.folder}", "all-train")
    assert {test[i].scene for i in range(len(test))} == {"furnished-000000"}
    assert len(train) + len(test) == len(frames)
    assert train[0].image.shape == (48, 64, 3)
    assert 0.5 < np.median(train[0].depth) < 6


def test_a_seed_draws_the_same_again(fake):
    first = draw_room(7, fake)
    before = [(fake.folder / frame.image).read_bytes() for frame in first]
    assert draw_room(7, fake) == first
    assert [(fake.folder / frame.image).read_bytes() for frame in first] == before


def test_focal_lengths_are_those_of_the_image(fake):
    for frame in draw_room(3, fake):
        assert 0.6 * 64 < float(frame.focal) < 1.1 * 64


def test_manifest_comes_back(tmp_path):
    frames = [
        Frame(f"{n}.jpg", f"{n}.png", "train", "furnished-000001", "251.33", "office")
        for n in (2, 1)
    ]
    write_frames(tmp_path / "manifest.csv", frames)
    assert read_frames(tmp_path / "manifest.csv") == frames[::-1]
    assert read_frames(tmp_path / "none.csv") == []


def test_another_manifest_is_left_alone(tmp_path):
    (tmp_path / "manifest.csv").write_text("image,depth,split,scene\n")
    with pytest.raises(DataError, match="not of furnished rooms"):
        read_frames(tmp_path / "manifest.csv")


def test_one_room_in_twenty_is_for_testing():
    splits = [split_of(seed) for seed in range(100_000, 100_100)]
    assert splits.count("test") == 5
    assert set(splits) == {"test", "train"}


def test_lamps_do_not_darken_a_photograph():
    light = np.full((48, 64, 3), 0.2, np.float32)
    dull = develop(light, np.random.default_rng(0))
    light[:4, :4] = 5000
    lamp = develop(light, np.random.default_rng(0))
    assert abs(float(lamp[20:].mean()) - float(dull[20:].mean())) < 12


@pytest.mark.parametrize("missing", ["mitsuba", "pyoidn"])
def test_a_missing_renderer_is_the_pip_line(tmp_path, monkeypatch, capsys, missing):
    monkeypatch.setitem(sys.modules, "mitsuba", SimpleNamespace())
    monkeypatch.setitem(sys.modules, missing, None)
    words = ["--furnished", "--output", str(tmp_path / "out")]
    assert main(words) == 2
    assert capsys.readouterr().err.strip().endswith("run: pip install 'fastdepth[render]'")
    assert not (tmp_path / "out").exists()


def test_the_newest_llvm_is_found(tmp_path):
    places = [str(tmp_path / "libLLVM*.so*")]
    assert newest_llvm(places) is None
    (tmp_path / "libLLVM-15.so.1").touch()
    with pytest.raises(MissingExtraError, match=r"cannot use LLVM 15; install .*libllvm19"):
        newest_llvm(places)
    (tmp_path / "libLLVM.so.19.1").touch()
    (tmp_path / "libLLVM-17.so.1").touch()
    assert newest_llvm(places) == str(tmp_path / "libLLVM.so.19.1")


@pytest.mark.parametrize("option", ["--count", "--views", "--samples"])
def test_numbers_that_draw_nothing_are_one_line(tmp_path, capsys, option):
    assert main(["--furnished", "--output", str(tmp_path), option, "0"]) == 2
    assert f"{option.strip('-')} 0 must be 1 to" in capsys.readouterr().err
