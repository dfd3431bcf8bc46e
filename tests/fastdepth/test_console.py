from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from types import ModuleType

import pytest

from fastdepth.console import (
    Stopwatch,
    Verb,
    list_verbs,
    print_table,
    progress,
    run_command,
    run_verb,
)
from fastdepth.errors import ParityError, UsageError
from fastdepth.ranges import Threads
from fastdepth.streams import nowhere


@dataclass(frozen=True)
class Options:
    """Options.

    Attributes:
        size: how large.
        name: may come again.
    """

    size: Threads = 3
    name: tuple[str, ...] = ()


def run(body, *words):
    return run_command(Options, body, prog="tool", description="A tool.", arguments=words)


def fail(error):
    def body(options):
        raise error

    return body


def test_options_reach_the_body_and_none_is_success():
    seen = []
    assert run(seen.append, "--size", "5", "--name", "a", "--name", "b") == 0
    assert seen == [Options(5, ("a", "b"))]


def test_the_body_decides_the_status():
    assert run(lambda options: 1) == 1


@pytest.mark.parametrize(
    ("error", "status"), [(UsageError("mend\nit"), 2), (ParityError("it differs"), 1)]
)
def test_an_error_is_one_line_with_its_own_status(error, status, capsys):
    assert run(fail(error)) == status
    assert capsys.readouterr().err == f"tool: {' '.join(str(error).split())}\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [(("--sise", "3"), "--size"), (("--size",), "--size"), (("--size", "big"), "'big'")],
)
def test_words_that_make_no_sense_are_one_line_and_status_2(words, named, capsys):
    assert run(fail(AssertionError("never called")), *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("tool: ")
    assert error.count("\n") == 1
    assert named in error


def test_an_interrupt_is_no_traceback(capsys):
    assert run(fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "tool: interrupted\n"


def import_in_c(cause):
    """As pybind11 has it."""
    error = ImportError("initialization failed")
    error.__cause__ = cause
    return error


def test_an_interrupt_while_a_module_in_c_is_imported_is_one_too(capsys):
    assert run(fail(import_in_c(KeyboardInterrupt()))) == 130
    assert capsys.readouterr().err == "tool: interrupted\n"
    with pytest.raises(ImportError):
        run(fail(import_in_c(ValueError())))


@pytest.mark.parametrize("error", [ZeroDivisionError(), RuntimeError("a defect")])
def test_a_defect_of_ours_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        run(fail(error))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/root/x"), "/root/x: Permission denied"),
        (OSError("odd"), "a file or stream: odd"),
        (MemoryError(), "not enough memory; ask for less at once, or free some"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "not enough memory; ask for less at once, or free some",
        ),
        (RecursionError(), "something is nested too deep"),
    ],
    ids=repr,
)
def test_what_the_machine_lacks_is_one_line(error, line, capsys):
    assert run(fail(error)) == 2
    assert capsys.readouterr().err == f"tool: {line}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", ""], "--name is empty; leave it out"),
        (["--name", "a", "--name= "], "--name is empty; leave it out"),
        ([""], "tool: word 1 of the command line is empty"),
        (["model.onnx", ""], "tool: word 2 of the command line is empty"),
        (["--name=a", " "], "tool: word 2 of the command line is empty"),
        (["model.onnx", "a\0b"], "tool: word 2 of the command line holds a NUL"),
        (["--name", "a\0b"], "--name holds a NUL"),
        (["--size", "0"], "size 0 must be 1 to 1024"),
        (["--size", "x" * 10**5], "Error parsing --size"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_words_that_mean_nothing_are_refused(words, message, capsys):
    assert run(fail(AssertionError("never called")), *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert len(line) < 2000


def test_a_working_folder_that_was_removed_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run(fail(AssertionError("never called"))) == 2
    message = "tool: the working folder is gone; change to one that is there\n"
    assert capsys.readouterr().err == message


def test_a_reader_that_leaves_early_is_no_error():
    code = "import sys; from fastdepth_export.cli import main\nsys.exit(main(['--list']))"
    line = f'{sys.executable} -c "{code}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def test_progress_is_silent_where_it_is_piped(capfd):
    with progress("work", 3) as advance:
        advance()
        advance(2, "done")
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_progress_on_a_terminal_counts_and_says_what_is_done(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("drawing", 3) as advance:
        advance()
        advance(2, "room 3")
    drawn = terminal.getvalue()
    assert "drawing" in drawn
    assert "3/3" in drawn
    assert "room 3" in drawn


def test_progress_inside_another_stands_below_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("exporting", 2) as advance:
        with progress("drawing", 3):
            advance(note="int8")
            time.sleep(0.3)  # bars are drawn ten times a second
        place = len(terminal.getvalue())
        advance(note="last")
    below = [frame.partition("drawing") for frame in terminal.getvalue().split("exporting")]
    assert any("1/2" in outer and "\n" in outer for outer, inner, _ in below if inner)
    assert "drawing" not in terminal.getvalue()[place:]
    assert "2/2" in terminal.getvalue()[place:]
    with progress("after", 1):
        pass
    assert "exporting" not in terminal.getvalue().split("after", 1)[1]


def test_a_closed_descriptor_is_filled_so_that_no_file_takes_its_number():
    number = os.dup(1)
    os.close(number)
    with nowhere(number) as stream:
        stream.write("unseen")
        assert os.fstat(number)
        assert os.get_inheritable(number)
    os.close(number)


def test_a_stopwatch_begins_again_at_each_lap():
    watch = Stopwatch()
    time.sleep(0.02)
    assert watch.lap() >= 0.02
    assert watch.seconds < 0.02


VERBS = (
    Verb("work", "does it", "worker"),
    Verb("look", "shows it", "looker", extra="glasses"),
)


@pytest.fixture
def called(monkeypatch):
    """What the modules of ``VERBS`` are called with."""
    seen = []
    for verb in VERBS:
        module = ModuleType(verb.module)
        module.main = lambda words, name=verb.name: seen.append((name, words)) or len(seen)
        monkeypatch.setitem(sys.modules, verb.module, module)
    return seen


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ("work", [])),
        (["--fast"], ("work", ["--fast"])),
        (["work", "--fast"], ("work", ["--fast"])),
        (["look", "here", "--fast"], ("look", ["here", "--fast"])),
    ],
)
def test_the_first_word_is_a_verb_or_the_first_verb_is_meant(called, words, expected):
    assert run_verb("tool", VERBS, words) == 1
    assert called == [expected]


def test_a_verb_that_is_none_is_one_line(called, capsys):
    assert run_verb("tool", VERBS, ["lock"]) == 2
    message = "tool: unknown verb 'lock'; did you mean 'look'? known: work, look\n"
    assert capsys.readouterr().err == message
    assert not called


def test_a_verb_without_its_extra_is_its_pip_line(monkeypatch, tmp_path, capsys):
    (tmp_path / "looker.py").write_text("import lens_that_isnowhere")
    monkeypatch.syspath_prepend(tmp_path)
    assert run_verb("tool", VERBS, ["look"]) == 2
    message = "tool: lens_that_isnowhere is not installed; run: pip install 'fastdepth[glasses]'\n"
    assert capsys.readouterr().err == message


def test_help_has_a_line_a_verb():
    lines = list_verbs(VERBS).splitlines()
    assert lines[2:] == ["  work  does it", "  look  shows it"]


def test_a_piped_table_is_aligned_and_whole(capsys):
    long = "x" * 300
    print_table(("name", "frames/s", "text"), [("[red]a", "10.5", long), ("b", "-", "has words")])
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading == "name    frames/s  text"
    assert lines == [f"[red]a      10.5  {long}", "b              -  has words"]
