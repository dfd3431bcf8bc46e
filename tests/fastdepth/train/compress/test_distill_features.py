"""A student's encoder learns to say what a teacher's encoder says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny_training import AUGMENTATION, register

from fastdepth.errors import FastDepthError, UsageError, WeightsError
from fastdepth.models import DepthNetwork, create_model
from fastdepth.size import Size
from fastdepth.train import TrainingRun, train
from fastdepth.train import losses as losses_module
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.compress.distill_features import FeatureTeacher, unexplained
from fastdepth.train.plot import read_log
from fastdepth.train.recipes import Augmentation
from fastdepth.train.trainer import Trainer
from fastdepth.variants import get_variant
from fastdepth.weights import WeightsCard, read_card

CPU = torch.device("cpu")
CROP = Size(96, 128)
HALF = Augmentation(scale=0.5, crop=CROP)
IMAGES = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))


def network(variant: str) -> DepthNetwork:
    """A variant with random weights, always the same."""
    torch.manual_seed(0)
    return create_model(get_variant(variant))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def taught_by(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights of a U-Net, random ones."""
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_weights(path, network("unet-dws"), WeightsCard("unet-dws"))
    return str(path)


def test_what_is_a_linear_map_of_the_features_is_explained():
    features = drawn(2, 6, 20, 30)
    mapped = torch.einsum("dc,bchw->bdhw", drawn(9, 6, seed=1), features) + 5
    assert unexplained(features, mapped) == pytest.approx(0, abs=0.02)
    assert unexplained(features * 1e-3, mapped * 1e3) == pytest.approx(0, abs=0.02)
    assert unexplained(features, drawn(2, 9, 20, 30, seed=2)) == pytest.approx(1, abs=0.02)


def test_each_channel_of_the_target_counts_alike():
    """Of two channels one is explained, though the other is a thousand times as large."""
    features, other = drawn(2, 1, 20, 30), drawn(2, 1, 20, 30, seed=1)
    assert unexplained(features, torch.cat([features, 1000 * other], 1)) == pytest.approx(
        0.5, abs=0.02
    )


@pytest.mark.parametrize("features", [torch.zeros(1, 4, 5, 5), drawn(1, 64, 3, 3)])
def test_dead_channels_and_few_positions_leave_the_loss_finite(features):
    features = features.clone().requires_grad_()
    loss = unexplained(features, drawn(1, 8, *features.shape[2:], seed=1))
    loss.backward()
    assert 0 <= loss.item() <= 1 and features.grad.isfinite().all()


def test_its_gradient_teaches_what_the_target_says():
    """Two channels of noise become the two directions of a target of rank two."""
    target = torch.einsum("dc,bchw->bdhw", drawn(8, 2), drawn(1, 2, 16, 16, seed=1))
    features = drawn(1, 2, 16, 16, seed=2).requires_grad_()
    optimiser = torch.optim.Adam([features], lr=0.05)
    for _ in range(100):
        optimiser.zero_grad()
        loss = unexplained(features, target)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize(
    ("scale", "size", "levels"),
    [
        (0.5, (96, 128), {2: 2, 4: 4, 8: 8, 16: 16, 32: 32}),
        (1.0, (192, 256), {4: 2, 8: 4, 16: 8, 32: 16, 64: 32}),
        (0.75, (144, 192), {4: 2, 8: 4, 16: 8, 32: 16, 64: 32}),
    ],
)
def test_levels_meet_where_both_see_the_same_of_the_image(scale, size, levels):
    """MobileNetV2 knows images at half the camera's size; a student at full size shows more."""
    student = network("unet-dws").train()
    teacher = FeatureTeacher(
        student, "mnv2-64-dws.nyu-furnished", Augmentation(scale=scale, crop=CROP), CPU
    )
    assert teacher._pairs == levels
    image = torch.rand(1, 3, *size)
    loss = teacher(student(image), image, torch.empty(0))
    loss.backward()
    assert 0 < loss.item() <= 1
    own = student.encoder_levels()
    assert all(next(own[stride].parameters()).grad.abs().sum() > 0 for stride in levels)


def test_a_network_explains_its_own_features(taught_by):
    """In half precision, and what the running averages of batch norm leave."""
    student = network("unet-dws").eval()
    teacher = FeatureTeacher(student, taught_by, HALF, CPU)
    assert teacher(student(IMAGES), IMAGES, torch.empty(0)).item() < 0.05


@pytest.mark.parametrize("able", [False, True])
def test_a_teacher_looks_in_half_precision_where_that_is_quick(taught_by, able, monkeypatch):
    monkeypatch.setattr("fastdepth.train.compress.distill_features.computes_bf16", lambda _: able)
    student = network("unet-dws").eval()
    teacher = FeatureTeacher(student, taught_by, HALF, CPU)
    look, halved = teacher._look, []

    def watched(image: torch.Tensor) -> None:
        halved.append(torch.is_autocast_enabled("cpu"))
        look(image)

    monkeypatch.setattr(teacher, "_look", watched)
    teacher(student(IMAGES), IMAGES, torch.empty(0))
    assert halved == [able]


def test_features_that_are_no_numbers_make_a_loss_that_is_none():
    assert unexplained(drawn(1, 4, 5, 5) * math.nan, drawn(1, 8, 5, 5, seed=1)).isnan()


def test_a_teacher_that_cannot_take_the_crops_is_refused_before_anything_starts(folder, tmp_path):
    run = TrainingRun(
        "mnv2-64-dws-70",
        (f"nyu:{folder}",),
        tmp_path / "run",
        encoder_weights="random",
        feature_teacher="unet128-dws.nyu",
        workers=0,
        batch=2,
    )
    with pytest.raises(UsageError, match="would see 896x672 of crops of 224x168, which it cannot"):
        train(run)
    assert not run.output.exists()


def test_the_teacher_stays_as_it_is(taught_by):
    student = network("unet-dws").train()
    teacher = FeatureTeacher(student, taught_by, HALF, CPU)
    before = {name: value.clone() for name, value in teacher._teacher.state_dict().items()}
    teacher(student(IMAGES), IMAGES, torch.empty(0)).backward()
    after = teacher._teacher.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in teacher._teacher.parameters())


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Make a run of a U-Net of a few steps with a teacher of features."""
    small = replace(AUGMENTATION, scale=0.2, crop=Size(96, 128))
    register(monkeypatch, epochs=2, augmentation=small, loss="l1")
    monkeypatch.setattr("fastdepth.train.trainer.LOSSES", losses_module.LOSSES)

    def make(output="run", **options):
        defaults = {
            "recipe": "plain",
            "data": (f"nyu:{folder}",),
            "feature_teacher": "mnv2-64-dws.nyu-furnished",
            "workers": 0,
            "threads": 1,
            "validation_limit": 2,
            "validation_size": "128x96",
        }
        return TrainingRun("unet-dws", output=tmp_path / output, **{**defaults, **options})

    return make


def test_features_join_the_loss_and_the_card(run):
    done = run(feature_weight=3.0, max_minutes=1e-9)
    train(done)
    line = next(line for line in read_log(done.log) if "loss" in line)
    assert line["loss"] == pytest.approx(line["truth_loss"] + 3 * line["features_loss"], rel=1e-5)
    taught = read_card(done.checkpoint).teacher
    assert taught.startswith(
        "3 times what is left of mnv2-64-dws.nyu-furnished.safetensors (features, sha"
    )
    with pytest.raises(WeightsError, match="resume with the same"):
        train(run(resume=True, feature_weight=2.0))


@pytest.mark.thorough
def test_averaged_weights_and_validation_do_not_disturb_what_is_watched(run):
    trainer = Trainer(run(ema=0.9))
    trainer.begin()
    trainer.train()
    assert trainer.step == trainer.sampler.total_steps


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_teacher": "none.nyu"}, "unknown weights 'none.nyu'"),
        ({"feature_teacher": "none.safetensors"}, "none.safetensors does not exist"),
        ({"feature_weight": 0.0}, "feature-weight 0.0 must be above 0"),
    ],
)
def test_what_cannot_teach_features_is_said_in_one_line(run, options, message):
    with pytest.raises(FastDepthError, match=message) as error:
        Trainer(run(**options))
    assert "\n" not in str(error.value) and error.value.exit_status == 2


def test_a_student_without_an_encoder_has_no_levels(run, tmp_path):
    with pytest.raises(FastDepthError, match="no counterpart in the student"):
        Trainer(replace(run(), variant="plain"))
