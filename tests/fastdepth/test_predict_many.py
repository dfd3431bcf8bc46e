"""The command over folders, shards and lists: names, what is skipped, and processes that die."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import fakes_of_engines
import numpy as np
import pytest
from tiny_onnx import write_model

from fastdepth.errors import FastDepthError
from fastdepth.images.collection import ImageFile
from fastdepth.images.parallel import ENGINES, Done, Function, Workers, map_here, usable_cores
from fastdepth.predict import Options, main
from fastdepth.predict import images as predict
from fastdepth.predict import options as options_of

Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tiny_file: Path, tmp_path: Path) -> Run:
    """Run the command with the tiny model into out, must give the status: what it says."""

    def command(*words: object, status: int = 0) -> str:
        output = () if "--output" in words else ("--output", tmp_path / "out")
        assert main([*map(str, (tiny_file, *words, *output))]) == status
        return capsys.readouterr().err

    return command


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five images in a folder and one below it, each of another grey."""
    names = "a.jpg", "a.png", "b.jpg", "c.jpg", "below/a.jpg"
    for number, name in enumerate(names):
        put(tmp_path / "photos" / name, 50 + 20 * number)
    return tmp_path / "photos"


def put(path: Path, grey: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 30, 3), grey, np.uint8))


def files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def both(*stems: str) -> list[str]:
    return sorted(f"{stem}_{kind}.png" for stem in stems for kind in ("depth", "colour"))


def test_a_folder_is_mirrored_and_finished_images_are_skipped(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    said = run(photos)
    assert said == f"5 of 5 images written to {tmp_path}/out, 0 skipped, 0 failed (tiny on cpu)\n"
    assert files(tmp_path / "out") == both("a", "a.png", "b", "c", "below/a")
    depth = cv2.imread(str(tmp_path / "out" / "below" / "a_depth.png"), cv2.IMREAD_UNCHANGED)
    assert depth.mean() == pytest.approx(130 * 40, rel=0.02)

    (tmp_path / "out" / "b_colour.png").unlink()
    (tmp_path / "out" / ".fastdepth-0123abcd-abcdefgh.png").write_bytes(
        b"half, by one that was killed"
    )
    (tmp_path / "out" / "c_depth.png").write_bytes(b"there")
    assert "1 of 5 images written" in (said := run(photos))
    assert "4 skipped, 0 failed" in said
    assert cv2.imread(str(tmp_path / "out" / "b_colour.png")) is not None
    assert (tmp_path / "out" / "c_depth.png").read_bytes() == b"there"

    assert "5 of 5 images" in run(photos, "--npy")  # one more file is asked
    assert "0 of 5 images written" in run(photos)


def test_sources_of_several_kinds(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("photos/b.jpg\nphotos/none.jpg\n")
    put(tmp_path / "x" / "one.png")
    words = photos / "below", tmp_path / "list.txt", tmp_path / "x" / "one.png"
    said = run(*words, status=2)
    error, summary = said.splitlines()
    assert error == f"fastdepth-predict: {photos}/none.jpg does not exist; check the path"
    assert summary.startswith("3 of 4 images written")
    assert "0 skipped, 1 failed" in summary
    assert files(tmp_path / "out") == both("below/a", "list/photos/b", "one")


def test_a_list_that_leads_out_of_its_folder(run: Run, photos: Path, tmp_path: Path) -> None:
    put(tmp_path / "secret.png")
    (photos / "list.txt").write_text("b.jpg\n../secret.png\n/\nbelow\n")
    path = photos / "list.txt"
    secret, root, summary = run(path, status=2).splitlines()
    assert secret.startswith(f"fastdepth-predict: {path} names '../secret.png', which is outside")
    assert "'/', which is outside" in root and "--follow-outside" in root
    assert summary.startswith("2 of 4 images written")
    (photos / "list.txt").write_text("b.jpg\n../secret.png\n")
    assert "1 of 2 images written" in run(path, "--follow-outside")
    assert (tmp_path / "out" / "outside" / f"{tmp_path}/secret.png_depth.png".lstrip("/")).exists()


def test_images_named_one_by_one_are_predicted_anew(run: Run, photos: Path, tmp_path: Path) -> None:
    for grey in 40, 80:
        put(photos / "b.jpg", grey)
        assert "1 of 1 images written" in run(photos / "b.jpg")
        depth = cv2.imread(str(tmp_path / "out" / "b_depth.png"), cv2.IMREAD_UNCHANGED)
        assert depth.mean() == pytest.approx(grey * 40, rel=0.02)


def test_output_within_the_images_is_not_predicted(run: Run, photos: Path) -> None:
    said = []
    for _ in range(2):
        words = photos, "--output", photos / "depth"
        said.append(run(*words).partition(" images")[0])
    assert said == ["5 of 5", "0 of 5"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{photos}", "--engine", "threads"], "unknown engine 'threads'"),
        (
            ["{photos}", "--workers", "2", "--engine", "here"],
            "--workers is for --engine process or --engine ray",
        ),
        (["{photos}", "--workers", "0"], "workers 0 must be 1 to 1024"),
        (["{photos}", "--engine", "ray", "--provider", "cuda"], "ray runs on the CPU"),
        (["{photos}/empty"], "no images in"),
        (["{photos}/none.txt"], "none.txt does not exist"),
    ],
)
def test_what_cannot_work_is_one_line(
    run: Run, photos: Path, words: list[str], message: str
) -> None:
    (photos / "empty").mkdir()
    (line,) = run(*(word.format(photos=photos) for word in words), status=2).splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("options", "few", "many", "count", "threads"),
    [
        ({}, "here", "process", 8, 1),
        ({"threads": 2}, "here", "process", 4, 2),
        ({"workers": 3}, "process", "process", 3, 2),
        ({"workers": 3, "threads": 5, "engine": "ray"}, "ray", "ray", 3, 5),
        ({"threads": 20, "engine": "here"}, "here", "here", 1, 20),
        ({"provider": "cuda"}, "here", "here", 1, 8),
        ({"provider": "cuda", "workers": 2}, "process", "process", 2, 4),
    ],
)
def test_engines_and_their_share_of_the_cores(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    few: str,
    many: str,
    count: int,
    threads: int,
) -> None:
    assert usable_cores() >= 1
    monkeypatch.setattr(options_of, "usable_cores", lambda: 8)
    asked = Options(tmp_path / "m.onnx", (tmp_path,), tmp_path / "out", **options)
    assert (asked.engine_for(many=False), asked.engine_for(many=True)) == (few, many)
    assert (asked.split().count, asked.split().threads) == (count, threads)


def test_many_images_go_to_a_pool(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def pool(function: Function, images: Iterable[ImageFile], workers: Workers) -> Iterator[Done]:
        asked.append(workers.count)
        return map_here(function, images, workers)

    monkeypatch.setitem(ENGINES, "process", pool)
    for number in range(predict.MANY - 5):
        put(photos / f"{number}.jpg")
    assert "32 of 32 images written" in run(photos)
    assert "0 of 32 images written" in run(photos)
    assert asked == [usable_cores()]


def test_a_image_that_a_list_repeats_is_written_once(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("photos/a.jpg\nphotos/b.jpg\nphotos/./a.jpg\n")
    assert "2 of 3 images written" in run(tmp_path / "list.txt")


def check_deaths(run: Run, photos: Path, tmp_path: Path, *words: object) -> None:
    """Predict with processes that are killed at three images: all but one are written once."""
    for name in ("a1-half", "b1-unsaid", "b2-poison"):
        shutil.copy(photos / "a.jpg", photos / f"{name}.jpg")
    error, summary = run(photos, *words, "--workers", "2", status=2).splitlines()
    assert error.startswith(f"fastdepth-predict: {photos}/b2-poison.jpg ended its process twice")
    assert summary.startswith("7 of 8 images written")
    assert "0 skipped, 1 failed" in summary
    whole = ["a", "a.png", "a1-half", "b", "b1-unsaid", "c", "below/a"]
    assert files(tmp_path / "out") == both(*whole)  # and nothing half or hidden beside them
    assert fakes_of_engines.written(tmp_path / "out") == sorted(
        f"{stem.removesuffix('.png')}{'.png' if '.png' in stem else '.jpg'}" for stem in whole
    )


@pytest.mark.thorough
def test_killed_processes_lose_and_repeat_nothing(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "predict_image", fakes_of_engines.predict_or_die)
    check_deaths(run, photos, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray Data warns of its own options
def test_killed_processes_of_ray_lose_and_repeat_nothing(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(sys.path)
    )  # the tests' folder is none of Ray's
    monkeypatch.setattr(predict, "predict_image", fakes_of_engines.predict_or_die)
    monkeypatch.setattr("fastdepth.images.parallel.RAY_CHUNK", 3)
    check_deaths(run, photos, tmp_path, "--engine", "ray")


def test_what_is_wrong_with_one_image_never_ends_the_run(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    os.mkfifo(photos / "pipe.jpg")
    (photos / "loop.jpg").symlink_to("loop.jpg")
    put(photos / ("n" * 245 + ".jpg"))
    put(tmp_path / "out" / "photos" / "b_depth.png" / "in-the-way.png")
    cv2.imwrite(str(photos / "large.jpg"), np.zeros((101, 100, 3), np.uint8))
    (photos / "list.txt").write_bytes(
        b"a.jpg\nnul\0.jpg\n" + b"y" * 300 + b".jpg\n../photos/c.jpg\n"
    )
    said = run(photos, photos / "list.txt", "--max-pixels", "10000", status=2).splitlines()
    *errors, summary = said
    assert summary.startswith("6 of 13 images written")
    assert "0 skipped, 7 failed" in summary
    reasons = "\n".join(errors)
    for reason in ("a named pipe", "Too many levels", "too large", "cannot be a path", "a folder"):
        assert reason in reasons
    assert reasons.count("File name too long") == 2
    assert len(errors) == 7


def test_an_output_that_cannot_be_written_is_said_once(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (line,) = run(photos, "--output", tmp_path / "file" / "out", status=2).splitlines()
    assert line.endswith("is not a folder; give another")
    monkeypatch.setattr(os, "access", lambda *_: False)
    (line,) = run(photos, status=2).splitlines()
    assert "no permission" in line


def test_a_full_disk_ends_the_run(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (line,) = run(photos, status=2).splitlines()
    assert "No space left on device" in line


def test_memory_that_does_not_suffice_for_one_image_is_named(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(predict, "colourise", too_much)
    lines = run(photos, status=2).splitlines()
    assert len(lines) == 5
    assert all("does not fit into memory" in line for line in lines)


@pytest.mark.parametrize("metres", [0.0, -0.01, float("nan")])
def test_a_model_that_answers_with_no_depth_is_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], metres: float
) -> None:
    try:
        model = write_model(tmp_path / "none.onnx", metres=metres)
    except FastDepthError:
        return
    assert main([str(model), str(photos / "a.jpg"), "--output", str(tmp_path / "out")]) == 2
    assert not list((tmp_path / "out").glob("*"))
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (["x_depth.png", "x.jpg", "--output", "."], "x.jpg: x_depth.png"),
        (["link.png", "x.jpg", "--output", "."], "x.jpg: x_depth.png"),
        (["list.txt", "--output", "."], "x.jpg: x_depth.png"),
        (["deep", "y.jpg", "--output", "."], "deep/deep/y/y.jpg: deep/deep/y/y_depth.png"),
    ],
)
def test_no_image_is_written_over(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], lost: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.jpg", "x_depth.png", "deep/y/y_depth.png", "deep/deep/y/y.jpg", "y.jpg"):
        put(tmp_path / name)
    (tmp_path / "link.png").symlink_to("x_depth.png")
    (tmp_path / "list.txt").write_text("x.jpg\nx_depth.png\n")
    before = (tmp_path / "x_depth.png").read_bytes(), files(tmp_path / "deep")
    said = run(*words, status=2)
    assert f"{lost} is an input or in a folder of images; give another --output" in said
    assert (tmp_path / "x_depth.png").read_bytes() == before[0]
    assert set(before[1]) <= set(files(tmp_path / "deep"))


def test_an_image_called_like_an_output_is_predicted_beside_others(
    run: Run, tmp_path: Path
) -> None:
    put(tmp_path / "out" / "x_depth.png")
    assert "1 of 1 images written" in run(tmp_path / "out" / "x_depth.png")
    assert files(tmp_path / "out") == sorted([*both("x_depth"), "x_depth.png"])
