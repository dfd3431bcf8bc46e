"""Text from anywhere is shown, not obeyed; streams that are full or closed have their status."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth.console import print_table, progress, say, tell
from fastdepth.streams import printable, usable_streams
from fastdepth_export.cli import main

COMMAND = "import sys; from fastdepth_export.cli import main; sys.exit(main(sys.argv[1:]))"
HOSTILE = "\x1b[2J\x9b31m\x07\u202eltr\u2066\udcff\0\r[/red]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\u202eb\u2028c\ufeff", r"a\u202eb\u2028c\ufeff"),
        ("\x9b0m\0\udcff", r"\x9b0m\x00\udcff"),
        ("Größe 図\u3000\xa0m² 🙂", "Größe 図\u3000\xa0m² 🙂"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_printable_text_is_printable_and_stays_so(text):
    shown = printable(text)
    assert {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()
    assert printable(shown) == shown


def test_everything_that_prints_shows_and_does_not_obey(capsys, monkeypatch):
    tell(f"{HOSTILE}\nx")
    say(f"{HOSTILE}\nx")
    print_table(("#", "name"), [("1", HOSTILE)])
    for text in capsys.readouterr():
        assert "\\x1b[2J\\x9b31m\\x07\\u202eltr" in text
        assert {*filter(lambda each: not each.isprintable(), text)} == {"\n"}
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    with progress(HOSTILE, 2) as advance:
        advance(1, note=HOSTILE)
    drawn = terminal.getvalue()
    assert "\\x1b[2J" in drawn
    assert not {"\x1b[2J", "\x9b", "\u202e", "\x07"} & {*drawn}
    assert "\x1b[2J" not in drawn


def test_a_line_is_not_endless(capsys):
    tell("x" * 10**6)
    assert len(capsys.readouterr().err) < 2000


@pytest.mark.parametrize(
    ("words", "streams", "status", "line"),
    [
        ("-u --list", ">/dev/full", 2, "cannot write to stdout: No space left on device"),
        ("--list", ">/dev/full", 2, "cannot write to stdout: No space left on device"),
        ("--list", ">&-", 2, "cannot write to stdout: it is closed"),
        ("--list", ">/dev/full 2>/dev/full", 2, ""),
        ("--list", ">/dev/full 2>&-", 2, ""),
        ("--list", ">/dev/null 2>&-", 0, ""),
        ("--help", ">/dev/full", 2, "No space left on device"),
        ("--help", ">&-", 2, "cannot write to stdout: it is closed"),
        ("--verify nowhere.onnx", ">/dev/full", 2, "nowhere.onnx"),
    ],
)
def test_a_stream_that_takes_nothing_is_status_2_and_a_line(
    monkeypatch, words, streams, status, line
):
    monkeypatch.setenv("PYTHONUNBUFFERED", "1" if "-u" in words else "")
    shell = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-c", COMMAND]
    line_of_words = [*shell, *words.removeprefix("-u").split()]
    done = subprocess.run(line_of_words, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr.count("\n") == bool(line)
    assert line in done.stderr


def test_a_full_stderr_is_told_on_stdout(tiny_file, photo_file, tmp_path):
    code = "import sys; from fastdepth.predict import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, tiny_file, photo_file, "--output", tmp_path / "out"]
    shell = ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", *map(str, words)]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ("fastdepth-predict: cannot write to stderr: No space left on device\n")
    assert (tmp_path / "out" / "photo_depth.png").exists()


@pytest.mark.parametrize("columns", ["0", "1", "7", "-3", "²", "wide", str(10**12)])
def test_help_ends_at_any_width(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    with pytest.raises(SystemExit):
        main(["--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 1000
    assert os.environ["COLUMNS"] == columns


def test_names_that_an_encoding_lacks_are_printed(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    with usable_streams():
        say("Größe")
    narrow.flush()
    assert narrow.buffer.getvalue() == b"Gr\\xf6\\xdfe\n"
    assert narrow.errors == "strict"
