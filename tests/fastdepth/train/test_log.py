from __future__ import annotations

import pytest

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
