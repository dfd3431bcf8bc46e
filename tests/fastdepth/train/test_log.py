from __future__ import annotations

from fastdepth.train.log import TensorBoard, TrainingLog
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
