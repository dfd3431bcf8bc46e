from __future__ import annotations

import json
import shutil

import pytest
import safetensors.torch
import torch
from hostile import Family, as_json, damaged, spoiled
from hypothesis import strategies as st
from tiny_training import register

from fastdepth.models.loading import read_tensors
from fastdepth.train import TrainingRun, train
from fastdepth.train.log import TensorBoard
from fastdepth.train.plot import read_log

PROGRESS = "state/progress"
CHANGES = {"ema": 0.9, "epochs": 2}
VALUES = (0.0, -1.0, 1e30, float("nan"), float("inf"))


@pytest.fixture
def begun(folder, tmp_path, monkeypatch):
    """A run that was stopped after its first step, to be resumed at the next."""
    register(monkeypatch, **CHANGES)
    monkeypatch.setattr(TensorBoard, "__init__", lambda self, *_: vars(self).update(_writer=None))
    run = TrainingRun(
        "normed",
        (f"nyu:{folder}",),
        tmp_path / "begun",
        workers=0,
        threads=1,
        validation_limit=1,
        max_minutes=1e-9,
    )
    train(run)
    return run


def resume(run, folder, **files):
    """Take one step more in a copy of a run some of whose files are other ones."""
    output = folder / "run"
    shutil.copytree(run.output, output)
    for name, data in files.items():
        (output / name.replace("_", ".")).write_bytes(data)
    options = {**vars(run), "output": output, "resume": True}
    summary = train(TrainingRun(**options))
    assert summary.steps <= summary.total_steps
    tensors, _ = read_tensors(summary.checkpoint)
    assert all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())
    assert read_log(output / "log.jsonl")[-1]["step"] >= 0


@st.composite
def changed(draw, tensors, metadata):
    """A checkpoint some of whose tensors are lost, foreign, renamed, cut or of other numbers."""
    tensors = dict(tensors)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(tensors)))
        value = tensors.pop(name)
        match draw(st.integers(0, 6)):
            case 0:
                other = draw(st.sampled_from(("x", "state/x", "state/trained/x")))
                tensors[draw(st.sampled_from((other, f"state/optimiser/{other}")))] = value
            case 1:
                tensors[name] = value.reshape(-1)[: draw(st.integers(0, 3))].clone()
            case 2:
                kind = draw(st.sampled_from((torch.float64, torch.int64, torch.bool, torch.uint8)))
                tensors[name] = value.to(kind)
            case 3 if value.is_floating_point():
                tensors[name] = torch.full_like(value, draw(st.sampled_from(VALUES)))
            case 4:
                tensors[name] = torch.tensor(list(draw(st.binary(max_size=99))), dtype=torch.uint8)
            case 5:
                tensors[f"state/optimiser/{draw(st.integers(-1, 99))}/exp_avg"] = value
            case _:
                pass
    return safetensors.torch.save(tensors, metadata)


@pytest.mark.thorough
def test_checkpoints(try_to_break, begun):
    good = begun.checkpoint.read_bytes()
    tensors, card = read_tensors(begun.checkpoint)
    progress = json.loads(bytes(tensors[PROGRESS].tolist()))

    def with_progress(text):
        told = torch.tensor(list(text), dtype=torch.uint8)
        return safetensors.torch.save({**tensors, PROGRESS: told}, card.to_header())

    inputs = st.one_of(
        damaged([good]),
        changed(tensors, card.to_header()),
        spoiled([progress]).map(as_json).map(with_progress),
        damaged([as_json(progress)]).map(with_progress),
    )

    def read(data, to):
        resume(begun, to, last_safetensors=data)

    try_to_break(Family("checkpoints", inputs, read))


@pytest.mark.thorough
def test_logs(try_to_break, begun):
    lines = [json.loads(line) for line in begun.log.read_text().splitlines()]
    lines.append({"step": 1, "epoch": 0.5, "validation": {"loss": 1.0, "d1": 0.5}})
    lines.append({"step": 1, "epoch": 0.5, "resumed": True})

    def join(parts):
        return b"".join(part + b"\n" for part in parts)

    good = [as_json(line) for line in lines]
    line = st.one_of(st.sampled_from(good), spoiled(lines).map(as_json), damaged(good))
    inputs = st.one_of(damaged([join(good)]), st.lists(line, min_size=1, max_size=4).map(join))
    try_to_break(
        Family("training logs", inputs, lambda data, to: resume(begun, to, log_jsonl=data))
    )
