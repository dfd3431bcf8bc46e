from __future__ import annotations

import json
import os
import signal

import pytest
import torch
from safetensors.torch import save_file

from fastdepth.errors import SizeError, UnknownNameError, UsageError, WeightsError
from fastdepth.models import create_model
from fastdepth.models.device import computes_bf16
from fastdepth.models.loading import load_weights, read_tensors
from fastdepth.train import TrainingRun, train
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.loader import Batch
from fastdepth.train.trainer import Trainer
from fastdepth.variants import get_variant
from fastdepth.weights import WeightsCard, read_card


@pytest.fixture
def run(tiny, folder, tmp_path):
    """Make a run of a tiny network on tiny images."""

    def make(output="run", **options):
        defaults = {"variant": "tiny", "data": (f"nyu:{folder}",), "workers": 0, "threads": 1}
        return TrainingRun(output=tmp_path / output, **{**defaults, **options})

    return make


def batch(image=None, depth=None):
    """Two samples; the image is noise and the depth 1 m where they are not given."""
    image = torch.rand(2, 3, 96, 128) if image is None else image
    depth = torch.ones(2, 1, 96, 128) if depth is None else depth
    return Batch(image, depth, ["nyu:a", "nyu:b"], {})


@pytest.fixture(scope="module")
def steps(folder):
    """Steps per epoch at batch 2."""
    from fastdepth.data import open_source

    return len(open_source(f"nyu:{folder}", "train")) // 2


def test_a_run_leaves_checkpoints_log_and_image(run, steps):
    summary = train(run())
    assert summary.finished
    assert summary.steps == summary.total_steps == 2 * steps
    assert summary.images_per_second > 0
    output = summary.checkpoint.parent
    assert {p.name for p in output.iterdir()} - {"tensorboard"} == {  # where that is installed
        "best.safetensors",
        "last.safetensors",
        "log.jsonl",
        "loss.png",
        "sheet.png",
        "sheets",
    }
    assert len(list((output / "sheets").iterdir())) == 2
    lines = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    validations = [line["validation"]["d1"] for line in lines if "validation" in line]
    assert len(validations) == 2
    card = read_card(output / "best.safetensors")
    assert card.scores["d1"] == pytest.approx(max(validations), abs=1e-4)
    assert card.initialisation == "random"


def test_training_lowers_the_loss(run):
    trainer = Trainer(run(learning_rate=2e-3, epochs=20))
    sampler = trainer.sampler
    from fastdepth.train.loader import make_loader

    batch = next(iter(make_loader(sampler, trainer.recipe.augmentation, 0, 0)))
    trainer.network.train()
    losses = [float(trainer._step([batch])) for _ in range(25)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_copies_to_a_gpu_that_are_not_waited_for_are_of_page_locked_memory(run, monkeypatch):
    class AskedError(Exception):
        pass

    def make_loader(*_, pinned):
        raise AskedError(pinned)

    monkeypatch.setattr("fastdepth.train.trainer.make_loader", make_loader)
    trainer = Trainer(run())
    for device in ("cpu", "cuda"):
        trainer.device = torch.device(device)
        with pytest.raises(AskedError, match=str(device == "cuda")):
            trainer._steps(None, None, None)


needs_bf16 = pytest.mark.skipif(
    not computes_bf16(torch.device("cpu")), reason="this CPU has no bfloat16"
)


@pytest.mark.thorough
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=needs_bf16)])
def test_resume_continues_bit_for_bit(run, steps, precision, monkeypatch):
    whole = train(run("whole", precision=precision))
    original = Trainer._step
    done = []

    def stop_in_the_second_epoch(self, batches):
        done.append(1)
        if len(done) == steps + 3:
            os.kill(os.getpid(), signal.SIGINT)  # the user presses Ctrl-C
        return original(self, batches)

    monkeypatch.setattr(Trainer, "_step", stop_in_the_second_epoch)
    parted = train(run("parted", precision=precision))
    assert parted.interrupted
    assert parted.steps == steps + 3
    monkeypatch.setattr(Trainer, "_step", original)
    parted = train(run("parted", precision=precision, resume=True))
    assert parted.finished
    expected, _ = read_tensors(whole.checkpoint)
    got, _ = read_tensors(parted.checkpoint)
    assert expected.keys() == got.keys()
    assert [name for name in expected if not torch.equal(expected[name], got[name])] == []


@pytest.mark.parametrize(("precision", "able"), [("bf16", False), ("bf16", True), ("fp32", False)])
def test_half_precision_that_would_be_slower_is_told(run, precision, able, monkeypatch, capsys):
    monkeypatch.setattr("fastdepth.train.trainer.computes_bf16", lambda _: able)
    Trainer(run(precision=precision))
    told = capsys.readouterr().err
    assert ("--precision bf16: this CPU" in told) == (precision == "bf16" and not able)


def test_an_interrupted_run_leaves_weights_that_load(run):
    summary = train(run(max_minutes=1e-9))
    assert summary.steps == 1
    assert not summary.finished
    card = load_weights(create_model("tiny"), summary.checkpoint, "tiny")
    assert card.variant == "tiny"


def test_a_batch_without_depth_spoils_nothing(run):
    trainer = Trainer(run())
    trainer.network.train()
    assert trainer._step([batch(depth=torch.zeros(2, 1, 96, 128))]) == 0
    assert all(parameter.isfinite().all() for parameter in trainer.network.parameters())


def test_an_overflow_changes_nothing(run):
    trainer = Trainer(run())
    trainer.network.train()
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    objective = trainer.objective

    def overflowing(prediction, image, truth):  # finite itself, its gradient is not
        return objective(prediction, image, truth) + (prediction.depth.mean() * 0).sqrt()

    trainer.objective = overflowing
    trainer._step([batch()])
    after = dict(trainer.network.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_to_start_from_are_named_in_the_card(run):
    first = train(run("first", max_minutes=1e-9))
    second = Trainer(run("second", weights=str(first.checkpoint)))
    assert second.card.initialisation == str(first.checkpoint)
    tensors, _ = read_tensors(first.checkpoint)
    for name, value in second.network.state_dict().items():
        assert torch.equal(value, tensors[name])


def test_a_network_begins_from_what_fits_of_another(run, tiny, tmp_path):
    first = create_model("unet-dws")
    save_weights(tmp_path / "first.safetensors", first, WeightsCard("unet-dws"))
    second = Trainer(run(initial=(str(tmp_path / "first.safetensors"),)))
    given, state = first.state_dict(), second.network.state_dict()
    fitting = [n for n in given if n in state and given[n].shape == state[n].shape]
    assert "unet.down.0.0.weight" in fitting
    assert "unet.head.weight" not in fitting  # of another width
    assert all(torch.equal(state[name], given[name]) for name in fitting)
    assert second.card.initialisation.startswith(f"{len(fitting)} tensors of ")


def test_of_several_files_the_last_that_has_a_tensor_gives_it(run, tiny, tmp_path):
    """A trained head from one, the U-Net below it from another."""
    paths = [str(tmp_path / name) for name in ("whole.safetensors", "trunk.safetensors")]
    whole, trunk = create_model(run().variant), create_model("unet-dws")
    save_weights(paths[0], whole, WeightsCard(run().variant))
    save_weights(paths[1], trunk, WeightsCard("unet-dws"))
    begun = Trainer(run(initial=tuple(paths)))
    state, head = begun.network.state_dict(), whole.state_dict()
    assert torch.equal(state["bins.conv_out.weight"], head["bins.conv_out.weight"])
    assert torch.equal(state["unet.head.weight"], head["unet.head.weight"])
    assert torch.equal(state["unet.stem.weight"], trunk.state_dict()["unet.stem.weight"])
    assert f"{len(head)} tensors of {paths[0]}, then " in begun.card.initialisation


def test_a_file_of_which_nothing_fits_is_refused(run, tmp_path):
    save_file({"other": torch.zeros(3)}, tmp_path / "o.safetensors", WeightsCard("x").to_header())
    with pytest.raises(WeightsError, match="nothing in .* fits this network"):
        Trainer(run(initial=(str(tmp_path / "o.safetensors"),)))


def test_an_earlier_run_is_never_overwritten(run):
    train(run(max_minutes=1e-9))
    with pytest.raises(UsageError, match="continue it with --resume or give another --output"):
        train(run())


def test_resume_needs_a_run_of_the_same_length(run):
    with pytest.raises(UsageError, match="start without --resume"):
        train(run(resume=True))
    train(run(max_minutes=1e-9))
    with pytest.raises(WeightsError, match="resume with the same data, epochs and batch"):
        train(run(resume=True, epochs=7))


def test_validation_sees_images_at_the_scale_of_training(run):
    usual = run().evaluated_size()
    assert usual == get_variant("tiny").size
    halved = run(scale=0.5).evaluated_size()
    assert halved == (usual.height // 2, usual.width // 2)


def test_validation_at_a_size_of_its_own(run):
    assert run(scale=0.5, validation_size="160x128").evaluated_size() == (128, 160)


def test_a_run_may_take_another_recipe(run):
    recipe = run(recipe="bins").changed_recipe()
    assert recipe.loss == "adabins-gradient"


def test_what_a_run_changes_of_its_recipe(run):
    recipe = run(epochs=7, crop="160x128", scale=0.5, zoom=(1.0, 1.5)).changed_recipe()
    assert (recipe.epochs, recipe.batch) == (7, 2)
    assert recipe.augmentation.crop == (128, 160)
    assert (recipe.augmentation.scale, recipe.augmentation.zoom) == (0.5, (1.0, 1.5))
    assert recipe.augmentation.rotation == 2.5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variant": "tinny"}, UnknownNameError, "did you mean 'tiny'"),
        ({"data": ()}, UsageError, "give --data"),
        ({"crop": "64x64"}, SizeError, "nearest sizes that work"),
        ({"precision": "fp8"}, UnknownNameError, "known: fp32, bf16, fp16"),
        ({"precision": "fp16"}, UsageError, "use --precision bf16 on the CPU"),
        ({"skip_limit": -1}, UsageError, "skip-limit -1 must be 0 to"),
        ({"validation_size": "64x64"}, SizeError, "nearest sizes that work"),
        ({"batch": 0}, UsageError, "batch 0 must be 1 to"),
        ({"scale": 0.0}, UsageError, "scale 0.0 must be 0.01 to 100"),
        ({"zoom": (2.0, 1.0)}, UsageError, "the lesser first"),
        ({"border": (10, 10, 700, 470)}, UsageError, "border 700 must be 0 to 640"),
        ({"border": (10, 10, 630, 490)}, UsageError, "leaves 640x480"),
        ({"device": "tpu"}, UsageError, "none of cpu, cuda, cuda:N"),
        ({"weights": "no.safetensors"}, WeightsError, "no.safetensors"),
    ],
)
def test_what_cannot_work_is_said_before_training(run, options, error, message):
    with pytest.raises(error, match=message):
        train(run(**options))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_no_gpu_where_one_was_asked_for(run):
    from fastdepth.errors import DeviceError

    with pytest.raises(DeviceError, match="use --device cpu"):
        train(run(device="cuda"))
