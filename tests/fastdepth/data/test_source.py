"""Sources by name, their even subsets and the hash of their sample lists."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastdepth.data import Source, Subset, has_depth, open_source, sample_list_hash
from fastdepth.data.rooms.dataset import SPLITS
from fastdepth.data.sample import Sample
from fastdepth.errors import DataError, ImageError, UnknownNameError, UsageError
from fastdepth.size import Size


class Numbers:
    """A source of so many samples, named by their numbers."""

    name = "numbers"
    split = "test"

    def __init__(self, count: int) -> None:
        self.names = [str(number) for number in range(count)]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:
        blank = np.zeros((16, 16, 3), np.uint8)
        return Sample(blank, np.ones((16, 16), np.float32), self.names[index], "scene")


@pytest.fixture
def nyu(tmp_path: Path) -> Path:
    """Five test pairs in a folder of scenes."""
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"rgb_{number}.jpg"), np.zeros((16, 16, 3), np.uint8))
        depth = np.full((16, 16), 1000 + number, np.uint16)
        cv2.imwrite(str(tmp_path / f"sync_depth_{number}.png"), depth)
    return tmp_path


@pytest.mark.parametrize(
    ("count", "limit", "taken"),
    [(9, 3, "048"), (9, 1, "0"), (5, 5, "01234"), (5, 99, "01234"), (10, 4, "0369")],
)
def test_limit_spreads_evenly(count: int, limit: int, taken: str) -> None:
    subset = Subset(Numbers(count), limit)
    assert subset.names == list(taken)
    assert [sample.name for sample in subset] == list(taken)
    assert subset[-1].name == taken[-1]
    with pytest.raises(IndexError):
        subset[len(taken)]


@pytest.mark.parametrize("limit", [0, -3])
def test_limit_leaves_at_least_one(limit: int) -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        Subset(Numbers(5), limit)


def test_a_subset_tells_what_its_source_tells() -> None:
    subset = pickle.loads(pickle.dumps(Subset(Numbers(9), 3)))
    assert (subset.name, subset.split, len(subset)) == ("numbers", "test", 3)
    with pytest.raises(AttributeError, match="depth_kind"):
        _ = subset.depth_kind


def test_hash_is_of_the_names_in_their_order() -> None:
    expected = hashlib.sha256(b"0\n1\n2").hexdigest()[:12]
    assert sample_list_hash(Numbers(3)) == expected
    assert sample_list_hash(Numbers(4)) != expected


def test_nyu_by_path(nyu: Path) -> None:
    source = open_source(f"nyu:{nyu}")
    assert (source.name, len(source)) == ("nyu", 5)
    subset = open_source(f"nyu:{nyu}", limit=2)
    assert list(subset.names) == ["rgb_0", "rgb_4"]
    assert subset[1].depth.max() == pytest.approx(1.004)


def test_errors_of_a_source_come_through(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        open_source(f"nyu:{tmp_path}/none")


@pytest.mark.parametrize("spec", ["kitti:/data", "room", "nyu", "nyu:", "rooms:", "", "/data/nyu"])
def test_unknown_source(spec: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown data source"):
        open_source(spec)


@pytest.mark.parametrize(("split", "count"), [("test", 50), ("validation", 50), ("train", 2000)])
def test_rooms_have_a_usual_count(split: str, count: int) -> None:
    assert len(open_source("rooms", split)) == count
    assert len(open_source("rooms:7", split)) == 7


def test_rooms_of_two_splits_are_never_the_same() -> None:
    largest: dict[str, Source] = {
        "test": open_source("rooms:10000", "test"),
        "validation": open_source("rooms:90000", "validation"),
        "train": open_source("rooms:100", "train"),
    }
    assert largest.keys() == SPLITS.keys()
    names = [name for source in largest.values() for name in source.names]
    assert len(names) == len(set(names)) == 100_100


def test_rooms_for_all_train_are_those_for_train() -> None:
    train, everything = (open_source("rooms:3", split) for split in ("train", "all-train"))
    assert sample_list_hash(train) == sample_list_hash(everything)


def test_rooms_have_the_size_asked_for() -> None:
    source = open_source("rooms:9", limit=2, size=Size(48, 64))
    assert source[0].image.shape == (48, 64, 3)
    assert source[1].name == source.names[1]


@pytest.mark.parametrize("count", ["0", "-1", "many", "1.5", "²"])
def test_rooms_without_a_count(count: str) -> None:
    with pytest.raises(UsageError, match="is no count of rooms"):
        open_source(f"rooms:{count}")


def test_rooms_beyond_their_split() -> None:
    with pytest.raises(UsageError, match="at most 10000 test rooms"):
        open_source("rooms:10001", "test")


def test_rooms_of_an_unknown_split() -> None:
    with pytest.raises(UnknownNameError, match="unknown split"):
        open_source("rooms", "tests")


def test_images_without_depth(nyu: Path) -> None:
    source = open_source(f"pictures:{nyu}", "train")
    assert has_depth(f"nyu:{nyu}") and not has_depth(f"pictures:{nyu}")
    assert (source.name, len(source)) == ("pictures", 10)  # depth files are images, too
    assert source.names[-1] == "sync_depth_4.png"
    sample = pickle.loads(pickle.dumps(source))[0]
    assert (sample.name, sample.image.shape, sample.depth.shape) == (
        "rgb_0.jpg",
        (16, 16, 3),
        (16, 16),
    )
    assert not sample.depth.any()
    assert open_source(f"pictures:{nyu}", "all-train", limit=3).names[0] == "rgb_0.jpg"


def test_images_of_a_list_that_leads_out_of_its_folder(nyu: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "list.txt"
    path.write_text(f"{nyu / 'rgb_0.jpg'}\n")
    with pytest.raises(ImageError, match="--follow-outside"):
        open_source(f"pictures:{path}", "train")[0]
    source = open_source(f"pictures:{path}", "train", follow_outside=True)
    assert source[0].image.shape == (16, 16, 3)


def test_images_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        open_source(f"pictures:{tmp_path / 'nowhere'}", "train")
    with pytest.raises(DataError, match="holds no image"):
        open_source(f"pictures:{tmp_path}", "train")
    for split in ("test", "validation"):
        with pytest.raises(UsageError, match="has no depth to compare with"):
            open_source(f"pictures:{tmp_path}", split)
