"""ONNX files as they come, from a path or memory: what is none is refused before it is read whole.

What ONNX Runtime or protobuf say of a file that they cannot read becomes one line that says what to
do about it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fastdepth.errors import ModelFileError
from fastdepth.extras import require
from fastdepth.files import check_regular, read_bytes

if TYPE_CHECKING:
    import onnx

MOST = 2**31
"""Bytes of an ONNX file, by protobuf's own limit; what is larger keeps its weights beside it."""

# The first byte of a protobuf is a field's number and kind; these are those of a model.
_FIRST = bytes((0x08, 0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72, 0xA2, 0xCA, 0xD2))

Source = Path | bytes
"""Where a model lies: a file, or its contents."""


def as_source(given: object) -> Source:
    """A path, or the contents of a file: bytes, or an open binary file, which is read.

    Raises:
        ModelFileError: it is something else.
    """
    if isinstance(given, str | os.PathLike):
        return Path(os.fsdecode(given))
    try:
        content = given.read(MOST + 1) if hasattr(given, "read") else given
    except Exception as error:  # whatever an object with that name does
        raise ModelFileError(f"the model cannot be read: {error}; open it anew") from None
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    raise ModelFileError(
        f"a model cannot be read from a {type(given).__name__}; give its path, its bytes or a "
        "file that is open in binary mode"
    )


def name_of(source: Source) -> str:
    """What messages call it."""
    return str(source) if isinstance(source, Path) else "the model given as bytes"


_COMMANDS, _PHONES = "docs/commands.md", "docs/phones.md"

OF_OTHERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        ".engine": ("an engine of TensorRT", _COMMANDS),
        ".xml": ("a file of OpenVINO", _COMMANDS),
        ".mlpackage": ("a package of Core ML, which needs a Mac", _PHONES),
        ".tflite": ("a file of LiteRT", _PHONES),
        ".pte": ("a file of ExecuTorch", _PHONES),
        ".param": ("a file of ncnn", _PHONES),
    }
)
"""What ``fastdepth-export`` writes for other runtimes, by suffix, and the page that opens it."""


def check_start(source: Source) -> None:
    """See by size and first byte that this may be an ONNX file; nothing more is read.

    Raises:
        ModelFileError: it is missing, no regular file, too large, or something else.
    """
    name = name_of(source)
    if isinstance(source, bytes):
        size, first = len(source), source[:1]
    elif source.suffix in OF_OTHERS:
        what, page = OF_OTHERS[source.suffix]
        raise ModelFileError(
            f"{source} is {what}; give an ONNX file here, and see {page} for what runs the other"
        )
    else:
        size = check_regular(source, ModelFileError, ", or run fastdepth-export").st_size
        if re.search("[\ud800-\udfff]", name):  # ONNX Runtime takes names in UTF-8 alone
            raise ModelFileError(f"{printable(name)} is no name in UTF-8; give the file another")
        first = _first_byte(source)
    if size > MOST:
        raise ModelFileError(
            f"{name} is too large for an ONNX file, {size} bytes and not at most {MOST}; "
            "check the path, or export it with its weights in a file beside it"
        )
    if not first or first not in _FIRST:
        what = "empty" if not first else "not an ONNX file"
        raise ModelFileError(f"{name} is {what}; copy it again or run fastdepth-export")


def _first_byte(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(1)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}; check it") from None


def read_graph(path: Path, *, weights: bool = False) -> onnx.ModelProto:
    """An ONNX file as protobuf.

    Args:
        path: the file.
        weights: read those that lie in files beside it as well.

    Raises:
        ModelFileError: it is missing, too large, truncated or not ONNX, or a file beside it is.
        MissingExtraError: ONNX is not installed.
    """
    library = require("onnx", "calibrate")
    check_start(path)
    content = read_bytes(path, ModelFileError, MOST)
    try:
        model: onnx.ModelProto = library.load_model_from_string(content)
    except Exception as error:  # protobuf raises its own tree
        raise unreadable(error, path, f"ONNX {library.__version__}") from None
    if weights:
        read_weights(path, model)
    return model


def read_weights(path: Path, model: onnx.ModelProto) -> list[Path]:
    """Put the weights that lie in files beside an ONNX file into its graph.

    Returns:
        Those files.

    Raises:
        ModelFileError: one is missing, too large, or outside the file's folder.
    """
    library = require("onnx", "calibrate")
    others = {
        path.parent / entry.value
        for tensor in model.graph.initializer
        if tensor.data_location == library.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    if sum(check_regular(other, ModelFileError).st_size for other in others) > MOST:
        raise ModelFileError(f"the weights beside {path} have more than {MOST} bytes; use others")
    try:
        library.load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise unreadable(error, path, f"ONNX {library.__version__}") from None
    return sorted(others)


def unreadable(error: Exception, source: Source, reader: str) -> ModelFileError:
    """The error of ours for what a reader raised at a file.

    Args:
        error: ONNX Runtime's or protobuf's.
        source: the file.
        reader: who could not read it, with its version.
    """
    text, name = " ".join(str(error).split()), name_of(source)
    if "IR version" in text or "Opset" in text:
        return ModelFileError(f"{name} is too new for {reader}; {_older(text)}")
    if "loaded from bytes" in text or NO_FOLDER in text:
        return ModelFileError(f"{name} keeps its weights in another file; give its path")
    if "escapes" in text or "Absolute path" in text:
        return ModelFileError(f"{name} names weights outside its folder, which are not opened")
    if lost := re.search(r'External data path does not exist: "(.*?)"', text):
        return ModelFileError(
            f"{name} keeps its weights in {printable(Path(lost[1]).name)}, which is missing "
            "beside it; copy both files"
        )
    if "external" in text.lower():
        what = "keeps its weights in another file that cannot be read; copy both files"
        return ModelFileError(f"{name} {what} ({reason(text)})")
    if isinstance(error, MemoryError) or _out_of_memory(text):
        return ModelFileError(f"{name} needs more memory than there is; use a smaller one")
    if "rotobuf" in text or "parsing" in text:
        return ModelFileError(
            f"{name} is truncated or not an ONNX model; copy it again or run fastdepth-export"
        )
    return ModelFileError(
        f"{name} is damaged or not an ONNX model that {reader} reads; copy it again or run "
        f"fastdepth-export ({reason(text)})"
    )


NO_FOLDER = "/no folder of weights/"
"""Where weights beside a model from memory are looked for."""


def _older(text: str) -> str:
    """What to do about a file that is too new."""
    known = re.search(r"till opset (\d+)", text)
    opset = f"{known[1]} or lower" if known else "20"
    return f"update that, or export the file with fastdepth-export --opset {opset}"


def _out_of_memory(text: str) -> bool:
    return any(
        sign in text for sign in ("Failed to allocate memory", "bad_alloc", "bad allocation")
    )


def failed(error: Exception, source: Source, doing: str, mend: str) -> ModelFileError:
    """The error of ours for what a file that is open raised while it ran."""
    text, name = str(error), name_of(source)
    if isinstance(error, MemoryError) or _out_of_memory(text):
        return ModelFileError(f"{name} needs more memory {doing} than there is; use a smaller one")
    return ModelFileError(f"{name} cannot run {doing}; {mend} ({reason(text)})")


def reason(text: str) -> str:
    """The end of a foreign message in one printable line, without source files and signatures."""
    line = " ".join(text.split())
    line = re.sub(r"^.*\.(?:cc|h):\d+ ", "", line)
    line = re.sub(r"^[^()]*::[^()]*\(.*?\)(?: const)? ", "", line)
    return printable(line[-200:]) or "no reason was given"


def printable(text: str) -> str:
    """The text with a question mark for every character that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)
