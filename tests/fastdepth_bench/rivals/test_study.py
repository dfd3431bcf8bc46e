"""What can be timed of rivals, on stand-ins; and the command's options and output."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from made_up_results import new_row, results
from tiny_onnx import write_model, write_third_party

from fastdepth.errors import MissingExtraError, ModelFileError, UsageError
from fastdepth.metadata import UNTRAINED
from fastdepth_bench.cli import main
from fastdepth_bench.measure.isolate import ProcessError
from fastdepth_bench.results.rivals import OURS, RIVALS
from fastdepth_bench.rivals import command, study
from fastdepth_bench.rivals.files import given_case
from fastdepth_bench.rivals.study import Compared, find

DEPTH_ANYTHING = RIVALS["depth-anything-v2-small"]
MIDAS = RIVALS["midas-v2.1-small"]


@pytest.fixture
def exported(monkeypatch, tmp_path):
    """Puts a small file in the place of every export; what was exported."""
    asked = []

    def export(work, say, rival, size):
        asked.append((rival.name, size))
        return write_model(tmp_path / f"{rival.name}-{size}.onnx", size, metadata=None)

    monkeypatch.setattr(study, "in_own_process", export)
    monkeypatch.setattr(study, "find_spec", lambda name: name)
    return asked


def test_every_rival_that_a_library_has_is_timed_at_each_input(exported):
    found = find(list(RIVALS.values()), {}, 1)
    expected = [
        (rival.timed_as, size) for rival in RIVALS.values() if rival.library for size in rival.sizes
    ]
    assert [(case.variant, case.size) for case in found.cases] == expected
    assert "midas-v2.1-small (encoder alone)" in dict(expected)
    assert all(case.weights == UNTRAINED and case.threads == 1 for case in found.cases)
    assert found.failed == {}


def test_without_its_library_the_pip_line_stands_in_the_place_of_a_figure(exported, monkeypatch):
    monkeypatch.setattr(study, "find_spec", lambda name: None if name == "transformers" else name)
    found = find([DEPTH_ANYTHING, MIDAS], {}, 1)
    assert [case.variant for case in found.cases] == ["midas-v2.1-small (encoder alone)"]
    assert found.failed == {
        DEPTH_ANYTHING.name: "not timed: transformers is not installed; "
        "run: pip install 'fastdepth[rivals]'"
    }
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[rivals\]'"):
        find([DEPTH_ANYTHING], {}, 1, needed=True)


def test_an_export_that_fails_costs_no_other_network(exported, monkeypatch):
    whole = study.in_own_process

    def fails(work, say, rival, size):
        if rival is MIDAS:
            raise ProcessError("no such operator")
        return whole(work, say, rival, size)

    monkeypatch.setattr(study, "in_own_process", fails)
    found = find([MIDAS, DEPTH_ANYTHING], {}, 1)
    assert found.failed == {MIDAS.name: "not timed: its export failed: no such operator"}
    assert len(found.cases) == len(DEPTH_ANYTHING.sizes)


def test_a_users_file_takes_the_place_of_what_a_library_has(exported, tmp_path):
    path = write_third_party(tmp_path / "theirs.onnx", ("B", 3, 256, 256))
    (case,) = find([MIDAS], {MIDAS.name: path}, 1).cases
    assert exported == []
    assert (case.variant, case.weights_name, case.size) == (MIDAS.name, "theirs.onnx", (256, 256))
    assert (case.trained, case.in_metres, case.model.normalise) == (True, False, "imagenet")


def test_a_users_file_is_run_at_its_own_input_or_at_the_rivals(tmp_path):
    fixed = write_third_party(tmp_path / "fixed.onnx", (1, 3, 12, 16))
    assert given_case(MIDAS, fixed, 1).size == (12, 16)
    opened = write_third_party(tmp_path / "open.onnx", ("B", 3, "H", "W"))
    assert given_case(DEPTH_ANYTHING, opened, 1).size == (518, 518)
    takes_bytes = write_model(tmp_path / "bytes.onnx", metadata=None)
    assert given_case(MIDAS, takes_bytes, 1).model.normalise == "raw"
    with pytest.raises(ModelFileError):
        given_case(MIDAS, tmp_path / "nowhere.onnx", 1)
    with pytest.raises(UsageError, match="fastdepth's own.*fastdepth-bench --model"):
        given_case(MIDAS, write_model(tmp_path / "ours.onnx"), 1)
    half = write_third_party(tmp_path / "half.onnx", (1, 3, "H", 100))
    with pytest.raises(UsageError, match="none of 256x256; export it with a fixed size"):
        given_case(MIDAS, half, 1)


def test_the_run_has_rivals_before_ours_each_under_its_alignment(tmp_path):
    path = write_third_party(tmp_path / "theirs.onnx", (1, 3, 12, 16))
    theirs = given_case(MIDAS, path, 1)
    options = Compared(
        variant=OURS, runtime=("onnxruntime",), threads=1, align=("affine",), others=(theirs,)
    )
    assert [case.variant for case in options.cases()] == [MIDAS.name, *OURS]
    assert options.alignments_of(theirs) == ("affine-disparity",)
    assert options.alignments_of(options.cases()[1]) == ("affine",)


@pytest.fixture
def ran(monkeypatch, exported):
    """Puts made-up rows in the place of the measurement; the options that it was given."""
    given = []

    def run(options, advance):
        given.append(options)
        rows = [
            new_row(case.variant, 10.0, size=list(case.size), weights=case.weights_name,
                    alignment="affine", untrained=not case.trained,
                    metrics={"d1": 0.8} if case.trained else None)
            for case in options.cases()
        ]  # fmt: skip
        return results(*rows)

    monkeypatch.setattr(command, "run", run)
    return given


def rivals(*words):
    return main(["rivals", "--threads", "1", "--data", "rooms:1", *words])


def test_the_command_shows_speed_accuracy_and_what_was_not_timed(ran, tmp_path, capsys):
    places = tmp_path / "r.json", tmp_path / "r.md", tmp_path / "plots" / "p.png"
    names = "json", "markdown", "plot"
    words = [f"--{name}={path}" for name, path in zip(names, places, strict=True)]
    assert rivals("--variant", "mnv2-64-dws-70", *words) == 0
    out, err = capsys.readouterr()
    assert "depth-anything-v2-small" in out and "518x518" in out and "frames/s" in out
    assert "github.com/fabiotosi92/ZipDepth" in out and "not found" in out
    assert "guidedepth-s: GuideDepth-S" in err and "no library has it" in err
    assert "Apache-2.0 (Base, Large and Giant: CC-BY-NC-4.0)" in err
    assert [path.exists() for path in places] == [True] * 3
    rows = json.loads(places[0].read_text())["rows"]
    assert [row["variant"] for row in rows][-1] == "mnv2-64-dws-70"
    (options,) = ran
    assert (options.seconds, options.restarts, options.align) == (3.0, 3, ("affine-disparity",))


def test_networks_and_variants_are_chosen(ran, tmp_path):
    path = write_third_party(tmp_path / "theirs.onnx", (1, 3, 12, 16))
    assert rivals("--network", "fastdepth-mnv1", "--onnx", f"guidedepth-s={path}") == 0
    names = [case.variant for case in ran[0].cases()]
    assert names == ["fastdepth-mnv1", "fastdepth-mnv1", "guidedepth-s", *OURS]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--network nobody", "nobody"),
        ("--onnx midas.onnx", "say NAME=FILE"),
        ("--onnx nobody=x.onnx", "nobody"),
        ("--onnx guidedepth-s=a.onnx --onnx guidedepth-s=b.onnx", "two files of guidedepth-s"),
        ("--onnx guidedepth-s=nowhere.onnx", "nowhere.onnx"),
        ("--align affine,median", "--align takes one here"),
        ("--plot plot.jpg", "ends in .png or .svg"),
        ("--json - --markdown -", "share a place"),
        ("--json r.png --plot ./r.png", "share a place"),
        ("--plot folder.png", "it is a folder"),
        ("--plot file/p.png", "cannot make the folder"),
        ("--variant nobody", "nobody"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_one_line(words, said, ran, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    assert rivals(*words.split()) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert ran == []


def test_a_plot_without_matplotlib_is_refused_before_anything_is_timed(ran, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert rivals("--plot", "p.png") == 2
    assert "pip install 'fastdepth[bench]'" in capsys.readouterr().err
    assert ran == []


def test_a_narrow_terminal_has_two_tables_of_speed(ran, monkeypatch, capsys):
    monkeypatch.setattr(command, "is_wide", lambda columns: False)
    assert rivals("--network", "fastdepth-mnv1") == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if "network  " in line]
    assert ["frames/s" in line for line in headings] == [True, True, False]
    assert ["GMAC" in line for line in headings] == [False, True, False]


def test_a_row_that_failed_is_the_exit_status(ran, monkeypatch, capsys):
    whole = command.run

    def fails(options, advance):
        report = whole(options, advance)
        row = replace(report.rows[0], error="no memory", fps=None, latency_ms=None)
        return replace(report, rows=(row, *report.rows[1:]))

    monkeypatch.setattr(command, "run", fails)
    assert rivals("--network", "fastdepth-mnv1") == 1
    assert "failed: no memory" in capsys.readouterr().err
