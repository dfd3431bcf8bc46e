"""What recipes ask of the loop, on a network that trains in a second."""

from __future__ import annotations

import math
import os
import shutil
import signal

import cv2
import numpy as np
import pytest
import torch
from tiny_training import STAGES, register, tensors_differ

from fastdepth.data.splits import fold_of
from fastdepth.errors import DataError, DivergenceError, UsageError, WeightsError
from fastdepth.models.loading import read_tensors
from fastdepth.preprocess import resize
from fastdepth.train import TrainingRun, train, trainer
from fastdepth.train.checkpoint import Checkpoint, save_weights
from fastdepth.train.cli import main
from fastdepth.train.loader import make_loader
from fastdepth.train.plot import read_log
from fastdepth.train.trainer import Trainer
from fastdepth.weights import WeightsCard, read_card


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Make a run by a recipe with changes."""

    def make(output="run", variant="plain", changes=None, **options):
        register(monkeypatch, **(changes or {}))
        defaults = {"data": (f"nyu:{folder}",), "workers": 0, "threads": 1, "validation_limit": 2}
        return TrainingRun(variant, output=tmp_path / output, **{**defaults, **options})

    return make


def batches(trainer):
    sampler = trainer.sampler
    return list(make_loader(sampler, trainer.recipe.augmentation, trainer.run.seed, 0))


def test_overfitting_shows_the_same_whole_images_again_and_again(run):
    trainer = Trainer(run(overfit=3, changes={"batch": 3, "epochs": 20, "learning_rate": 1e-2}))
    (entry,) = trainer.sampler.sources
    assert trainer.validation.names == entry.source.names
    assert len(trainer.validation.names) == 3
    size = trainer.variant.size
    known = {
        sample.name: resize(sample.image, size).transpose(2, 0, 1) / 255
        for sample in trainer.validation
    }
    for batch in batches(trainer)[:3]:
        for image, name in zip(batch.image, batch.names, strict=True):
            np.testing.assert_allclose(image, known[name.removeprefix("nyu:")], atol=1e-6)


def test_all_scenes_are_trained_on_and_the_last_weights_count_as_the_best(run):
    usual, everything = (Trainer(run(all_scenes=choice)) for choice in (False, True))
    held_out = {sample.name for sample in usual.validation}
    (some,), (all_of_them,) = usual.sampler.sources, everything.sampler.sources
    assert held_out.isdisjoint(some.source.names)
    assert held_out < set(all_of_them.source.names)
    everything.begin()
    everything.improvement.best = 2.0  # nothing can be better
    summary = everything.train()
    best, last = (read_tensors(file)[0] for file in (everything.run.best, summary.checkpoint))
    assert all(torch.equal(tensor, last[name]) for name, tensor in best.items())
    assert "which it was trained on" in read_card(everything.run.best).evaluated_on


def test_a_fold_is_held_out_and_the_rest_trained_on(run):
    trainer = Trainer(run(fold=2, validation_limit=1000))
    scenes = {trainer.validation[index].scene for index in range(len(trainer.validation))}
    assert {fold_of(scene) for scene in scenes} == {"fold-2"}
    (trained,) = trainer.sampler.sources
    assert not {*trainer.validation.names} & {*trained.source.names}


def test_overfitting_takes_no_other_view_of_the_images(run):
    with pytest.raises(UsageError, match="--overfit shows whole images; leave --zoom out"):
        Trainer(run(overfit=3, zoom=(1.0, 2.0)))


def test_accumulated_batches_are_one_large_one(run):
    small = Trainer(run(changes={"batch": 2, "accumulation": 4}))
    large = Trainer(run(changes={"batch": 8}))
    parts = batches(small)
    for step in range(3):
        small._step(parts[4 * step : 4 * step + 4])
    for whole in batches(large)[:3]:
        large._step([whole])
    for one, other in zip(small.network.parameters(), large.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_the_last_step_of_an_epoch_is_the_mean_of_the_batches_that_are_left(run):
    few = Trainer(run(changes={"batch": 2, "accumulation": 4}))
    one = Trainer(run(changes={"batch": 2}))
    batch = batches(few)[0]
    loss = few._step([batch, batch])  # of four
    assert float(loss) == pytest.approx(float(one._step([batch])), rel=1e-6)
    for left, right in zip(few.network.parameters(), one.network.parameters(), strict=True):
        torch.testing.assert_close(left, right)


def test_stages_train_one_after_the_other(run, monkeypatch):
    asked = run(changes={"stages": STAGES, "learning_rate": 0.1})
    trainer = Trainer(asked)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    seen = []
    enter = Trainer._enter

    def remember(self, stage):
        enter(self, stage)
        state = self.network.state_dict()
        seen.append({n for n, v in state.items() if not torch.equal(v, before[n])})

    monkeypatch.setattr(Trainer, "_enter", remember)
    summary = train(asked)
    assert summary.finished
    assert seen == [set(), {"coarse.0.weight", "coarse.0.bias"}]
    lines = read_log(asked.log)
    names = [line["stage"] for line in lines if "validation" in line]
    assert names == ["first"] * 3 + ["second"] * 2
    final, _ = read_tensors(asked.checkpoint)
    assert not torch.equal(final["fine.weight"], before["fine.weight"])
    starts = [line["learning_rate"] for line in lines if "loss" in line]
    peaks = [i for i in range(1, len(starts) - 1) if starts[i - 1] < starts[i] > starts[i + 1]]
    assert len(peaks) == 2  # each stage has a cycle of its own


@pytest.mark.thorough
@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_a_run_stopped_beside_the_end_of_a_stage_comes_to_the_same(run, monkeypatch, beside):
    changes = {"stages": STAGES, "optimiser": "sgd"}
    whole = run("whole", "normed", changes)
    train(whole)
    original = Trainer._step

    def interrupted(self, batches):
        if self.step + 1 == 3 * self.sampler.steps_per_epoch + beside:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batches)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    parted = run("parted", "normed", changes)
    assert train(parted).interrupted
    monkeypatch.setattr(Trainer, "_step", original)
    train(run("parted", "normed", changes, resume=True))
    assert tensors_differ(whole.checkpoint, parted.checkpoint) == []


@pytest.mark.thorough
def test_averaged_weights_are_validated_and_shipped(run):
    asked = run(changes={"ema": 0.9})
    train(asked)
    tensors, _ = read_tensors(asked.checkpoint)
    assert not torch.equal(tensors["fine.weight"], tensors["state/trained/fine.weight"])
    plain = run("plain")
    train(plain)
    trained, _ = read_tensors(plain.checkpoint)
    assert torch.equal(trained["fine.weight"], tensors["state/trained/fine.weight"])
    assert "state/trained/fine.weight" not in trained
    scores = [line["validation"] for line in read_log(asked.log) if "validation" in line]
    others = [line["validation"] for line in read_log(plain.log) if "validation" in line]
    assert scores != others


def test_the_average_by_hand(run):
    trainer = Trainer(run(changes={"ema": 0.28}))
    expected = None
    for batch, decay in zip(batches(trainer), (0, 2 / 11, 3 / 12, 0.28), strict=False):
        trainer._step([batch])
        weight = trainer.network.fine.weight.detach().clone()
        expected = weight if expected is None else decay * expected + (1 - decay) * weight
    torch.testing.assert_close(trainer.average.network.fine.weight, expected)


def test_training_stops_when_nothing_gets_better(run, monkeypatch):
    values = iter([0.5, 0.4, 0.6, 0.45])

    def validate(*_):
        return 1.0, {"d1": 0.3, "mse": next(values)}

    monkeypatch.setattr(trainer, "validate", validate)
    asked = run(changes={"monitor": "mse", "patience": 2, "epochs": 9})
    summary = train(asked)
    assert (summary.monitor, summary.best) == ("mse", 0.4)
    assert summary.finished
    lines = read_log(asked.log)
    assert sum("validation" in line for line in lines) == 4
    assert lines[-1]["stopped"] == "no better mse in 2 epochs"
    assert read_card(asked.best).scores["mse"] == 0.4
    resumed = train(run(changes={"monitor": "mse", "patience": 2, "epochs": 9}, resume=True))
    assert resumed.finished  # there is nothing left to do
    assert resumed.best == 0.4


def test_the_plateau_is_that_of_the_validation_loss(run, monkeypatch):
    values = iter([1.0, 2.0, 3.0, 0.5, 0.6])
    monkeypatch.setattr(trainer, "validate", lambda *_: (next(values), {"d1": 0.3}))
    asked = run(changes={"schedule": "plateau", "fall_patience": 1, "optimiser": "sgd"})
    train(asked)
    rates = [line["learning_rate"] for line in read_log(asked.log) if "validation" in line]
    assert rates == pytest.approx([0.02, 0.02, 0.02, 0.002, 0.002])


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_samples(run, capsys, monkeypatch):
    asked = run(checkpoint_minutes=0.0)
    original = Trainer._loss

    def spoil(self, batch):
        if self.step == 3:
            batch.image[1, 0, 5, 5] = math.nan
        return original(self, batch)

    monkeypatch.setattr(Trainer, "_loss", spoil)
    with pytest.raises(DivergenceError, match="the loss is nan at step 4, on nyu:") as raised:
        train(asked)
    names = str(raised.value).partition(" on ")[2].partition(";")[0].split(", ")
    trainer = Trainer(run("again"))
    assert names == batches(trainer)[3].names
    assert Checkpoint(asked.checkpoint, trainer.sampler.total_steps).progress["step"] == 3
    assert "the loss is nan" in read_log(asked.log)[-1]["stopped"]


@pytest.fixture
def damaged(folder, tmp_path):
    """A copy of the data with two truncated images, one of them a depth; and their names."""
    copy = tmp_path / "damaged"
    shutil.copytree(folder, copy)
    from fastdepth.data import open_source

    names = list(open_source(f"nyu:{copy}", "train").names)[:2]
    for path in (copy / f"{names[0]}.jpg", copy / f"{names[1]}.png"):
        path.write_bytes(path.read_bytes()[:-200])
    return copy, names


def test_images_that_cannot_be_read_are_named_once_and_skipped(run, damaged, capsys):
    copy, names = damaged
    asked = run(data=(f"nyu:{copy}",))
    assert train(asked).finished
    error = capsys.readouterr().err
    for name in names:
        assert error.count(f"skipped nyu:{name}: ") == 1
    skipped = [line["skipped"] for line in read_log(asked.log) if "skipped" in line]
    assert sorted(skipped) == sorted(f"nyu:{name}" for name in names)
    again = run("again", data=(f"nyu:{copy}",))
    train(again)
    assert tensors_differ(asked.checkpoint, again.checkpoint) == []


def test_too_many_of_them_stop_the_run(run, damaged, tmp_path, capsys):
    copy, names = damaged
    with pytest.raises(DataError, match="2 samples cannot be read, more than --skip-limit 1"):
        train(run(data=(f"nyu:{copy}",), skip_limit=1))
    words = (
        f"--variant plain --data nyu:{copy} --workers 0 --skip-limit 1 --output {tmp_path / 'c'}"
    )
    capsys.readouterr()
    assert main(words.split()) == 2
    assert f"nyu:{names[1]} (depth cannot be read: " in capsys.readouterr().err


def test_pairs_of_two_shapes_are_skipped(run, folder, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    from fastdepth.data import open_source

    name = open_source(f"nyu:{copy}", "train").names[0]
    depth = cv2.imread(str(copy / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(copy / f"{name}.png"), depth[:, : depth.shape[1] // 2])
    assert train(run(data=(f"nyu:{copy}",))).finished
    error = capsys.readouterr().err
    assert error.count(f"skipped nyu:{name}: ") == 1 and "80x120 px and its image" in error


def test_validation_leaves_out_what_cannot_be_read(run, folder, tmp_path, capsys):
    from fastdepth.data import open_source

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    broken = open_source(f"nyu:{copy}", "validation").names[-1]
    (copy / f"{broken}.jpg").write_bytes(b"")
    assert train(run(data=(f"nyu:{copy}",), validation_limit=50)).finished
    assert capsys.readouterr().err.count(f"skipped nyu:{broken}: ") == 1


def test_who_waits_for_the_loader_is_told_once(run, monkeypatch, capsys):
    monkeypatch.setattr(trainer, "WAITING_LIMIT", -1.0)
    train(run())
    error = capsys.readouterr().err
    assert error.count("the loader is the bottleneck") == 1
    assert "with --workers 0: raise that" in error
    monkeypatch.setattr(trainer, "WAITING_LIMIT", 1.0)
    train(run("other"))
    assert "bottleneck" not in capsys.readouterr().err


def test_the_log_tells_how_fast_loader_and_step_are_alone(run):
    asked = run()
    train(asked)
    reports = [line for line in read_log(asked.log) if "loss" in line]
    for line in reports:  # one after the other, without workers
        alone = 1 / line["loader_images_per_second"] + 1 / line["step_images_per_second"]
        assert alone <= 1.02 / line["images_per_second"]


def test_the_curves_are_drawn_while_the_run_lasts(run, monkeypatch):
    monkeypatch.setattr(trainer, "PLOT_INTERVAL", 0.0)
    asked = run(changes={"epochs": 2})
    drawn = []
    monkeypatch.setattr(trainer, "plot_losses", lambda log, *_: drawn.append(len(read_log(log))))
    train(asked)
    assert len(drawn) == 3  # after each epoch and at the end
    assert drawn[0] < drawn[1]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"weights": "a", "initial": ("b",)}, "--weights and --initial exclude"),
        ({"weights": "a", "encoder_weights": "c"}, "--weights and --encoder-weights exclude"),
        (
            {"initial": ("b",), "encoder_weights": "random"},
            "--initial and --encoder-weights exclude",
        ),
    ],
)
def test_a_network_begins_in_one_way_only(run, options, named):
    with pytest.raises(UsageError, match=f"{named} each other; give one"):
        train(run(**options))


def test_only_a_checkpoint_of_the_same_recipe_is_resumed(run):
    first = run(max_minutes=1e-9)
    train(first)
    with pytest.raises(WeightsError, match="trained by another recipe"):
        train(run(resume=True, changes={"rates": (("fine.", 0.1),)}))
    with pytest.raises(WeightsError, match="has no averaged weights"):
        train(run(resume=True, changes={"ema": 0.9}))
    save_weights(first.checkpoint, Trainer(run("other")).network, WeightsCard("plain"))
    with pytest.raises(WeightsError, match="holds no training state; start from it with --weights"):
        train(run(resume=True))


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_learns_on_a_gpu(run, precision):
    asked = run(precision=precision, device="cuda")
    train(asked)
    losses = [line["loss"] for line in read_log(asked.log) if "loss" in line]
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
