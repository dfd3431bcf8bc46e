"""What is no ONNX file is refused before it is read; what cannot be read is told apart."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_onnx import rewrite, write_model

from fastdepth import load
from fastdepth.errors import ModelFileError
from fastdepth.runtime.onnx_file import MOST, printable, read_graph, reason


@pytest.fixture
def beside(tiny_file: Path) -> Path:
    """The tiny model with its constants in ``weights.data`` beside it."""
    options = {"save_as_external_data": True, "location": "weights.data", "size_threshold": 0}
    model = onnx.load(tiny_file)
    # ONNX Runtime reads shapes before it looks for files, so only the factor is moved
    for tensor in model.graph.initializer:
        if tensor.name == "metres":
            tensor.CopyFrom(numpy_helper.from_array(np.full(1, 0.04, np.float32), "metres"))
    onnx.save(model, tiny_file, **options)
    return tiny_file


def sparse(path: Path, size: int, start: bytes = b"") -> Path:
    path.write_bytes(start)
    os.truncate(path, size)
    return path


def refused(source: object) -> str:
    """The one line in which both readers, or the one that takes it, refuse a source."""
    with pytest.raises(ModelFileError) as caught:
        load(source)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("start", [b"", b"\x08\x08"])
def test_a_file_without_end_is_refused_by_its_size(tmp_path: Path, start: bytes) -> None:
    path = sparse(tmp_path / "m.onnx", 6 * 2**30, start)
    assert "is too large for an ONNX file, 6442450944 bytes" in refused(path)
    with pytest.raises(ModelFileError, match="too large"):
        read_graph(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\0" * 1000, "is not an ONNX file"),
        (b"<html>404: Not Found</html>", "is not an ONNX file"),
        (b"PK\x03\x04", "is not an ONNX file"),
        (b"\x89PNG\r\n", "is not an ONNX file"),
        (b"\x08", "is truncated or not an ONNX model"),
        (b"\x08\x08" + b"\xff" * 100, "is truncated or not an ONNX model"),
    ],
)
def test_what_is_no_onnx(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert said in refused(path)
    assert said in refused(content)
    assert refused(path) == refused(content).replace("the model given as bytes", str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "is a named pipe" in refused(tmp_path / "pipe.onnx")
    assert "is a folder" in refused(tmp_path)
    assert "is a package of Core ML, which needs a Mac" in refused(tmp_path / "m.mlpackage")
    assert "is a file of LiteRT; give an ONNX file here" in refused(tmp_path / "m.tflite")
    assert "is a file of ExecuTorch; give an ONNX" in refused(tmp_path / "m.pte")
    assert "is a file of ncnn; give an ONNX" in refused(tmp_path / "m.ncnn.param")
    assert "of OpenVINO; give an ONNX file here, and see docs/commands.md" in refused(
        tmp_path / "m.xml"
    )
    assert "is a device" in refused("/dev/zero")
    assert "does not exist" in refused(str(tmp_path / "none.onnx"))
    assert "cannot be a path" in refused("a\0b.onnx")
    assert "File name too long" in refused("x" * 5000)


@pytest.mark.parametrize("given", [None, 5, ["m.onnx"], np.zeros(3), io.StringIO("text")])
def test_what_no_model_can_be_read_from(given: object) -> None:
    assert "give its path, its bytes or a file that is open in binary mode" in refused(given)


def test_a_file_that_was_closed(tiny_file: Path) -> None:
    with tiny_file.open("rb") as stream:
        pass
    assert "closed file; open it anew" in refused(stream)


def test_what_reads_as_no_file_does() -> None:
    assert "cannot be read" in refused(type("Odd", (), {"read": None})())
    assert "cannot be read" in refused(type("Odd", (), {"read": lambda self: b""})())


def test_a_file_that_is_too_new(tiny_file: Path) -> None:
    rewrite(tiny_file, lambda model: setattr(model.opset_import[0], "version", 99))
    said = refused(tiny_file)
    assert "is too new for ONNX Runtime 1." in said
    assert "update that, or export the file with fastdepth-export --opset 2" in said
    rewrite(tiny_file, lambda model: setattr(model, "ir_version", 99))
    assert "is too new for ONNX Runtime 1." in refused(tiny_file)


def test_weights_that_are_missing_are_named(beside: Path) -> None:
    assert load(beside, threads=1)(np.full((48, 64, 3), 50, np.uint8)).max() == pytest.approx(2)
    read_graph(beside, weights=True)
    beside.with_name("weights.data").unlink()
    assert "keeps its weights in weights.data, which is missing beside it" in refused(beside)
    with pytest.raises(ModelFileError, match="weights.data does not exist"):
        read_graph(beside, weights=True)


def test_weights_that_are_cut_off(beside: Path) -> None:
    beside.with_name("weights.data").write_bytes(b"")
    assert "another file that cannot be read" in refused(beside)
    with pytest.raises(ModelFileError):
        read_graph(beside, weights=True)


@pytest.mark.parametrize("place", ["../weights.data", "/etc/passwd", "a/../../weights.data"])
def test_weights_outside_the_folder_are_not_opened(beside: Path, place: str) -> None:
    moved = beside.parent / "inside" / beside.name
    moved.parent.mkdir()
    model = onnx.load(beside, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    moved.write_bytes(model.SerializeToString())
    assert "names weights outside its folder" in refused(moved)
    with pytest.raises(ModelFileError):
        read_graph(moved, weights=True)


def test_weights_beside_bytes_are_not_looked_for(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(beside.parent)  # where they lie
    assert refused(beside.read_bytes()).endswith("keeps its weights in another file; give its path")


def test_weights_without_end(beside: Path) -> None:
    sparse(beside.with_name("weights.data"), 2 * MOST)
    with pytest.raises(ModelFileError, match="the weights beside .* have more than"):
        read_graph(beside, weights=True)


def test_a_node_that_nobody_knows(tiny_file: Path) -> None:
    rewrite(tiny_file, lambda model: setattr(model.graph.node[-1], "op_type", "Nothing\x1b[31m"))
    said = refused(tiny_file)
    assert "is damaged or not an ONNX model that ONNX Runtime" in said and "Nothing" in said
    assert said.isprintable()


def test_names_that_are_no_text(tiny_file: Path) -> None:
    content = tiny_file.read_bytes()
    for old, new in (
        (b"image", b"im\xffge"),
        (b"fastdepth", b"f\xffstdepth"),
        (b"tiny", b"t\xffny"),
    ):
        said = refused(content.replace(old, new))
        assert said.isprintable()


def test_reasons_are_cut_from_the_front() -> None:
    text = (
        "[E] : 1 : FAIL : Load failed:/a/b/model.cc:256 x::M::M(P&&, const S&) Unsupported\n thing"
    )
    assert reason(text) == "Unsupported thing"
    assert reason("a" * 300 + " the end").endswith(" the end")
    assert printable("a\x1b[31m\u202eb") == "a?[31m?b"


def test_models_from_memory(tiny_file: Path, tmp_path: Path, photo: np.ndarray) -> None:
    content, expected = tiny_file.read_bytes(), load(tiny_file, threads=1)(photo)
    with tiny_file.open("rb") as stream:
        sources = content, bytearray(content), memoryview(content), io.BytesIO(content), stream
        for source in sources:
            np.testing.assert_array_equal(load(source, threads=1)(photo), expected)
    assert "the model given as bytes has no fastdepth metadata" in refused(
        write_model(tmp_path / "other.onnx", metadata=None).read_bytes()
    )


def test_a_graph_of_another_kind() -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["depth"])],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.STRING, None)],
        [helper.make_tensor_value_info("depth", TensorProto.STRING, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert "has no fastdepth metadata" in refused(model.SerializeToString())


def test_a_name_that_is_no_utf_8(tiny_file: Path, tmp_path: Path) -> None:
    other = tmp_path / os.fsdecode(b"a\xff.onnx")
    try:
        tiny_file.rename(other)
    except OSError:
        pytest.skip("the file system has UTF-8 alone")
    with pytest.raises(
        ModelFileError, match=r"a\?.onnx is no name in UTF-8; give the file another"
    ):
        load(other)
    assert load(other.read_bytes(), threads=1).size == (48, 64)
