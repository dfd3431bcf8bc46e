"""What a converter raises is one line, and what an export says of itself was measured of it."""

from __future__ import annotations

import errno
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tiny_onnx import METADATA

from fastdepth.errors import DataError, ParityError
from fastdepth_export.formats.converting import converting, write_first, write_verified


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Lowering not found:\n aten.exotic"), "Lowering not found: aten.exotic"),
        (AssertionError(), "AssertionError"),
        (ValueError("x" * 1000), "x" * 200),
    ],
)
def test_what_a_converter_raises_is_one_line(error, reason):
    message = rf"^PNNX cannot convert tiny \({reason}\); nothing was written; use another format$"
    with pytest.raises(ParityError, match=message), converting("tiny", "PNNX"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        DataError("room.png is damaged; copy it again"),
        OSError(errno.ENOSPC, "No space left on device"),
        MemoryError(),
        KeyboardInterrupt(),
    ],
    ids=["images to calibrate on", "disk", "memory", "Ctrl-C"],
)
def test_what_is_not_the_converters_stays_what_it_is(error):
    with pytest.raises(type(error)) as found, converting("tiny", "PNNX"):
        raise error
    assert found.value is error


def test_what_was_measured_is_written():
    written = []

    def opened():
        assert written == [METADATA]
        return SimpleNamespace(compute="depth")

    def verify(infer):
        assert infer == "depth"
        return {"parity": 0.25}

    expected = replace(METADATA, parity=0.25)
    assert write_verified(written.append, opened, METADATA, verify) == expected
    assert written == [METADATA, expected]


def refusing(*names):
    """What verifies files as if some of them had lost too much."""

    def verify(infer, *, force=True):
        if infer in names and not force:
            raise ParityError(f"{infer} loses too much")
        return {"parity": 0.25}

    return verify


@pytest.mark.parametrize(
    ("refused", "expected"),
    [([], "all"), (["all"], "most"), (["all", "most"], "some"), (["all", "most", "some"], "some")],
)
def test_the_first_that_is_not_refused_is_written_and_the_last_alone_is_forced(refused, expected):
    written = []
    writes = [lambda _, name=name: written.append(name) for name in ("all", "most", "some")]

    def opened():
        return SimpleNamespace(compute=written[-1])

    write_first(writes, opened, METADATA, refusing(*refused))
    assert written[-1] == expected


def test_where_all_are_refused_the_last_says_why():
    def verify(infer, **_):
        raise ParityError(f"{infer} loses too much")

    written = []
    writes = [lambda _, name=name: written.append(name) for name in ("all", "most")]
    with pytest.raises(ParityError, match="^most loses too much$"):
        write_first(writes, lambda: SimpleNamespace(compute=written[-1]), METADATA, verify)
