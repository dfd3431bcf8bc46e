"""Every verb of every command: it is listed, loads nothing else, teaches, and loses no option."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastdepth import predict
from fastdepth.calibrate import cli as calibrate
from fastdepth.train import cli as train
from fastdepth_bench import cli as bench
from fastdepth_export import cli as export

OPTIONS = Path(__file__).with_name("command_lines.txt")
"""The names of all options, a verb a line. A new one is added here by hand."""

VERBS = [(cli, verb) for cli in (bench, train) for verb in cli.VERBS]
COMMANDS = {
    **{f"{cli.PROG} {verb.name}": (cli.main, verb.name) for cli, verb in VERBS},
    export.PROG: (export.main,),
    predict.PROG: (predict.main,),
    calibrate.PROG: (calibrate.main,),
}

without_torch = pytest.mark.parametrize(
    ("cli", "verb"),
    [(cli, v) for cli, v in VERBS if v.name not in ("prune", "ship", "uncertainty")],
    ids=lambda value: getattr(value, "name", None),
)


def help_of(name, monkeypatch, capsys):
    main, *words = COMMANDS[name]
    monkeypatch.setenv("COLUMNS", "150")
    with pytest.raises(SystemExit) as left:
        main([*words, "--help"])
    assert left.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_example(name, monkeypatch, capsys):
    text = help_of(name, monkeypatch, capsys)
    usual = [f"{cli.PROG} {cli.VERBS[0].name}" for cli in (bench, train)]
    called = name.partition(" ")[0] if name in usual else name
    assert text.startswith(f"usage: {called} [-h]")
    assert re.search(rf"^  {called}( |$)", text, re.MULTILINE)


def option_names(text):
    """Names of options and positional arguments in a help, in order, with a box drawn or not."""
    _, _, lists = re.split(r"^\W*(positional arguments|options)\W*$", text, maxsplit=1, flags=re.M)
    found = re.findall(r"^[│ ] (?:-h, )?(--[a-z0-9-]+|[A-Z]{3,})\b", lists, re.M)
    return " ".join(sorted({*found} - {"--help"}))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_lost(name, monkeypatch, capsys):
    known = dict(line.partition(":")[::2] for line in OPTIONS.read_text().splitlines())
    assert known.keys() == COMMANDS.keys()
    assert option_names(help_of(name, monkeypatch, capsys)) == known[name].strip()


@pytest.mark.parametrize("cli", [bench, train], ids=lambda cli: cli.PROG)
def test_help_lists_the_verbs_with_their_lines(cli, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "150")
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for verb in cli.VERBS:
        assert f"{verb.name} {verb.summary}" in lines


@without_torch
def test_a_verb_is_imported_when_it_is_called_and_without_torch(cli, verb):
    code = f"""
import sys
from {cli.__name__} import main
assert not {{{verb.module!r}, "torch"}} & sys.modules.keys()
try:
    main([{verb.name!r}, "--help"])
except SystemExit:
    pass
assert {verb.module!r} in sys.modules
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
