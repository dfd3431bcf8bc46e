from __future__ import annotations

import sys

import pytest

from fastdepth.published import PUBLISHED
from fastdepth.train.cli import main
from fastdepth.train.command import HEADINGS, listing
from fastdepth.variants import VARIANTS
from fastdepth.weights import shipped_card


def test_help_teaches_by_example(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "fastdepth-train --variant unet128-dws --data nyu:PATH" in capsys.readouterr().out


def test_a_run_and_its_last_line(tiny, folder, tmp_path, capsys):
    words = f"--variant tiny --data nyu:{folder} --workers 0 --max-minutes 1e-9".split()
    assert main([*words, "--output", str(tmp_path / "run")]) == 0
    assert "1 of " in capsys.readouterr().err
    assert (tmp_path / "run" / "loss.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--variant unet12 --data rooms", "did you mean 'unet128'"),
        ("--variant unet128 --data nyu:/nowhere", "/nowhere does not exist"),
        ("--variant unet128 --data rooms --crop 224x224", "nearest sizes that work"),
    ],
)
def test_user_errors_are_one_line_and_status_2(words, message, tmp_path, capsys):
    assert main([*words.split(), "--output", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no --variant; --list shows all"),
        ("--list --variant unet128", "--list trains nothing; leave the other options out"),
        ("--variant unet128", "no --output; give a folder"),
        ("--variant unet128 --output run", "no training data; give --data"),
    ],
)
def test_what_is_missing_is_asked_for(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_list_is_aligned_text_when_piped(capsys):
    assert main(["--list"]) == 0
    text = capsys.readouterr().out
    assert not {"\t", "\x1b", "│"} & set(text)
    heading, *lines = text.splitlines()
    places = [heading.index(name) for name in ("variant", "recipe", "reported by")]
    for line, cells in zip(lines, listing()[0], strict=False):
        starts = [line[place:] for place in places]
        parts = (cells[0], cells[2], cells[3])
        assert all(s.startswith(p) for s, p in zip(starts, parts, strict=True))
    assert lines[len(VARIANTS) :] == listing()[1]


def test_the_list_puts_reported_beside_measured():
    cells, notes = listing()
    assert [line[0] for line in cells] == list(VARIANTS)
    lines = {line[0]: dict(zip(HEADINGS, line, strict=True)) for line in cells}
    assert lines["unet128-dws"]["reported d1"] == f"{PUBLISHED['unet128-dws'].d1:.3f}" == "0.689"
    card = shipped_card("unet128-dws")
    assert card is not None
    assert lines["unet128-dws"]["measured d1"] == f"{card.scores['d1']:.3f} a"
    assert notes[0] == f"a: protocol eigen, {card.evaluated_on}"
    assert lines["unet256"]["measured d1"] == "-"
    assert lines["unet128-dws"]["params"] == "6.47 M"
    assert lines["unet-dws"]["reported d1"] == "-"


def test_the_list_is_a_ruled_table_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--list"]) == 0
    text = capsys.readouterr().out
    assert "│" in text
    assert all(f" {v.name} " in text and f" {v.recipe} " in text for v in VARIANTS.values())
