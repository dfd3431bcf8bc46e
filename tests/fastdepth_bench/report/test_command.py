from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from made_up_results import new_row, old_row, report, results

from fastdepth_bench.cli import main
from fastdepth_bench.report.render import to_markdown


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(report(new_row(), old_row("unet128"))))
    return path


def test_a_file_is_markdown_on_stdout(file, capsys):
    assert main(["report", str(file)]) == 0
    assert capsys.readouterr().out == to_markdown(results(new_row(), old_row("unet128")))


def test_files_go_where_they_are_asked_for(file, tmp_path, capsys):
    names = [str(tmp_path / "out" / name) for name in ("a.md", "a.csv")]
    other = tmp_path / "other" / file.name
    other.parent.mkdir()
    shutil.copy(file, other)
    assert main(["report", str(file), str(other), "--markdown", names[0], "--csv", names[1]]) == 0
    assert capsys.readouterr().out == ""
    assert Path(names[0]).read_text().count("| network |") == 2
    lines = list(csv.DictReader(Path(names[1]).read_text().splitlines()))
    assert [line["file"] for line in lines] == [str(file)] * 2 + [str(other)] * 2


def test_csv_goes_to_stdout(file, capsys):
    assert main(["report", str(file), "--csv", "-"]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [line["variant"] for line in lines] == ["unet128-dws", "unet128"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("FILE --check", "are for the pages of a checkout"),
        ("--picture --csv -", "are for the pages of a checkout"),
        ("FILE --markdown - --csv -", "cannot share stdout"),
        ("nowhere.json", "nowhere.json does not exist"),
        ("", "run in a checkout"),
        ("--csv -", "run in a checkout"),
    ],
)
def test_misuse_is_one_line(file, words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words.replace("FILE", str(file)).split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fastdepth-bench report: ")
    assert error.count("\n") == 1


def test_help_shows_how(capsys):
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "fastdepth-bench report results.json --plot plots" in capsys.readouterr().out
