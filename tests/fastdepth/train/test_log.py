from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fastdepth.errors import InputError, OutputError
from fastdepth.train.log import Pace, TensorBoard, TrainingLog
from fastdepth.train.plot import read_log


def test_entries_come_back(tmp_path):
    log = TrainingLog(tmp_path / "log.jsonl", TensorBoard(tmp_path))
    log.write(step=20, loss=3.0)
    log.write(step=40, validation={"d1": 0.5})
    assert read_log(log.path) == [
        {"step": 20, "loss": 3.0},
        {"step": 40, "validation": {"d1": 0.5}},
    ]


def test_half_a_line_of_a_killed_writer_is_cut_off(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 20}\n{"step": 4')
    TrainingLog(path, TensorBoard(tmp_path)).write(step=30)
    assert [line["step"] for line in read_log(path)] == [20, 30]


@pytest.mark.parametrize(
    "line",
    [
        b"\xff",
        b"oops",
        b"[]",
        b"{}",
        b"[" * 99_999,
        b'{"step": "3"}',
        b'{"step": -1}',
        b'{"step": 1e999}',
        b'{"step": 3, "loss": "low"}',
        b'{"step": 3, "epoch": null}',
        b'{"step": 3, "validation": [1]}',
        b'{"step": 3, "validation": {"d1": "good"}}',
        b'{"step": 3, "resumed": "yes"}',
    ],
)
def test_a_damaged_line_is_named_before_anything_is_trained(tmp_path, line):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 2}\n\n' + line + b'\n{"step": 4}\n')
    with pytest.raises(InputError, match="log.jsonl, line 3.*; remove that line") as raised:
        TrainingLog(path, TensorBoard(tmp_path))
    assert len(str(raised.value)) < 400
    assert path.read_bytes().count(b"\n") == 4


def test_what_python_writes_of_infinity_is_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 2, "validation": {"loss": NaN, "d1": Infinity}}\n')
    assert len(read_log(path)) == 1


def test_something_else_in_its_place_is_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing" / "file")
    for name in ("pipe", "folder", "nowhere"):
        with pytest.raises(InputError):
            TrainingLog(tmp_path / name, TensorBoard(tmp_path))


def test_a_log_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    log = TrainingLog(tmp_path / "folder" / "log.jsonl", TensorBoard(tmp_path))
    with pytest.raises(OutputError, match="cannot write .*log.jsonl: No such file"):
        log.write(step=1)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match="No space left on device"):
        log.write(step=1)


def test_a_board_that_cannot_be_written_is_one_line(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        TensorBoard(tmp_path / "file")


def test_rate_and_share_of_waiting():
    pace = Pace()
    assert pace.images_per_second == 0
    pace.add(4, 5.0, 1.0)  # the first wait is for the workers to start
    for _ in range(3):
        pace.add(4, 1.0, 3.0)
    assert pace.images_per_second == pytest.approx(16 / 18)
    assert pace.waiting() == pytest.approx(0.25)
    pace.add(4, 0.0, 1.0)
    assert pace.waiting() == 0  # since it was last asked


def test_rates_of_the_loader_and_of_the_step_alone():
    pace = Pace(workers=2)
    assert pace.loader_images_per_second == pace.step_images_per_second == 0
    for _ in range(3):
        pace.add(4, waited=1.0, worked=0.5, prepared=4.0)
    assert pace.step_images_per_second == pytest.approx(8)
    assert pace.loader_images_per_second == pytest.approx(2)  # each of the two one a second
    own = Pace(workers=0)
    own.add(4, waited=4.0, worked=0.5, prepared=4.0)
    assert own.loader_images_per_second == pytest.approx(1)
