"""What a file answers is a map of metres for each image, in time, or an error of one line."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import METADATA, add_step, make_endless, rewrite, write_model, write_third_party

from fastdepth import load
from fastdepth.errors import ImageError, ModelFileError, UsageError
from fastdepth.predict import main
from fastdepth.runtime.third_party import ThirdPartyFile
from fastdepth.runtime.third_party_model import ThirdPartyModel
from fastdepth.size import Size

IMAGE = np.full((48, 64, 3), 100, np.uint8)
IMAGE[:24] = 0

STEPS = {
    "half": ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "three channels": ("Concat", {"axis": 1}),
    "upright": ("Transpose", {"perm": [0, 1, 3, 2]}),
    "channels last": ("Transpose", {"perm": [0, 2, 3, 1]}),
    "rank 2": ("ReduceMean", {"axes": [1, 3], "keepdims": 0}),
    "one number": ("ReduceMean", {"keepdims": 0}),
    "negative": ("Neg", {}),
    "NaN": ("Log", {}),
    "infinite": ("Reciprocal", {}),
    "too far": ("Exp", {}),
}


def with_step(path: Path, name: str) -> Path:
    """The tiny model with one more step, of which its output says nothing."""
    operator, attributes = STEPS[name]
    others = ["inside", "inside"] if operator == "Concat" else []

    def change(model: onnx.ModelProto) -> None:
        add_step(model, operator, others, **attributes)
        model.graph.output[0].type.tensor_type.ClearField("shape")

    return rewrite(write_model(path), change)


@pytest.mark.parametrize("name", STEPS)
def test_an_answer_that_is_no_depth(tmp_path: Path, name: str) -> None:
    path = with_step(tmp_path / "m.onnx", name)
    with pytest.raises(ModelFileError, match=r"m\.onnx (takes|answered) .*export it again") as one:
        load(path, threads=1)(IMAGE)
    assert str(one.value).isprintable()
    size = Size(48, 64)
    with pytest.raises(ModelFileError, match=r"m\.onnx (takes|answered) .*export it again"):
        ThirdPartyModel(ThirdPartyFile(path, size), threads=1).infer(IMAGE[None])


def test_a_shape_that_the_graph_leaves_open_is_seen_in_the_answer(tmp_path: Path) -> None:
    """The last rows are dropped by a mask, whose count no graph can tell."""
    path = write_model(tmp_path / "m.onnx")

    def change(model: onnx.ModelProto) -> None:
        mask = numpy_helper.from_array(np.arange(48) < 40, "mask")
        model.graph.initializer.append(mask)
        add_step(model, "Compress", ["mask"], axis=2)
        model.graph.output[0].type.tensor_type.ClearField("shape")

    model = load(rewrite(path, change), threads=1)
    with pytest.raises(ModelFileError, match=r"answered float32 \(1, 1, 40, 64\), not"):
        model(IMAGE)


def test_a_range_is_met_within_rounding(tmp_path: Path) -> None:
    """Black is 0 m, a millimetre below the range; red 255 is 10.2 m of 10."""
    model = load(write_model(tmp_path / "m.onnx"), threads=1)
    assert model(np.full((48, 64, 3), 255, np.uint8)).max() == pytest.approx(10.2)
    narrow = replace(METADATA, depth_range=(1.0, 4.0))
    model = load(write_model(tmp_path / "n.onnx", metadata=narrow), threads=1)
    with pytest.raises(ModelFileError, match=r"answered depth of 0 to 4 m, but .* 1 to 4 m"):
        model(IMAGE)


def test_std_is_checked_as_well(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", std=True)
    rewrite(path, lambda model: model.graph.initializer[0].float_data.__setitem__(0, -0.1))
    model = load(path, threads=1)
    assert model(IMAGE).max() == pytest.approx(4)
    with pytest.raises(ModelFileError, match="answered depth of -0.4 to -?0 m"):
        model.depth_and_std(IMAGE)


def test_a_fixed_batch_is_the_metadatas(tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        for info in (*model.graph.input, *model.graph.output):
            info.type.tensor_type.shape.dim[0].dim_value = 4

    path = rewrite(write_model(tmp_path / "m.onnx"), change)
    with pytest.raises(ModelFileError, match=r"takes .* 4, 48.* says uint8 image \(B,"):
        load(path)
    four = write_model(tmp_path / "f.onnx", metadata=replace(METADATA, batch=4))
    model = load(rewrite(four, change), threads=1)
    assert model.infer(np.stack([IMAGE] * 4)).shape == (4, 1, 48, 64)
    with pytest.raises(ImageError, match=r"1 image\(s\); this file takes 4 at once"):
        model(IMAGE)


def failing(path: Path) -> Path:
    """A model that fails when it runs, not before."""

    def change(model: onnx.ModelProto) -> None:
        indices = numpy_helper.from_array(np.full(48, 100_000), "index")
        model.graph.initializer.append(indices)
        add_step(model, "Gather", ["index"], axis=2)
        model.graph.output[0].type.tensor_type.ClearField("shape")

    return rewrite(path, change)


def test_what_fails_inside_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = load(failing(write_model(tmp_path / "m.onnx")), threads=1)
    with pytest.raises(ModelFileError, match=r"cannot run at 64x48 with 1 image\(s\); .*indices"):
        model(IMAGE)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("side", [2**31, 2**20])
def test_memory_that_no_machine_has_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], side: int
) -> None:
    def change(model: onnx.ModelProto) -> None:
        sides = numpy_helper.from_array(np.array([1, 1, side, side]), "sides")
        model.graph.initializer.append(sides)
        model.graph.node.append(helper.make_node("ConstantOfShape", ["sides"], ["zeros"]))
        model.graph.node.append(helper.make_node("ReduceMax", ["zeros"], ["zero more"]))
        add_step(model, "Add", ["zero more"])

    model = load(rewrite(write_model(tmp_path / "m.onnx"), change), threads=1)
    with pytest.raises(ModelFileError, match="needs more memory at|storage size overflowed"):
        model(IMAGE)
    assert capfd.readouterr() == ("", "")


def test_memory_that_does_not_suffice_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(write_model(tmp_path / "m.onnx"), threads=1)

    class Full:
        def run(self, *_: object) -> None:
            raise RuntimeError("bfc_arena.cc:360 x Failed to allocate memory for requested buffer")

    monkeypatch.setattr(model, "session", Full())
    with pytest.raises(ModelFileError, match="needs more memory at 64x48 with 1 .* than there is"):
        model(IMAGE)


def test_a_graph_without_end_is_stopped(
    tmp_path: Path, photo_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make_endless(write_model(tmp_path / "m.onnx"))
    model, start = load(path, threads=1, time_limit=0.2), time.monotonic()
    for _ in range(2):
        with pytest.raises(ModelFileError, match=r"did not answer within 0\.2 s .*--time-limit"):
            model(IMAGE)
    out = tmp_path / "out"
    words = [str(path), str(photo_file), "--output", str(out), "--time-limit", "0.2"]
    assert main(words) == 2
    assert time.monotonic() - start < 10
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "did not answer within 0.2 s" in err
    assert not list(out.glob("*"))


def test_a_limit_does_not_change_the_answer(tiny_file: Path, photo: np.ndarray) -> None:
    limited = load(tiny_file, threads=1, time_limit=100)
    for _ in range(3):
        np.testing.assert_array_equal(limited(photo), load(tiny_file, threads=1)(photo))


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e9])
def test_limits_that_are_none(tiny_file: Path, seconds: float) -> None:
    with pytest.raises(UsageError, match="time limit .* must be above 0"):
        load(tiny_file, time_limit=seconds)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (("Log", {}), "answered NaN or infinite"),
        (("Tile", {}), r"came as \(3, 1, 12, 16\) for 1 image"),
        (("Shape", {}), r"'depth' of .* is INT64"),
    ],
)
def test_third_party_answers(tmp_path: Path, step: tuple[str, dict], said: str) -> None:
    path = write_third_party(tmp_path / "m.onnx")
    operator, attributes = step

    def change(model: onnx.ModelProto) -> None:
        others = ["times"] if operator == "Tile" else []
        repeats = numpy_helper.from_array(np.array([3, 1, 1, 1]), "times")
        model.graph.initializer.append(repeats)
        add_step(model, operator, others, **attributes)
        kind = TensorProto.INT64 if operator == "Shape" else TensorProto.FLOAT
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("depth", kind, None))

    file = ThirdPartyFile(rewrite(path, change), Size(12, 16), "raw", "metres")
    with pytest.raises(ModelFileError, match=said):
        ThirdPartyModel(file, threads=1).infer(np.zeros((1, 12, 16, 3), np.uint8))
