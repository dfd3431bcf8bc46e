from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import tiny_training
import torch
from tiny_training import register, tensors_differ, train_together

from fastdepth.errors import UsageError
from fastdepth.models.loading import read_tensors
from fastdepth.train import TrainingRun, train
from fastdepth.train.distributed import Processes
from fastdepth.train.loader import EpochSampler, parse_sources
from fastdepth.train.plot import read_log


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Make a run of the network without batch norm."""
    register(monkeypatch)

    def make(output, **options):
        defaults = {"data": (f"nyu:{folder}",), "workers": 0, "threads": 1, "validation_limit": 2}
        return TrainingRun("plain", output=tmp_path / output, **{**defaults, **options})

    return make


def losses(run):
    return [line["loss"] for line in read_log(run.log) if "loss" in line]


@pytest.mark.parametrize(
    ("rank", "count"), [("x", "2"), ("0", "0"), ("2", "2"), ("-1", "2"), ("0", ""), ("1", "1")]
)
def test_variables_that_are_not_torchruns_are_one_line(monkeypatch, rank, count):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", count)
    with pytest.raises(UsageError, match="are not torchrun's; unset them"):
        Processes()


def test_processes_that_do_not_meet_are_one_line(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(UsageError, match="start by torchrun"),
        Processes().joined(torch.device("cpu")),
    ):
        pass


@pytest.mark.thorough
def test_two_processes_learn_what_one_does(run):
    alone, together = run("alone"), run("together")
    train(alone)
    train_together(2, together)
    assert len(losses(alone)) > 20
    assert losses(together) == pytest.approx(losses(alone), abs=1e-4)
    assert sum(losses(alone)[-5:]) < 0.95 * sum(losses(alone)[:5])
    (one, _), (two, _) = read_tensors(alone.checkpoint), read_tensors(together.checkpoint)
    for name in ("coarse.0.weight", "fine.weight"):
        torch.testing.assert_close(one[name], two[name], atol=1e-3, rtol=0)


@pytest.mark.thorough
def test_two_processes_stop_at_the_same_step_and_go_on_together(run):
    whole, parted = run("whole"), run("parted")
    changes = {"ema": 0.9, "accumulation": 2}
    train_together(2, whole, **changes)
    train_together(2, parted, stop_at=6, **changes)  # a signal to one stops both
    assert len(losses(parted)) == 6
    train_together(2, run("parted", resume=True), **changes)
    assert tensors_differ(whole.checkpoint, parted.checkpoint) == []
    assert losses(parted) == losses(whole)


@pytest.mark.slow
def test_the_command_under_torchrun(folder, run, tmp_path):
    alone = run("alone")
    train(alone)
    script = [str(Path(tiny_training.__file__)), "--variant", "plain", "--data", f"nyu:{folder}"]
    options = ["--workers", "0", "--threads", "1", "--validation-limit", "2"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    done = subprocess.run(
        [*launcher, "2", *script, *options, "--output", str(tmp_path / "t")],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("best validation d1") == 1  # one speaks for all
    assert losses(run("t")) == pytest.approx(losses(alone), abs=1e-4)


def test_the_shares_of_all_processes_are_the_batch_of_one(folder):
    sources = parse_sources([f"nyu:{folder}"], "train")
    whole = list(EpochSampler(sources, 6, 2, 0))
    shares = [list(EpochSampler(sources, 6, 2, 0, processes=3, rank=rank)) for rank in range(3)]
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        assert [len(part) for part in parts] == [2, 2, 2]
        assert sorted(batch) == sorted(key for part in parts for key in part)


def test_a_batch_that_cannot_be_shared(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UsageError, match="4 processes cannot share a batch of 5; try 8"):
        Processes().check_batch(5)


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    assert Processes().device("cuda") == "cuda"
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Processes().device("cuda") == "cuda:1"
    assert Processes().device("cpu") == "cpu"
