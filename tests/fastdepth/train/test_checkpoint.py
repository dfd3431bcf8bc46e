"""What is resumed, and what never becomes a checkpoint."""

from __future__ import annotations

import json
import math
import resource
from pathlib import Path

import pytest
import safetensors.torch
import torch
from tiny_training import register

from fastdepth.errors import DivergenceError, OutputError, UsageError, WeightsError
from fastdepth.models.loading import read_tensors
from fastdepth.train import TrainingRun, train
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.trainer import Trainer
from fastdepth.weights import WeightsCard

PROGRESS = "state/progress"


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Make a run that stops after a step."""

    def make(changes=None, **options):
        register(monkeypatch, **(changes or {}))
        defaults = {"data": (f"nyu:{folder}",), "workers": 0, "threads": 1, "validation_limit": 1}
        defaults |= {"output": tmp_path / "run", "max_minutes": 1e-9}
        return TrainingRun("plain", **{**defaults, **options})

    return make


@pytest.fixture
def rewrite(run):
    """Begin a run, and write its checkpoint again with changes."""

    def change(tensors=None, **progress):
        asked = run()
        train(asked)
        stored, card = read_tensors(asked.checkpoint)
        text = json.loads(bytes(stored[PROGRESS].tolist())) | progress
        stored[PROGRESS] = torch.tensor(list(json.dumps(text).encode()), dtype=torch.uint8)
        for name, value in (tensors or {}).items():
            stored.pop(name, None)
            if value is not None:
                stored[name] = value
        asked.checkpoint.write_bytes(safetensors.torch.save(stored, card.to_header()))

    return change


MOMENT = "state/optimiser/0/exp_avg"


@pytest.mark.parametrize(
    ("tensors", "progress", "message"),
    [
        ({PROGRESS: None}, {}, "holds no training state"),
        ({PROGRESS: torch.zeros(3)}, {}, "its progress is no text"),
        ({PROGRESS: torch.full((3,), 255, dtype=torch.uint8)}, {}, "is not JSON"),
        ({PROGRESS: torch.zeros(2**21, dtype=torch.uint8)}, {}, "its progress is no text"),
        ({"state/random": None}, {}, "no state of the random numbers"),
        ({"state/random": torch.zeros(1, 9)}, {}, "no state of the random numbers"),
        ({"state/random": torch.tensor(1)}, {}, "no state of the random numbers"),
        ({"state/random": torch.zeros(0, 9)}, {}, "no state of the random numbers"),
        ({"state/other": torch.zeros(1)}, {}, "state/other is no part of one"),
        ({"state/trained/fine.bias": torch.zeros(1)}, {}, "has averaged weights"),
        ({"fine.bias": None}, {}, "fine.bias is in one of them only"),
        ({"fine.bias": torch.tensor([math.nan])}, {}, "NaN or infinity in fine.bias"),
        ({MOMENT: None}, {}, "tensors of its optimiser are missing"),
        ({MOMENT: torch.zeros(1)}, {}, "its optimiser's tensors 0 do not fit"),
        ({MOMENT: None, "state/optimiser/0/x": torch.zeros(1)}, {}, "tensors 0 do not fit"),
        ({MOMENT: None, "state/optimiser/99/step": torch.zeros(())}, {}, "do not fit"),
        ({MOMENT: None, "state/optimiser/-1/step": torch.zeros(())}, {}, "do not fit"),
        ({MOMENT: torch.full((4, 3, 3, 3), math.inf)}, {}, "tensors 0 do not fit"),
        ({}, {"step": -1}, ">= 0"),
        ({}, {"step": 10**6}, "its progress cannot be"),
        ({}, {"step": "1"}, "int"),
        ({}, {"stage": 7}, "in other stages"),
        ({}, {"total_steps": 3}, "belongs to a run of 3 steps"),
        ({}, {"best": math.nan}, "its progress cannot be"),
        ({}, {"best": None}, "float"),
        ({}, {"scaler": {"scale": 1}}, "its progress cannot be"),
        ({}, {"schedule": {}}, "by another schedule"),
        ({}, {"schedule": {"last_epoch": "x"}}, "int"),
        ({}, {"optimiser": []}, "by another recipe"),
        ({}, {"optimiser": [{"lr": math.nan}]}, "lr of its optimiser is damaged"),
        ({}, {"optimiser": [{"lr": [1, 2]}]}, "lr of its optimiser is damaged"),
        ({}, {"optimiser": [{"betas": 10**400}]}, "betas of its optimiser is damaged"),
        ({}, {"optimiser": [{"max_lr": 0.5}]}, "trained with max_lr 0.5 .* not 0.02"),
        ({}, {"optimiser": 3}, "array"),
    ],
)
def test_a_damaged_checkpoint_is_one_line(run, rewrite, tensors, progress, message):
    rewrite(tensors, **progress)
    before = run().checkpoint.read_bytes()
    with pytest.raises(WeightsError, match=message) as raised:
        train(run(resume=True))
    assert "last.safetensors" in str(raised.value) or "schedule" in message
    assert run().checkpoint.read_bytes() == before


def test_what_an_older_version_wrote_is_resumed(run, rewrite):
    """Without the number of the optimiser's tensors, and with infinity for no validation yet."""
    rewrite()
    stored, card = read_tensors(run().checkpoint)
    text = json.loads(bytes(stored[PROGRESS].tolist()))
    del text["tensors"]
    assert math.isinf(text["best"])
    stored[PROGRESS] = torch.tensor(list(json.dumps(text).encode()), dtype=torch.uint8)
    run().checkpoint.write_bytes(safetensors.torch.save(stored, card.to_header()))
    assert train(run(resume=True)).steps == 2


def test_another_learning_rate_is_not_passed_over_in_silence(run):
    train(run())
    with pytest.raises(WeightsError, match="was trained with .*; resume with the same recipe"):
        train(run(resume=True, learning_rate=0.5))


def test_other_data_are_not_taken_in_silence(run, folder, capsys):
    train(run())
    train(run(resume=True))
    assert "goes on" not in capsys.readouterr().err
    train(run(resume=True, data=(f"nyu:{folder}/",)))
    assert f"was trained on nyu:{folder}, and goes on with" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}])
def test_what_is_not_finite_is_never_written(run, changes, monkeypatch):
    asked = run(changes, learning_rate=1e-3)
    train(asked)
    before = asked.checkpoint.read_bytes()
    original = Trainer._step

    def spoil(self, batches):
        loss = original(self, batches)
        with torch.no_grad():
            self.network.fine.bias.fill_(math.nan)
        self.average.update()
        return loss

    monkeypatch.setattr(Trainer, "_step", spoil)
    with pytest.raises(DivergenceError, match=r"fine.bias is not finite, so .* is not written"):
        train(run(changes, learning_rate=1e-3, resume=True))
    assert asked.checkpoint.read_bytes() == before


def test_a_full_disk_leaves_the_old_checkpoint_and_the_run_goes_on_later(run):
    asked = run()
    train(asked)
    before = asked.checkpoint.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot write .*last.safetensors"):
            train(run(resume=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert asked.checkpoint.read_bytes() == before
    assert not list(asked.output.glob(".*"))
    assert train(run(resume=True)).steps == 2


def test_a_second_run_in_the_folder_is_refused(run, monkeypatch):
    monkeypatch.setattr("fastdepth.lock._take", lambda _: False)
    with pytest.raises(UsageError, match="another run is writing to"):
        train(run())
    assert [path.name for path in run().output.iterdir()] == [".lock"]


def test_a_folder_that_got_a_run_meanwhile_is_kept(run, monkeypatch):
    original = Trainer.__init__

    def race(self, asked):
        original(self, asked)
        asked.output.mkdir()
        asked.checkpoint.write_bytes(b"of another run")

    monkeypatch.setattr(Trainer, "__init__", race)
    with pytest.raises(UsageError, match="holds a run"):
        train(run())
    assert run().checkpoint.read_bytes() == b"of another run"


def test_a_folder_that_is_removed_meanwhile_is_one_line(run, monkeypatch):
    import shutil

    original = Trainer._step

    def remove(self, batches):
        shutil.rmtree(self.run.output)
        return original(self, batches)

    monkeypatch.setattr(Trainer, "_step", remove)
    with pytest.raises(OutputError, match=r"cannot write .*log.jsonl: No such file"):
        train(run(changes={"epochs": 1}, max_minutes=None))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")]
)
def test_memory_that_does_not_suffice_is_one_line(run, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(Trainer, "_step", fail)
    with pytest.raises(UsageError, match="memory does not suffice .*; take a lower --batch"):
        train(run())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher_weight": 0.3}, "--teacher-weight is for --teacher"),
        ({"feature_weight": 0.3}, "--feature-weight is for --feature-teacher"),
        ({"all_scenes": True, "patience": 3}, "leave --patience out"),
        ({"all_scenes": True, "overfit": 3}, "leave --overfit out"),
        ({"all_scenes": True, "fold": 3}, "leave --fold out"),
        ({"output": Path("x" * 5000)}, "cannot make the folder|cannot write"),
    ],
)
def test_options_that_mean_nothing_together(run, options, message):
    with pytest.raises((UsageError, OutputError), match=message):
        train(run(**options))


@pytest.mark.parametrize("option", ["weights", "initial", "encoder_weights", "feature_teacher"])
def test_what_a_run_begins_from_is_not_written_over(run, option):
    asked = run()
    network = Trainer(asked).network
    save_weights(asked.best, network, WeightsCard("plain"))
    before = asked.best.read_bytes()
    name = (str(asked.best),) if option == "initial" else str(asked.best)
    with pytest.raises(UsageError, match="would be written over; give another output"):
        train(run(**{option: name}))
    assert asked.best.read_bytes() == before
