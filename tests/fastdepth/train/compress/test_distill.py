"""A student learns what its teachers answer, of images without truth too."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_onnx import write_model, write_third_party
from tiny_training import per_image, register, tensors_differ, train_together

from fastdepth.errors import FastDepthError, UsageError, WeightsError
from fastdepth.files import file_hash
from fastdepth.images.io import write_png
from fastdepth.models import Prediction
from fastdepth.runtime.third_party import ThirdPartyFile
from fastdepth.size import Size
from fastdepth.train import TrainingRun, train
from fastdepth.train.cli import main
from fastdepth.train.compress.distill import Objective, Teacher, make_objective
from fastdepth.train.plot import read_log
from fastdepth.train.recipes import Augmentation
from fastdepth.train.trainer import Trainer
from fastdepth.weights import read_card

WHOLE = Augmentation.whole(Size(48, 64))
RANGE = (0.1, 10.0)
GIVEN = {"teacher_size": "16x12", "teacher_normalise": "unit", "teacher_output": "disparity"}


def red(metres: float) -> float:
    """The red, in [0, 1], of which a model at .04 m a step makes so many metres."""
    return metres / 0.04 / 255


def image(*reds: float) -> torch.Tensor:
    """Images (B, 3, 48, 64), each of one grey."""
    return torch.tensor(reds).float().reshape(-1, 1, 1, 1).expand(-1, 3, 48, 64)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images without depth: one grey each, from dark to bright."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, level in enumerate(np.linspace(30, 240, 24)):
        write_png(folder / f"{number}.png", np.full((120, 160, 3), level, np.uint8))
    return folder


@pytest.fixture
def run(folder, images, tmp_path, monkeypatch):
    """Make a run with a teacher, by default in metres, on images without depth and a few with."""
    teacher = write_model(tmp_path / "teacher.onnx", metres=0.02)

    def make(output="run", changes=None, **options):
        register(monkeypatch, **(changes or {}))
        defaults = {
            "data": (f"pictures:{images}", f"nyu:{folder}=0.1"),
            "teacher": (teacher,),
            "workers": 0,
            "threads": 1,
            "validation_limit": 2,
        }
        return TrainingRun("plain", output=tmp_path / output, **{**defaults, **options})

    return make


def test_it_answers_with_metres_of_the_images_size(tmp_path):
    path = write_model(tmp_path / "m.onnx", Size(24, 32))
    teacher = Teacher([ThirdPartyFile(path)], WHOLE, RANGE)
    answer = teacher(image(red(2.0), red(8.0)))
    assert answer.shape == (2, 1, 48, 64) and answer.dtype == torch.float32
    torch.testing.assert_close(answer[:, 0, 0, 0], torch.tensor([2.0, 8.0]), rtol=0.01, atol=0)


def test_it_stays_within_what_the_student_can_answer(tmp_path):
    path = write_model(tmp_path / "m.onnx")
    answer = Teacher([ThirdPartyFile(path)], WHOLE, (1.0, 5.0))(image(0.0, 1.0))
    torch.testing.assert_close(answer[:, 0, 0, 0], torch.tensor([1.0, 5.0]))


def test_several_answer_with_the_mean_of_their_logarithms(tmp_path):
    files = [
        ThirdPartyFile(write_model(tmp_path / f"{metres}.onnx", metres=metres))
        for metres in (0.01, 0.04)
    ]
    answer = Teacher(files, WHOLE, RANGE)(image(0.5))
    expected = math.sqrt(0.01 * 0.04) * 128
    torch.testing.assert_close(answer, torch.full_like(answer, expected))


def test_a_crop_is_magnified_not_nearer(tmp_path):
    """A crop of half the width fills the teacher's input as one from half the distance would."""
    path = write_model(tmp_path / "m.onnx")
    half = Augmentation(scale=0.2, crop=Size(48, 64))
    answer = Teacher([ThirdPartyFile(path)], half, RANGE)(image(red(3.0)))
    torch.testing.assert_close(answer.mean().item(), 6.0, rtol=0.01, atol=0)


def test_a_file_that_takes_one_image_at_once_is_given_one_at_once(tmp_path):
    fixed = write_third_party(tmp_path / "m.onnx", (1, 3, 12, 16), answer=(1, 12, 16))
    teacher = Teacher([ThirdPartyFile(fixed, None, "unit", "disparity")], WHOLE, RANGE)
    answer = teacher(image(0.2, 0.6))
    assert answer.shape == (2, 1, 48, 64)
    torch.testing.assert_close(answer[:, 0, 0, 0], torch.tensor([2.0, 6.0]), rtol=0.01, atol=0)


def test_the_sum_is_weighted_and_every_term_has_its_figure():
    objective = Objective(
        {"one": (0.25, lambda p, i, t: t.mean()), "two": (0.75, lambda p, i, t: i.mean())}
    )
    ones = torch.ones(1, 1, 2, 2)
    assert objective(Prediction(None, ones), ones * 8, ones * 4) == 0.25 * 4 + 0.75 * 8
    objective(Prediction(None, ones), ones * 10, ones * 4)
    assert objective.means() == {"one_loss": 4, "two_loss": 9}
    loss = make_objective(per_image, None, 0.5)
    prediction = Prediction(None, ones * 3)
    assert torch.equal(loss(prediction, ones, ones), per_image(prediction, ones))
    assert loss.means() == {}


def test_a_student_learns_its_teachers_depth_from_images_alone(run):
    data = (run().data[0] + "=12", run().data[1])
    changes = {"epochs": 2, "learning_rate": 0.05, "clip": 1.0}
    done = run(data=data, teacher_weight=1.0, changes=changes)
    trainer = Trainer(done)
    view = image(*np.linspace(0.2, 0.9, 8).tolist())
    answer = trainer.teacher(view)
    before = per_image(trainer.network.eval()(view), answer).item()
    assert before > 0.3
    trainer.begin()
    trainer.train()
    assert per_image(trainer.network.eval()(view), answer).item() < before / 3
    lines = [line for line in read_log(done.log) if "teacher_loss" in line]
    assert lines[-1]["teacher_loss"] == lines[-1]["loss"]
    card = read_card(done.checkpoint)
    digits = file_hash(done.teacher[0])[:12]
    assert card.teacher == f"1 of the loss: teacher.onnx (metres, sha256 {digits})"
    assert read_log(done.log)[0]["teacher"] == read_card(done.best).teacher == card.teacher


def test_a_student_learns_relative_depth_of_disparity(run, tmp_path):
    """The image is brighter to one side, which the teacher takes for nearer."""
    disparity = write_third_party(tmp_path / "relative.onnx")
    trainer = Trainer(run(teacher=(disparity,), teacher_weight=1.0, **GIVEN))
    ramp = torch.linspace(0, 1, 64).expand(4, 3, 48, 64).contiguous()
    truth, losses = torch.zeros(4, 1, 48, 64), []
    for _ in range(60):
        trainer.optimiser.zero_grad()
        loss = trainer.objective(trainer.network(ramp), ramp, truth)
        loss.backward()
        trainer.optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
    depth = trainer.network(ramp).depth[0, 0]
    assert depth[:, -1].mean() < depth[:, 0].mean()


def test_truth_and_teacher_share_the_loss(run):
    train(run(teacher_weight=0.25, max_minutes=1e-9))
    line = next(line for line in read_log(run().log) if "loss" in line)
    expected = 0.75 * line["truth_loss"] + 0.25 * line["teacher_loss"]
    assert line["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.thorough
def test_a_resumed_run_is_the_same_bit_for_bit(run, monkeypatch):
    whole = train(run("whole"))
    original, done = Trainer._step, []

    def stop(self, batches):
        done.append(1)
        if len(done) == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batches)

    monkeypatch.setattr(Trainer, "_step", stop)
    assert train(run("parted")).interrupted
    monkeypatch.setattr(Trainer, "_step", original)
    parted = train(run("parted", resume=True))
    assert parted.finished
    assert tensors_differ(whole.checkpoint, parted.checkpoint) == []


@pytest.mark.thorough
def test_two_processes_are_taught_what_one_is(run):
    alone, together = run("alone", epochs=1), run("together", epochs=1)
    train(alone)
    train_together(2, together)
    one, two = (
        [line["teacher_loss"] for line in read_log(done.log) if "loss" in line]
        for done in (alone, together)
    )
    assert len(one) == 6
    assert two == pytest.approx(one, abs=1e-4)


def test_a_run_goes_on_with_its_own_teacher_alone(run):
    train(run(max_minutes=1e-9))
    with pytest.raises(WeightsError, match=r"0.5 of the loss.* 0.75 .*the same --teacher"):
        train(run(resume=True, teacher_weight=0.75))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher": ("none.onnx",)}, "none.onnx does not exist"),
        ({"teacher": ("text.onnx",)}, "text.onnx is not an ONNX file"),
        ({"teacher": ("theirs.onnx",)}, "say --teacher-size WIDTHxHEIGHT"),
        ({"teacher": ("theirs.onnx",), "teacher_size": "16x12"}, "say --teacher-normalise"),
        ({"teacher": ("theirs.onnx",), "teacher_size": "16"}, "16"),
        ({"teacher_output": "metres"}, "leave --teacher-normalise and --teacher-output out"),
        ({"teacher": ("theirs.onnx", "theirs.onnx"), **GIVEN}, "give one teacher"),
        ({"teacher": ("theirs.onnx",), **GIVEN, "teacher_output": "depth"}, "'depth'"),
        ({"teacher_weight": 0.0}, "teacher-weight 0.0 must be above 0 and at most 1"),
        ({"teacher_weight": 1.5}, "teacher-weight 1.5 must be above 0"),
        ({"teacher": ()}, "has no depth; add --teacher FILE.onnx"),
        ({"teacher": (), "teacher_size": "16x12"}, "--teacher-size is for --teacher"),
    ],
)
def test_what_cannot_teach_is_said_in_one_line(run, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    write_third_party(tmp_path / "theirs.onnx")
    (tmp_path / "text.onnx").write_text("not a model")
    if "teacher" in options:
        options = {**options, "teacher": tuple(map(Path, options["teacher"]))}
    with pytest.raises(FastDepthError, match=message) as error:
        Trainer(run(**options))
    assert "\n" not in str(error.value) and error.value.exit_status == 2


def test_images_alone_cannot_be_validated_on(run, images):
    with pytest.raises(UsageError, match="no depth to validate with; add data that have"):
        Trainer(run(data=(f"pictures:{images}",)))


def test_the_command_takes_teachers(run, tmp_path, images, folder):
    run()  # which registers the network
    other = write_model(tmp_path / "other.onnx", metres=0.03)
    words = f"--variant plain --data pictures:{images} --data nyu:{folder}=0.1 --workers 0"
    words += f" --teacher {tmp_path / 'teacher.onnx'} --teacher {other} --teacher-weight 0.8"
    assert main([*words.split(), "--max-minutes", "1e-9", "--output", str(tmp_path / "cli")]) == 0
    taught = read_card(tmp_path / "cli" / "last.safetensors").teacher
    assert taught.startswith("0.8 of the loss: teacher.onnx (") and ", other.onnx (" in taught
