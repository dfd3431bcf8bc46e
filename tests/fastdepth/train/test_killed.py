from __future__ import annotations

import json
import random
import time

import pytest
from tiny_training import STAGES, processes, register, tensors_differ, train_traced

from fastdepth.models.loading import read_tensors
from fastdepth.train import TrainingRun, train
from fastdepth.train.checkpoint import Checkpoint
from fastdepth.train.plot import read_log

CHANGES = [
    {},
    {"ema": 0.9, "accumulation": 2, "schedule": "plateau", "fall_patience": 0},
    {"stages": STAGES, "optimiser": "sgd", "schedule": "step", "fall_epochs": (1,)},
]


def kill_and_resume(folder, tmp_path, monkeypatch, changes, kills, seed):
    """Kill a run at random points; what it comes to must be what it would have come to."""
    register(monkeypatch, **changes)
    options = {"data": (f"nyu:{folder}",), "workers": 0, "threads": 1, "checkpoint_minutes": 0.0}
    options["validation_limit"] = 2
    whole = train(TrainingRun("normed", output=tmp_path / "whole", **options))
    output = tmp_path / "killed"
    output.mkdir()
    checkpoint, trace, log = (output / n for n in ("last.safetensors", "trace", "log.jsonl"))
    trace.touch()
    clock = random.Random(seed)
    killed = 0
    for _ in range(kills):
        run = TrainingRun("normed", output=output, resume=checkpoint.exists(), **options)
        done = len(trace.read_text())
        child = processes().Process(target=train_traced, args=(run, changes))
        child.start()
        until = time.monotonic() + 60
        while child.is_alive() and time.monotonic() < until:
            if len(trace.read_text()) > done and checkpoint.exists():
                break  # before the first checkpoint there is nothing to resume
            time.sleep(0.002)
        time.sleep(clock.uniform(0, 0.3))
        child.kill()  # SIGKILL
        child.join()
        killed += child.exitcode == -9
        last = int(trace.read_text().split()[-1])
        saved = 0
        if checkpoint.exists():
            saved = Checkpoint(checkpoint, whole.total_steps).progress["step"]
        assert saved in (last - 1, last)  # a step is an interval here
        if (output / "best.safetensors").exists():
            read_tensors(output / "best.safetensors")
        whole_lines = log.read_text().rpartition("\n")[0]
        assert all(json.loads(line) for line in whole_lines.splitlines())
    assert killed >= 1
    resumed = train(TrainingRun("normed", output=output, resume=True, **options))
    assert resumed.finished
    assert tensors_differ(whole.checkpoint, checkpoint) == []
    assert (
        tensors_differ(tmp_path / "whole" / "best.safetensors", output / "best.safetensors") == []
    )
    assert not list(output.glob(".*"))
    losses, expected = (
        [(line["step"], line["loss"]) for line in read_log(path) if "loss" in line]
        for path in (log, tmp_path / "whole" / "log.jsonl")
    )
    assert dict(losses) == dict(expected)


@pytest.mark.parametrize(
    "changes",
    [*(pytest.param(c, marks=pytest.mark.thorough) for c in CHANGES[:2]), CHANGES[2]],
    ids=["plain", "averaged", "stages"],
)
def test_a_killed_run_comes_to_the_same(folder, tmp_path, monkeypatch, changes):
    kill_and_resume(folder, tmp_path, monkeypatch, changes, kills=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("changes", CHANGES, ids=["plain", "averaged", "stages"])
@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_often_comes_to_the_same(folder, tmp_path, monkeypatch, changes, seed):
    kill_and_resume(folder, tmp_path, monkeypatch, changes, kills=8, seed=seed)
