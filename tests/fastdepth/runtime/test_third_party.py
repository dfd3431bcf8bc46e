"""A third-party file is run as it was said to be, or refused with what must be said instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import METADATA, NCHW, NHWC, Shape, write_model, write_third_party

from fastdepth.errors import ModelFileError, UnknownNameError, UsageError
from fastdepth.runtime.model import load
from fastdepth.runtime.third_party import NORMALISE, OptionNames, ThirdPartyFile, inspect
from fastdepth.runtime.third_party_model import ThirdPartyModel
from fastdepth.size import Size

SIZE = Size(12, 16)


@pytest.fixture
def batch() -> np.ndarray:
    """Two images (2, 12, 16, 3) uint8, with 0 and 255 in them."""
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images


def normalised(batch: np.ndarray, normalise: str) -> np.ndarray:
    """What the literature writes, in float64."""
    pixels = batch / 255
    if normalise == "imagenet":
        return (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return {"half": pixels * 2 - 1, "unit": pixels, "raw": batch.astype(float)}[normalise]


def depth_of(images: np.ndarray) -> np.ndarray:
    """The network by hand: (B, H, W, 3) to (B, 1, H, W)."""
    return (images @ [2, 3, 5])[:, None]


@pytest.mark.parametrize("normalise", NORMALISE)
@pytest.mark.parametrize("shape", [NCHW, NHWC])
def test_images_are_normalised(
    tmp_path: Path, batch: np.ndarray, normalise: str, shape: Shape
) -> None:
    path = write_third_party(tmp_path / "m.onnx", shape)
    runner = ThirdPartyModel(ThirdPartyFile(path, SIZE, normalise, "metres"))
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
    path = write_third_party(tmp_path / "m.onnx", shape, TensorProto.UINT8)
    runner = ThirdPartyModel(ThirdPartyFile(path, SIZE, normalise, "metres"))
    assert runner.preprocess(batch).dtype == np.uint8
    np.testing.assert_allclose(runner.infer(batch), depth_of(batch), rtol=1e-6)


def test_half_precision_in_and_out(tmp_path: Path, batch: np.ndarray) -> None:
    half = TensorProto.FLOAT16
    path = write_third_party(tmp_path / "m.onnx", NCHW, half, answer_kind=half)
    runner = ThirdPartyModel(ThirdPartyFile(path, SIZE, "unit", "disparity"))
    assert runner.preprocess(batch).dtype == np.float16
    depth = runner.infer(batch)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, depth_of(batch / 255), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("answer", [("B", 1, "h", "w"), ("B", "h", "w"), ("B", "h", "w", 1)])
@pytest.mark.parametrize("stride", [1, 4])
def test_answers_of_any_shape_and_size(tmp_path: Path, answer: Shape, stride: int) -> None:
    path = write_third_party(tmp_path / "m.onnx", NCHW, answer=answer, stride=stride)
    batch = np.full((2, *SIZE, 3), [[[[1, 2, 3]]], [[[4, 5, 6]]]], np.uint8)
    depth = ThirdPartyModel(ThirdPartyFile(path, SIZE, "raw", "metres")).infer(batch)
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
    path = write_third_party(tmp_path / "m.onnx", shape)
    given = None if all(isinstance(side, int) for side in shape) else Size(*size)
    graph = inspect(ThirdPartyFile(path, given, "unit", "metres"))
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
        ({"extra_input": True}, SIZE, "takes 'x', 'focal', but is given one image"),
        ({"outputs": ()}, SIZE, "answers with nothing"),
        ({"outputs": ("a", "b")}, SIZE, "answers with 'a', 'b', .*extract_model"),
        ({"outputs": ("depth", "inv_depth")}, SIZE, "answers with 'depth', 'inv_depth'"),
        ({"answer": ("B", 2, "h", "w", "k")}, SIZE, r"'depth' of .* \(open, 2, open, open, open\)"),
        ({"answer": ("B", 19, 12, 16)}, SIZE, r"'depth' of .* FLOAT \(open, 19, 12, 16\)"),
        ({"answer_kind": TensorProto.INT32}, SIZE, "'depth' of .* INT32"),
    ],
)
def test_what_cannot_be_run(
    tmp_path: Path, graph: dict[str, object], size: Size | None, said: str
) -> None:
    path = write_third_party(tmp_path / "m.onnx", **graph)  # type: ignore[arg-type]
    with pytest.raises((ModelFileError, UsageError), match=said) as error:
        ThirdPartyModel(ThirdPartyFile(path, size, "imagenet", "metres"))
    assert "\n" not in str(error.value)


def test_the_depth_among_several_outputs_is_known_by_its_name(tmp_path: Path) -> None:
    path = write_third_party(tmp_path / "m.onnx", outputs=("normals", "predicted_depth"))
    assert inspect(ThirdPartyFile(path, SIZE, "unit", "metres")).output == "predicted_depth"


def test_nothing_is_guessed(tmp_path: Path) -> None:
    path = write_third_party(tmp_path / "m.onnx")
    with pytest.raises(UsageError, match="say --normalise imagenet, half, unit, raw"):
        inspect(ThirdPartyFile(path, SIZE, "", "metres"))
    with pytest.raises(UsageError, match="say --output metres or disparity"):
        inspect(ThirdPartyFile(path, SIZE, "unit", ""))
    with pytest.raises(UnknownNameError, match="unknown normalisation 'imagnet'.*'imagenet'"):
        ThirdPartyFile(path, SIZE, "imagnet", "metres")
    with pytest.raises(UnknownNameError, match="unknown output 'depth'"):
        ThirdPartyFile(path, SIZE, "unit", "depth")
    path = write_third_party(tmp_path / "bytes.onnx", kind=TensorProto.UINT8)
    with pytest.raises(UsageError, match="'x' of .* is uint8.*--normalise raw"):
        inspect(ThirdPartyFile(path, SIZE, "unit", "metres"))


def test_messages_name_the_options_of_the_command_that_was_given(tmp_path: Path) -> None:
    options = OptionNames("--teacher-size", "--teacher-normalise", "--teacher-output")
    path = write_third_party(tmp_path / "m.onnx")
    for said, given in zip(
        options, [(None, "unit", "metres"), (SIZE,), (SIZE, "unit")], strict=True
    ):
        with pytest.raises(UsageError, match=f"say {said}"):
            inspect(ThirdPartyFile(path, *given, options=options))  # type: ignore[arg-type]
    assert not ThirdPartyFile(path, SIZE, "unit", "disparity").in_metres
    assert ThirdPartyFile(path).in_metres


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none.onnx does not exist"):
        inspect(ThirdPartyFile(tmp_path / "none.onnx", SIZE, "unit", "metres"))
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelFileError, match=r"text.onnx is not an ONNX file"):
        inspect(ThirdPartyFile(tmp_path / "text.onnx", SIZE, "unit", "metres"))


def test_a_fixed_batch_is_named(tmp_path: Path, batch: np.ndarray) -> None:
    path = write_third_party(tmp_path / "m.onnx", (1, 3, *SIZE))
    runner = ThirdPartyModel(ThirdPartyFile(path, None, "unit", "metres"))
    with pytest.raises(UsageError, match=r"'x' of .* takes 1 image\(s\) at once, not 2"):
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
    runner = ThirdPartyModel(ThirdPartyFile(path, Size(20, 20), output="metres"))
    with pytest.raises(ModelFileError, match=r"cannot run at 20x20 .* --input-size"):
        runner.infer(np.zeros((1, 20, 20, 3), np.uint8))


def test_a_file_of_fastdepths_opens_as_what_it_is(tmp_path: Path) -> None:
    path = write_model(tmp_path / "own.onnx", Size(48, 64), Size(24, 32), metadata=METADATA)
    batch = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    file = ThirdPartyFile(path, Size(24, 32))
    np.testing.assert_array_equal(ThirdPartyModel(file).infer(batch), load(path).infer(batch))
    assert inspect(ThirdPartyFile(path)).size == (48, 64)
    with pytest.raises(UsageError, match="takes 64x48, 32x24, not 64x64; export it"):
        inspect(ThirdPartyFile(path, Size(64, 64)))
    for options in {"normalise": "imagenet"}, {"output": "metres"}:
        with pytest.raises(UsageError, match=r"own.onnx is a fastdepth file.*leave --normalise"):
            inspect(ThirdPartyFile(path, **options))
