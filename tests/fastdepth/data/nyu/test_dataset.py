"""NYU Depth V2 in its three layouts, made small, and every way in which a copy can be broken."""

from __future__ import annotations

import csv
import multiprocessing
import os
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fastdepth.data.nyu import mat
from fastdepth.data.nyu.dataset import open_nyu
from fastdepth.data.nyu.mat import official_training_set
from fastdepth.data.splits import HELD_OUT, REST, SPLITS, is_validation_scene
from fastdepth.errors import DataError, ImageError, UnknownNameError

SCENES = [f"office_{number:04d}" for number in range(30)]
"""Names of which some fall into validation: :func:`is_validation_scene` tells which."""

SIZE = (24, 32)
"""Height and width of the images; depth in the manifest layout has half of it."""

Layout = Callable[[Path], Path]


def metres(index: int) -> float:
    """Depth of the whole of image ``index`` [m]."""
    return 1 + index / 10


def write_pair(image: Path, depth: Path, index: int, shape: tuple[int, int] = SIZE) -> None:
    """An image whose red is its index, and its depth in millimetres with a hole at (0, 0)."""
    for path in (image, depth):
        path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), np.full((*SIZE, 3), (0, 0, index), np.uint8))
    millimetres = np.full(shape, round(1000 * metres(index)), np.uint16)
    millimetres[0, 0] = 0
    cv2.imwrite(str(depth), millimetres)


def write_manifest(folder: Path) -> Path:
    """30 training images of 30 scenes and 2 test images."""
    rows = [("train", index, scene) for index, scene in enumerate(SCENES)]
    rows += [("test", index, "kitchen") for index in (30, 31)]
    with (folder / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "depth", "split", "scene"])
        for split, index, scene in rows:
            image, depth = f"{split}/{index:05d}_rgb.png", f"{split}/{index:05d}.png"
            write_pair(folder / image, folder / depth, index, (12, 16))
            writer.writerow([image, depth, split, scene])
    return folder


def write_lists(folder: Path) -> Path:
    """The same as scene folders below ``sync`` and ``official_splits/test``, with list files."""
    (folder / "splits").mkdir()
    lines: dict[str, list[str]] = {"train": [], "test": []}
    for index, scene in enumerate([*SCENES, "kitchen", "kitchen"]):
        split, base = ("train", "sync") if index < 30 else ("test", "official_splits/test")
        image, depth = f"/{scene}/rgb_{index:05d}.png", f"/{scene}/sync_depth_{index:05d}.png"
        write_pair(folder / f"{base}{image}", folder / f"{base}{depth}", index)
        lines[split].append(f"{image} {depth} 518.8579")
    lines["test"].append("/kitchen/rgb_00099.png None 518.8579")
    for split, content in lines.items():
        (folder / f"splits/nyudepthv2_{split}_files.txt").write_text("\n".join(content) + "\n")
    training = f"sync/{SCENES[0]}/rgb_00000.png sync/{SCENES[0]}/sync_depth_00000.png 518.8579"
    (folder / "latest.txt").write_text(training)  # has "test" in its name, but not as a word
    return folder


def write_mat(folder: Path, unit: float = 1.0) -> Path:
    """The first 20 images of the official file; 3-8, 10-13 and 19-20 are for training."""
    h5py = pytest.importorskip("h5py")
    height, width = SIZE
    values = np.arange(20)
    images = np.zeros((20, 3, width, height), np.uint8)
    images[:, 0] = values[:, None, None]
    depths = np.empty((20, width, height), np.float32)
    depths[:] = unit * np.array([metres(index) for index in range(20)])[:, None, None]
    depths[:, 0, 0] = 0
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"], file["depths"] = images, depths
        references = file.create_dataset("scenes", (1, 20), h5py.ref_dtype)
        for index in values:
            letters = np.frombuffer(SCENES[index].encode("utf-16-le"), np.uint16)
            file[f"#refs#/{index}"] = letters[:, None]
            references[0, index] = file[f"#refs#/{index}"].ref
    return folder


LAYOUTS = pytest.mark.parametrize("write", [write_manifest, write_lists, write_mat])


@LAYOUTS
def test_validation_and_train_part_the_training_scenes(tmp_path: Path, write: Layout) -> None:
    write(tmp_path)
    train, validation, test, everything = (open_nyu(tmp_path, split) for split in SPLITS)
    assert sorted([*train.names, *validation.names]) == sorted(everything.names)
    assert not set(train.scenes) & set(validation.scenes)
    assert all(is_validation_scene(scene) for scene in validation.scenes)
    assert not set(test.names) & set(everything.names)


@LAYOUTS
def test_folds_part_the_training_scenes(tmp_path: Path, write: Layout) -> None:
    write(tmp_path)
    everything = open_nyu(tmp_path, "all-train")
    found = []
    for held_out, rest in zip(HELD_OUT, REST, strict=True):
        others = open_nyu(tmp_path, rest)
        assert set(others.names) <= set(everything.names)
        fold = sorted({*everything.names}.difference(others.names))
        if fold:  # few scenes may leave one empty
            held = open_nyu(tmp_path, held_out)
            assert sorted(held.names) == fold
            assert not set(held.scenes) & set(others.scenes)
        found += fold
    assert sorted(found) == sorted(everything.names)


@LAYOUTS
def test_samples_are_what_was_stored(tmp_path: Path, write: Layout) -> None:
    source = open_nyu(write(tmp_path), "all-train")
    for sample, name, scene in zip(source, source.names, source.scenes, strict=True):
        index = SCENES.index(scene)
        assert (sample.name, sample.scene) == (name, scene)
        assert sample.image.dtype == np.uint8 and sample.depth.dtype == np.float32
        assert sample.image.shape == (*SIZE, 3)
        assert (sample.image == (index, 0, 0)).all()
        assert sample.depth[0, 0] == 0
        assert sample.depth[1:].min() == sample.depth.max() == pytest.approx(metres(index))


@LAYOUTS
def test_indices_behave_as_in_a_list(tmp_path: Path, write: Layout) -> None:
    source = open_nyu(write(tmp_path), "test")
    assert source[-1].name == source[len(source) - 1].name == source.names[-1]
    for index in (len(source), -len(source) - 1):
        with pytest.raises(IndexError):
            source[index]


@LAYOUTS
def test_an_unpickled_source_reads_the_same(tmp_path: Path, write: Layout) -> None:
    source = open_nyu(write(tmp_path), "test")
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[1].depth, source[1].depth)


@LAYOUTS
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_worker_reads_the_same(tmp_path: Path, write: Layout) -> None:
    source = open_nyu(write(tmp_path), "test")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(pool.map(source.__getitem__, [1])[0].image, source[1].image)


def test_every_process_opens_the_mat_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_nyu(write_mat(tmp_path), "test")
    opened: list[Path] = []
    actual = mat._open

    def counted(path: Path, follow_outside: bool) -> object:
        opened.append(path)
        return actual(path, follow_outside)

    monkeypatch.setattr(mat, "_open", counted)
    _ = source[0]
    assert not opened  # the handle of this process is kept
    monkeypatch.setattr(os, "getpid", lambda: -1)
    _ = source[0], source[1]
    assert len(opened) == 1


def test_what_results_must_say_of_the_depth(tmp_path: Path) -> None:
    kinds = {}
    for write in (write_manifest, write_lists):
        (tmp_path / write.__name__).mkdir()
        kinds[write] = open_nyu(write(tmp_path / write.__name__), "test").depth_kind
    assert kinds == {write_manifest: "in-painted", write_lists: "raw with holes"}


def test_depth_may_be_smaller_than_its_image(tmp_path: Path) -> None:
    sample = open_nyu(write_manifest(tmp_path), "test")[0]
    assert (sample.image.shape, sample.depth.shape) == ((24, 32, 3), (12, 16))


def test_pairs_are_found_by_number_without_a_list(tmp_path: Path) -> None:
    scene = tmp_path / "train" / SCENES[0]
    write_pair(scene / "rgb_00003.jpg", scene / "sync_depth_00003.png", 3)
    write_pair(scene / "rgb_00004.jpg", scene / "sync_depth_00005.png", 4)
    source = open_nyu(tmp_path, "all-train")
    assert source.names == [f"{SCENES[0]}/rgb_00003"]
    with pytest.raises(DataError, match="holds no test pairs"):
        open_nyu(tmp_path, "test")


def test_parts_of_one_recording_stay_together() -> None:
    scenes = [f"kitchen_{number:04d}" for number in range(1000)]
    held_out = [scene for scene in scenes if is_validation_scene(scene)]
    assert 70 < len(held_out) < 130
    assert all(is_validation_scene(scene + part) for scene in held_out for part in "abc")


def test_validation_scenes_are_the_same_at_every_run() -> None:
    held_out = [scene for scene in SCENES if is_validation_scene(scene)]
    assert held_out == ["office_0005", "office_0010", "office_0020"]


def test_official_split() -> None:
    training = official_training_set()
    assert len(training) == 795 and min(training) == 3 and max(training) <= 1449
    assert training.isdisjoint({1, 2, 9, 14})


def test_official_names_are_indices_from_zero(tmp_path: Path) -> None:
    write_mat(tmp_path)
    assert open_nyu(tmp_path, "test").names[:3] == ["test/00000", "test/00001", "test/00008"]
    file = tmp_path / "nyu_depth_v2_labeled.mat"
    assert len(open_nyu(file, "all-train")) == 12  # 3-8, 10-13, 19-20


def test_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'validation'"):
        open_nyu(tmp_path, "validate")


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none does not exist; check the path; give the folder"):
        open_nyu(tmp_path / "none")


def test_path_to_some_other_file(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    with pytest.raises(DataError, match="is not a folder; give"):
        open_nyu(tmp_path / "a.zip")


def test_folder_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no test pairs; give"):
        open_nyu(tmp_path)


def test_no_scene_for_validation(tmp_path: Path) -> None:
    scene = next(scene for scene in SCENES if not is_validation_scene(scene))
    folder = tmp_path / "train" / scene
    write_pair(folder / "rgb_00003.jpg", folder / "sync_depth_00003.png", 3)
    with pytest.raises(DataError, match="falls into 'validation'; give more scenes"):
        open_nyu(tmp_path, "validation")


@pytest.mark.parametrize("write", [write_manifest, write_lists])
def test_missing_files_are_counted_at_opening(tmp_path: Path, write: Layout) -> None:
    write(tmp_path)
    gone = sorted(path for path in tmp_path.rglob("*/*0000[57]*.png"))
    for path in gone:
        path.unlink()
    with pytest.raises(DataError, match=r"names 4 missing files of 60, first .*0005"):
        open_nyu(tmp_path, "train")


def test_a_list_of_which_nothing_exists(tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("/a/rgb_1.jpg /a/sync_depth_1.png 518.8579\n")
    with pytest.raises(DataError, match="names 2 missing files of 2"):
        open_nyu(tmp_path)


def test_malformed_list(tmp_path: Path) -> None:
    write_lists(tmp_path)
    with (tmp_path / "splits/nyudepthv2_test_files.txt").open("a") as stream:
        stream.write("kitchen/rgb_00100.png\n")
    with pytest.raises(DataError, match="line 4 is not 'IMAGE DEPTH FOCAL'"):
        open_nyu(tmp_path)


def test_manifest_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("image,depth,split\n")
    with pytest.raises(DataError, match="lacks columns: scene; add"):
        open_nyu(tmp_path)


def test_depth_with_eight_bits(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    cv2.imwrite(str(tmp_path / "test/00030.png"), np.full(SIZE, 200, np.uint8))
    with pytest.raises(DataError, match=r"uint8 values.*millimetres stored as a uint16"):
        open_nyu(tmp_path)


@pytest.mark.parametrize("stored", [3, 60_000])
def test_depth_in_another_unit(tmp_path: Path, stored: int) -> None:
    write_manifest(tmp_path)
    cv2.imwrite(str(tmp_path / "test/00031.png"), np.full(SIZE, stored, np.uint16))
    source = open_nyu(tmp_path)  # opening looks at the first sample only
    with pytest.raises(DataError, match=r"00031.*unit is wrong.*millimetres stored as uint16"):
        source[1]


def test_mat_in_millimetres(tmp_path: Path) -> None:
    write_mat(tmp_path, unit=1000)
    with pytest.raises(DataError, match=r"image 1: .*unit is wrong.*\.mat depth metres"):
        open_nyu(tmp_path)


@pytest.mark.parametrize("broken", ["image", "depth"])
def test_truncated_files(tmp_path: Path, broken: str) -> None:
    write_manifest(tmp_path)
    path = tmp_path / ("test/00030_rgb.png" if broken == "image" else "test/00030.png")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ImageError if broken == "image" else DataError, match=f"{path}.*truncated"):
        open_nyu(tmp_path)


def test_an_image_that_is_none(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    (tmp_path / "test/00030_rgb.png").write_text("404 not found")
    with pytest.raises(ImageError, match=r"00030_rgb\.png is not an image"):
        open_nyu(tmp_path)


def test_an_image_that_cannot_be_opened(tmp_path: Path) -> None:
    write_manifest(tmp_path)
    (tmp_path / "test/00030_rgb.png").unlink()
    (tmp_path / "test/00030_rgb.png").mkdir()
    with pytest.raises(ImageError, match=r"00030_rgb\.png is a folder"):
        open_nyu(tmp_path)


def test_a_mat_of_something_else(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["images"] = np.zeros((2, 3, 8, 8), np.uint8)
    with pytest.raises(DataError, match=r"a\.mat has no depths, scenes; give nyu_depth_v2_labeled"):
        open_nyu(tmp_path / "a.mat")


def test_mat_of_other_shapes(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["images"], file["depths"] = np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8))
        file["scenes"] = np.zeros((1, 2))
    with pytest.raises(DataError, match=r"a\.mat has images \(2, 8, 8, 3\)"):
        open_nyu(tmp_path / "a.mat")


def test_mat_that_is_no_hdf5_or_truncated(tmp_path: Path) -> None:
    path = write_mat(tmp_path) / "nyu_depth_v2_labeled.mat"
    path.write_bytes(path.read_bytes()[:5000])
    (tmp_path / "old.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(500))
    for broken in (path, tmp_path / "old.mat"):
        with pytest.raises(DataError, match=r"truncated or not a MATLAB v7\.3 file"):
            open_nyu(broken)


def test_a_list_may_be_given_by_name(tmp_path: Path) -> None:
    write_lists(tmp_path)
    whole = tmp_path / "splits/nyudepthv2_train_files.txt"
    part = tmp_path / "splits/nyudepthv2_train_files_part.txt"
    part.write_text("".join(whole.read_text().splitlines(keepends=True)[:7]))
    assert len(open_nyu(whole, "all-train")) == len(open_nyu(tmp_path, "all-train")) == 30
    source = open_nyu(part, "all-train")
    assert source.names == [f"{SCENES[index]}/rgb_{index:05d}" for index in range(7)]
    assert source[6].depth.max() == pytest.approx(metres(6))
    with pytest.raises(DataError, match=r"part\.txt lists train images; for test give"):
        open_nyu(part, "test")


@pytest.mark.parametrize(
    ("focal", "message"),
    [("721.5377", "has the focal length 721.538 px, NYU"), ("f", "'f' is no focal length")],
)
def test_a_list_of_another_camera(tmp_path: Path, focal: str, message: str) -> None:
    write_lists(tmp_path)
    path = tmp_path / "splits/nyudepthv2_test_files.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace("518.8579", focal)]))
    with pytest.raises(DataError, match=f"test_files.txt line 2.*{message}"):
        open_nyu(tmp_path)


def test_the_focal_length_may_be_left_out(tmp_path: Path) -> None:
    write_lists(tmp_path)
    path = tmp_path / "splits/nyudepthv2_test_files.txt"
    path.write_text(path.read_text().replace(" 518.8579", ""))
    assert len(open_nyu(tmp_path)) == 2


def test_fifty_thousand_frames_open_without_a_look_at_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = [f"kitchen_{number:04d}" for number in range(100)]
    for scene in scenes:
        write_pair(tmp_path / scene / "rgb_00001.jpg", tmp_path / scene / "sync_depth_00001.png", 1)
    lines = [f"/{s}/rgb_00001.jpg /{s}/sync_depth_00001.png 518.8579" for s in scenes * 500]
    (tmp_path / "nyudepthv2_train_files_with_gt.txt").write_text("\n".join(lines))
    asked = []
    actual = os.stat
    monkeypatch.setattr(os, "stat", lambda *path, **how: asked.append(path) or actual(*path, **how))
    assert len(open_nyu(tmp_path, "all-train")) == 50_000
    assert 0 < len(asked) < 1000


@pytest.mark.parametrize("layout", ["list", "mat"])
def test_two_hundred_samples_are_never_held_together(tmp_path: Path, layout: str) -> None:
    count, height, width = 200, 240, 320
    if layout == "list":
        scene = tmp_path / "kitchen_0001"
        scene.mkdir()
        cv2.imwrite(str(scene / "rgb_1.jpg"), np.full((height, width, 3), 90, np.uint8))
        cv2.imwrite(str(scene / "sync_depth_1.png"), np.full((height, width), 2000, np.uint16))
        line = "kitchen_0001/rgb_1.jpg kitchen_0001/sync_depth_1.png 518.8579\n"
        (tmp_path / "train.txt").write_text(count * line)
    else:
        write_empty_mat(tmp_path, 2 * count, height, width)
    tracemalloc.start()
    try:
        read = 0
        for sample in open_nyu(tmp_path, "all-train"):
            assert sample.depth.max() == 2
            read += sample.image.nbytes + sample.depth.nbytes
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read >= 100e6
    assert peak < 10e6


def write_empty_mat(folder: Path, count: int, height: int, width: int) -> None:
    """A labelled set of which nothing is stored: grey images, two metres everywhere."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        shape = (count, width, height)
        file.create_dataset("images", (count, 3, width, height), np.uint8, fillvalue=90)
        file.create_dataset("depths", shape, np.float32, fillvalue=2)
        file["scene"] = np.frombuffer("kitchen_0001".encode("utf-16-le"), np.uint16)[:, None]
        references = file.create_dataset("scenes", (1, count), h5py.ref_dtype)
        references[:] = file["scene"].ref
