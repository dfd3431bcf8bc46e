from __future__ import annotations

import pytest

from fastdepth.train.cli import main


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
