"""A foreign file is run as it was said to be, or refused with what must be said instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import METADATA, write_model

from fastdepth.errors import ModelFileError, UnknownNameError, UsageError
from fastdepth.files import file_hash
from fastdepth.runtime import load
from fastdepth.size import Size
from fastdepth_bench.providers import CPU
from fastdepth_bench.rival import NORMALISE, OUTPUTS, Rival, inspect
from fastdepth_bench.rival_runner import BoundSession, RivalRunner
from fastdepth_bench.timing import measure

SIZE = Size(12, 16)
NCHW, NHWC = ("B", 3, "H", "W"), ("B", "H", "W", 3)
Shape = Sequence[str | int | None]


def write_rival(
    path: Path,
    shape: Shape = NCHW,
    kind: int = TensorProto.FLOAT,
    answer: Shape = ("B", 1, "h", "w"),
    *,
    answer_kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("depth",),
    extra_input: bool = False,
    stride: int = 1,
) -> Path:
    """A network whose depth is twice red plus three times green plus five times blue.

    It looks at every ``stride``th pixel of every ``stride``th row.
    """
    weight = np.array([2, 3, 5], np.float32).reshape(1, 3, 1, 1)
    last = shape[-1] == 3
    steps = [
        ("Transpose", ["x"], {"perm": [0, 3, 1, 2]}) if last else ("Identity", ["x"], {}),
        ("Cast", ["0"], {"to": TensorProto.FLOAT}),
        ("Conv", ["1", "weight"], {"strides": [stride, stride]}),
    ]
    if len(answer) == 3:
        steps.append(("Squeeze", ["2", "axis"], {}))
    elif answer[-1] == 1:
        steps.append(("Transpose", ["2"], {"perm": [0, 2, 3, 1]}))
    nodes = [
        helper.make_node(operator, inputs, [str(index)], **attributes)
        for index, (operator, inputs, attributes) in enumerate(steps)
    ]
    for name in outputs:
        nodes.append(helper.make_node("Cast", [str(len(steps) - 1)], [name], to=answer_kind))
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("focal", TensorProto.FLOAT, [1]))
    graph = helper.make_graph(
        nodes,
        "rival",
        inputs,
        [helper.make_tensor_value_info(name, answer_kind, answer) for name in outputs],
        [
            numpy_helper.from_array(weight, "weight"),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def batch() -> np.ndarray:
    """Two pictures (2, 12, 16, 3) uint8, with 0 and 255 in them."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    pictures[0, 0, 0], pictures[0, 0, 1] = 0, 255
    return pictures


def normalised(batch: np.ndarray, normalise: str) -> np.ndarray:
    """What the literature writes, in float64."""
    pixels = batch / 255
    if normalise == "imagenet":
        return (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return {"half": pixels * 2 - 1, "unit": pixels, "raw": batch.astype(float)}[normalise]


def depth_of(pictures: np.ndarray) -> np.ndarray:
    """The network by hand: (B, H, W, 3) to (B, 1, H, W)."""
    return (pictures @ [2, 3, 5])[:, None]


@pytest.mark.parametrize("normalise", NORMALISE)
@pytest.mark.parametrize("shape", [NCHW, NHWC])
def test_pictures_are_normalised(
    tmp_path: Path, batch: np.ndarray, normalise: str, shape: Shape
) -> None:
    path = write_rival(tmp_path / "m.onnx", shape)
    runner = RivalRunner(Rival(path, SIZE, normalise, "metres"))
    expected = normalised(batch, normalise)
    given = runner.preprocess(batch)
    assert given.dtype == np.float32 and given.flags.c_contiguous
    as_read = given if shape == NHWC else given.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(as_read, expected, rtol=1e-6, atol=1e-6)
    depth = runner.infer(batch)
    assert (depth.dtype, depth.shape) == (np.float32, (2, 1, *SIZE))
    np.testing.assert_allclose(depth, depth_of(expected), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [NCHW, NHWC])
@pytest.mark.parametrize("normalise", ["", "raw"])
def test_uint8_goes_in_as_it_is(
    tmp_path: Path, batch: np.ndarray, shape: Shape, normalise: str
) -> None:
    path = write_rival(tmp_path / "m.onnx", shape, TensorProto.UINT8)
    runner = RivalRunner(Rival(path, SIZE, normalise, "metres"))
    assert runner.preprocess(batch).dtype == np.uint8
    np.testing.assert_allclose(runner.infer(batch), depth_of(batch), rtol=1e-6)


def test_half_precision_in_and_out(tmp_path: Path, batch: np.ndarray) -> None:
    half = TensorProto.FLOAT16
    path = write_rival(tmp_path / "m.onnx", NCHW, half, answer_kind=half)
    runner = RivalRunner(Rival(path, SIZE, "unit", "disparity"))
    assert runner.preprocess(batch).dtype == np.float16
    depth = runner.infer(batch)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, depth_of(batch / 255), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("answer", [("B", 1, "h", "w"), ("B", "h", "w"), ("B", "h", "w", 1)])
@pytest.mark.parametrize("stride", [1, 4])
def test_answers_of_any_shape_and_size(tmp_path: Path, answer: Shape, stride: int) -> None:
    path = write_rival(tmp_path / "m.onnx", NCHW, answer=answer, stride=stride)
    batch = np.full((2, *SIZE, 3), [[[[1, 2, 3]]], [[[4, 5, 6]]]], np.uint8)
    depth = RivalRunner(Rival(path, SIZE, "raw", "metres")).infer(batch)
    assert depth.shape == (2, 1, *SIZE)
    np.testing.assert_allclose(depth, depth_of(batch), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "size", "first"),
    [
        ((1, 3, 12, 16), (12, 16), True),
        ((1, 12, 16, 3), (12, 16), False),
        (("B", 3, "H", 16), (20, 16), True),
        (("B", "C", "H", "W"), (20, 16), True),  # as optimum exports transformers' models
        ((None, None, None, None), (20, 16), True),
        (("B", 12, 16, "C"), (12, 16), False),
        ((1, 3, 3, 3), (3, 3), True),
    ],
)
def test_shapes_are_read_from_the_graph(
    tmp_path: Path, shape: Shape, size: tuple[int, int], first: bool
) -> None:
    path = write_rival(tmp_path / "m.onnx", shape)
    given = None if all(isinstance(side, int) for side in shape) else Size(*size)
    graph = inspect(Rival(path, given, "unit", "metres"))
    assert (graph.input, graph.output) == ("x", "depth")
    assert (graph.size, graph.channels_first) == (size, first)
    assert graph.batch == (1 if shape[0] == 1 else None)


@pytest.mark.parametrize(
    ("graph", "size", "said"),
    [
        ({"shape": ("B", 1, 12, 16)}, None, r"'x' of .* \(open, 1, 12, 16\).* \(B, 3, H, W\)"),
        ({"shape": (3, 12, 16)}, None, r"'x' of .* \(3, 12, 16\)"),
        ({"kind": TensorProto.DOUBLE}, None, "'x' of .* DOUBLE; export it with float32"),
        ({}, None, "'x' of .* leaves its size open; say --input-size"),
        ({"shape": ("B", 3, 12, 16)}, Size(12, 20), "'x' of .* takes 16x12, not 20x12"),
        ({"shape": ("B", 3, "H", 16)}, Size(12, 20), "'x' of .* takes 16xany, not 20x12"),
        ({"extra_input": True}, SIZE, "takes 'x', 'focal', and a rival is given one picture"),
        ({"outputs": ("a", "b")}, SIZE, "answers with 'a', 'b', .*extract_model"),
        ({"outputs": ("depth", "inv_depth")}, SIZE, "answers with 'depth', 'inv_depth'"),
        ({"answer": ("B", 2, "h", "w", "k")}, SIZE, r"'depth' of .* \(open, 2, open, open, open\)"),
        ({"answer": ("B", 19, 12, 16)}, SIZE, r"'depth' of .* FLOAT \(open, 19, 12, 16\)"),
        ({"answer_kind": TensorProto.INT32}, SIZE, "'depth' of .* INT32"),
    ],
)
def test_what_cannot_be_a_rival(
    tmp_path: Path, graph: dict[str, object], size: Size | None, said: str
) -> None:
    path = write_rival(tmp_path / "m.onnx", **graph)  # type: ignore[arg-type]
    with pytest.raises((ModelFileError, UsageError), match=said) as error:
        RivalRunner(Rival(path, size, "imagenet", "metres"))
    assert "\n" not in str(error.value)


def test_the_depth_among_several_outputs_is_known_by_its_name(tmp_path: Path) -> None:
    path = write_rival(tmp_path / "m.onnx", outputs=("normals", "predicted_depth"))
    assert inspect(Rival(path, SIZE, "unit", "metres")).output == "predicted_depth"


def test_nothing_is_guessed(tmp_path: Path) -> None:
    path = write_rival(tmp_path / "m.onnx")
    with pytest.raises(UsageError, match="say --normalise imagenet, half, unit, raw"):
        inspect(Rival(path, SIZE, "", "metres"))
    with pytest.raises(UsageError, match="say --output metres or disparity"):
        inspect(Rival(path, SIZE, "unit", ""))
    with pytest.raises(UnknownNameError, match="unknown normalisation 'imagnet'.*'imagenet'"):
        Rival(path, SIZE, "imagnet", "metres")
    with pytest.raises(UnknownNameError, match="unknown output 'depth'"):
        Rival(path, SIZE, "unit", "depth")
    path = write_rival(tmp_path / "bytes.onnx", kind=TensorProto.UINT8)
    with pytest.raises(UsageError, match="'x' of .* is uint8.*--normalise raw"):
        inspect(Rival(path, SIZE, "unit", "metres"))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none.onnx does not exist"):
        inspect(Rival(tmp_path / "none.onnx", SIZE, "unit", "metres"))
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelFileError, match=r"text.onnx is not an ONNX file"):
        inspect(Rival(tmp_path / "text.onnx", SIZE, "unit", "metres"))


def test_a_fixed_batch_is_named(tmp_path: Path, batch: np.ndarray) -> None:
    path = write_rival(tmp_path / "m.onnx", (1, 3, *SIZE))
    runner = RivalRunner(Rival(path, None, "unit", "metres"))
    with pytest.raises(UsageError, match=r"'x' of .* takes 1 picture\(s\) at once, not 2"):
        runner.infer(batch)


def test_a_size_that_fails_inside_the_network_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", SIZE, metadata=None)
    model = onnx.load(path)
    for tensor in (*model.graph.input, *model.graph.output):
        for dim in tensor.type.tensor_type.shape.dim[:3]:
            dim.Clear()
    shape = numpy_helper.from_array(np.array([1, *SIZE, 3]), "fixed")
    model.graph.initializer.append(shape)
    model.graph.node[0].input[0] = "shaped"
    model.graph.node.insert(0, helper.make_node("Reshape", ["image", "fixed"], ["shaped"]))
    onnx.save(model, path)
    runner = RivalRunner(Rival(path, Size(20, 20), output="metres"))
    with pytest.raises(ModelFileError, match=r"cannot run at 20x20 .* --input-size"):
        runner.infer(np.zeros((1, 20, 20, 3), np.uint8))


def test_a_file_of_fastdepths_opens_as_what_it_is(tmp_path: Path) -> None:
    path = write_model(tmp_path / "own.onnx", Size(48, 64), Size(24, 32), metadata=METADATA)
    batch = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    rival = Rival(path, Size(24, 32))
    np.testing.assert_array_equal(RivalRunner(rival).infer(batch), load(path).infer(batch))
    assert inspect(Rival(path)).size == (48, 64)
    assert "normalised in the file; answers with depth [m]" in rival.describe()
    with pytest.raises(UsageError, match="takes 64x48, 32x24, not 64x64; export it"):
        inspect(Rival(path, Size(64, 64)))
    for options in {"normalise": "imagenet"}, {"output": "metres"}:
        with pytest.raises(UsageError, match=r"own.onnx is a fastdepth file.*leave --normalise"):
            inspect(Rival(path, **options))


def test_cost_is_for_one_picture(tmp_path: Path) -> None:
    path = write_rival(tmp_path / "m.onnx")
    cost = RivalRunner(Rival(path, SIZE, "unit", "metres")).cost()
    assert (cost.params, cost.macs) == (3, 3 * SIZE.height * SIZE.width)
    assert cost.bytes == path.stat().st_size
    path = write_rival(tmp_path / "four.onnx", (4, 3, *SIZE))
    assert RivalRunner(Rival(path, None, "unit", "metres")).cost().macs == cost.macs


def test_it_is_timed_as_any_runner(tmp_path: Path) -> None:
    path = write_rival(tmp_path / "m.onnx")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 1, *SIZE, 3), np.uint8)
    with RivalRunner(Rival(path, SIZE, "imagenet", "metres"), threads=2) as runner:
        assert runner._session.get_session_options().intra_op_num_threads == 2
        assert runner._session.get_providers() == [CPU]
        assert len(measure(runner, list(pictures), SIZE, seconds=0.01).passes) >= 20


def test_bound_memory_answers_as_a_call_does(tmp_path: Path, batch: np.ndarray) -> None:
    """ONNX Runtime binds the CPU's memory as it binds a GPU's; sizes of batches may change."""
    path = write_rival(tmp_path / "m.onnx")
    runner = RivalRunner(Rival(path, SIZE, "imagenet", "metres"))
    turns = [batch, batch[::-1].copy(), batch[:1], batch]
    expected = [runner.infer(pictures) for pictures in turns]
    runner._session = BoundSession(runner._session, "cpu")
    for pictures, depth in zip(turns, expected, strict=True):
        np.testing.assert_array_equal(runner.infer(pictures), depth)
    first, second = runner.infer(batch), runner.infer(batch + 1)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, expected[0])
    assert runner.on_device() is None


def test_what_is_said_of_it(tmp_path: Path) -> None:
    path = write_rival(tmp_path / "midas.onnx")
    rival = Rival(path, SIZE, "imagenet", "disparity")
    assert (rival.name, rival.aligned) == ("midas", True)
    assert rival.as_dict() == {
        "file": "midas.onnx",
        "normalise": "imagenet",
        "output": "disparity",
        "hash": file_hash(path),
    }
    assert rival.describe() == (
        "midas.onnx: pixels ImageNet's mean and standard deviation; answers with "
        + OUTPUTS["disparity"]
    )
    assert "does not compare with that of metres" in rival.describe()
    assert not Rival(path, SIZE, "imagenet", "metres").aligned
