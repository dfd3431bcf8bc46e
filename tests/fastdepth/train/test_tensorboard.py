from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastdepth.train import TrainingRun, log, train
from fastdepth.train.log import TensorBoard


class SummaryWriter:
    """Remembers what it is asked to write; takes the arguments that PyTorch's takes."""

    def __init__(self, log_dir=None, purge_step=None):
        self.log_dir, self.purge_step = log_dir, purge_step
        self.scalars, self.images, self.closed = [], [], False
        made.append(self)

    def add_scalar(self, tag, scalar_value, global_step=None):
        self.scalars.append((tag, scalar_value, global_step))

    def add_image(self, tag, img_tensor, global_step=None, dataformats="CHW"):
        self.images.append((tag, img_tensor, global_step, dataformats))

    def close(self):
        self.closed = True


made: list[SummaryWriter] = []


@pytest.fixture
def installed(monkeypatch):
    """A tensorboard that is installed, though it is not."""
    made.clear()
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(log, "find_spec", lambda name: object())


def test_curves_and_images(installed, tmp_path):
    board = TensorBoard(tmp_path / "tensorboard")
    board.write(step=20, epoch=0.5, learning_rate=1e-3, loss=2.5, images_per_second=9)
    board.write(step=0, epoch=0, resumed=False, data=["nyu"], stage="coarse")
    board.write(step=40, epoch=1, validation={"loss": 2.0, "d1": 0.4})
    image = np.zeros((4, 6, 3), np.uint8)
    board.draw(image, 40)
    board.close()
    (writer,) = made
    assert (writer.log_dir, writer.purge_step) == (str(tmp_path / "tensorboard"), None)
    assert writer.scalars == [
        ("training/learning_rate", 1e-3, 20),
        ("training/loss", 2.5, 20),
        ("training/images_per_second", 9, 20),
        ("validation/loss", 2.0, 40),
        ("validation/d1", 0.4, 40),
    ]
    assert writer.images == [("sheet", image, 40, "HWC")]
    assert writer.closed


def test_a_run_writes_there(installed, tiny, folder, tmp_path):
    options = {"workers": 0, "threads": 1, "epochs": 1, "validation_limit": 2}
    summary = train(TrainingRun("tiny", (f"nyu:{folder}=0.15",), tmp_path, **options))
    (writer,) = made
    assert writer.log_dir == str(tmp_path / "tensorboard")
    assert {"training/learning_rate", "validation/d1"} <= {tag for tag, _, _ in writer.scalars}
    ((_, image, step, _),) = writer.images
    assert (image.dtype, image.shape[2], step) == (np.uint8, 3, summary.steps)
    assert writer.closed


def test_a_resumed_run_hides_what_it_does_again(installed, tmp_path):
    TensorBoard(tmp_path, step=30)
    assert made[0].purge_step == 31


def test_nothing_is_written_where_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(log, "find_spec", lambda name: None)
    board = TensorBoard(tmp_path / "tensorboard")
    board.write(step=1, loss=2.0)
    board.draw(np.zeros((4, 6, 3), np.uint8), 1)
    board.close()
    assert not (tmp_path / "tensorboard").exists()


def test_the_fake_is_like_the_real_one():
    """Read, not imported: it cannot be where tensorboard is missing."""
    torch = Path(importlib.util.find_spec("torch").origin).parent
    tree = ast.parse((torch / "utils" / "tensorboard" / "writer.py").read_text())
    (real,) = (
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "SummaryWriter"
    )
    methods = {node.name: node.args for node in real.body if isinstance(node, ast.FunctionDef)}
    for name in ("__init__", "add_scalar", "add_image", "close"):
        taken = [argument.arg for argument in methods[name].args]
        own = list(inspect.signature(getattr(SummaryWriter, name)).parameters)
        assert [argument for argument in taken if argument in own] == own
