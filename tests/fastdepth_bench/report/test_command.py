from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from made_up_results import new_row, old_row, report

from fastdepth.published import measured_d1
from fastdepth_bench.cli import main
from fastdepth_bench.report.markdown import marks, to_markdown
from fastdepth_bench.report.pages import SECTIONS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(report(new_row(), old_row("unet128"))))
    return path


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """What the README is made of, in the working directory."""
    shutil.copytree(ROOT / "benchmarks" / "results", tmp_path / "benchmarks" / "results")
    for name in ("README.md", "fastdepth/measured.json", "docs/models.md", "docs/compression.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_is_markdown_on_stdout(file, capsys):
    assert main(["report", str(file)]) == 0
    assert capsys.readouterr().out == to_markdown(json.loads(file.read_text()))


def test_files_go_where_they_are_asked_for(file, tmp_path, capsys):
    names = [str(tmp_path / "out" / name) for name in ("a.md", "a.csv")]
    other = tmp_path / "other" / file.name
    other.parent.mkdir()
    shutil.copy(file, other)
    assert main(["report", str(file), str(other), "--markdown", names[0], "--csv", names[1]]) == 0
    assert capsys.readouterr().out == ""
    assert Path(names[0]).read_text().count("| variant |") == 2
    lines = list(csv.DictReader(Path(names[1]).read_text().splitlines()))
    assert [line["file"] for line in lines] == [str(file)] * 2 + [str(other)] * 2


def test_csv_goes_to_stdout(file, capsys):
    assert main(["report", str(file), "--csv", "-"]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [line["variant"] for line in lines] == ["unet128-dws", "unet128"]


def test_the_folding_benchmarks_files_are_markdown_too(capsys):
    path = ROOT / "benchmarks" / "results" / "amd-epyc-4-cores.folding.json"
    assert main(["report", str(path)]) == 0
    assert "| x plain |" in capsys.readouterr().out


def test_the_readme_is_checked_and_renewed(checkout, capsys):
    assert main(["report", "--check"]) == 0
    readme, good = checkout / "README.md", (checkout / "README.md").read_text()
    found = measured_d1("unet128-dws")
    assert found is not None
    changed = good.replace(f"{found[0]:.3f}", "0.999")
    readme.write_text(changed)
    (checkout / "fastdepth" / "measured.json").unlink()
    assert main(["report", "--check"]) == 1
    said = capsys.readouterr().err
    assert "differs from the results: results, precisions, systems, seeds, fastdepth/" in said
    assert readme.read_text() == changed
    assert main(["report"]) == 0
    assert readme.read_text() == good
    assert main(["report", "--check"]) == 0


@pytest.mark.parametrize("section", SECTIONS)
def test_a_readme_without_a_section_is_refused(checkout, section, capsys):
    readme = checkout / "README.md"
    readme.write_text(readme.read_text().replace(marks(section)[1], ""))
    assert main(["report"]) == 2
    assert f"lacks the lines <!-- {section}: begin -->" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("FILE --check", "are for the README"),
        ("--picture --csv -", "are for the README"),
        ("FILE --markdown - --csv -", "cannot share stdout"),
        ("nowhere.json", "cannot read nowhere.json"),
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
