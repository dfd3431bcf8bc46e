from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up_results import failed_row, latency, new_row, old_row, report, results

from fastdepth_bench.cli import main
from fastdepth_bench.report.compare import Limits, compare, verdict


def words(old, new, limits=Limits()):
    """What is worse and what is better between one row and another."""
    (found,) = compare(results(old), results(new), limits)
    return [word for word, _ in found.worse], [word for word, _ in found.better]


def test_nothing_changed():
    for row in (old_row(), new_row(), failed_row()):
        assert words(row, row) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ([9.8, 10.2], [9.0, 9.7], (["slower"], [])),
        ([9.8, 10.2], [9.0, 9.9], ([], [])),
        ([9.8, 10.2], [10.3, 11.0], ([], ["faster"])),
    ],
)
def test_intervals_that_do_not_overlap(old, new, found):
    before, now = (
        new_row(fps=sum(span) / 2, fps_interval=span, p50=1e3 / (sum(span) / 2))
        for span in (old, new)
    )
    assert words(before, now) == found


@pytest.mark.parametrize(
    ("p50", "iqr", "found"),
    [
        (104.0, 1.0, ([], [])),  # within 5 %
        (107.0, 1.0, (["slower"], [])),
        (94.0, 1.0, ([], ["faster"])),
        (107.0, 60.0, ([], [])),  # notches of 1.57 * 60 / sqrt(100) = 9.4 ms each
        (125.0, 60.0, (["slower"], [])),
    ],
)
def test_medians_of_single_runs(p50, iqr, found):
    old = old_row(latency_ms=latency(100.0, iqr))
    assert words(old, old_row(p50=p50, latency_ms=latency(p50, iqr))) == found


def test_an_interval_on_one_side_alone_is_not_enough():
    old = old_row()
    assert words(old, new_row(p50=103.0, fps_interval=[9.70, 9.72])) == ([], [])


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({"d1": 0.5951}, ([], [])),
        ({"d1": 0.5949}, (["less accurate"], [])),
        ({"d3": 0.97}, (["less accurate"], [])),
        ({"d1": 0.61}, ([], ["more accurate"])),
        ({"rmse": 0.81}, ([], [])),
        ({"rmse": 0.82}, (["less accurate"], [])),
        ({"d1": 0.61, "rmse": 0.9}, (["less accurate"], ["more accurate"])),
        ({"nonfinite": 1}, (["not finite"], [])),
        (None, (["unscored"], [])),
        ({"d1": None}, (["unscored"], [])),
    ],
)
def test_scores(metrics, found):
    new = old_row(metrics=metrics)
    if metrics and None in metrics.values():  # which no row may have
        new["metrics"] = {name: value for name, value in new["metrics"].items() if value}
    assert words(old_row(), new) == found


def test_tolerances_are_the_users():
    worse = old_row(metrics={"d1": 0.58, "rmse": 0.9})
    assert words(old_row(), worse, Limits(0.03, 0.2)) == ([], [])
    (found,) = compare(results(old_row()), results(worse))
    ((_, figures),) = found.worse
    assert figures == "d1 0.6000 -> 0.5800, RMSE m 0.8000 -> 0.9000"


@pytest.mark.parametrize(
    ("now", "found"),
    [(0.0315, ([], [])), (0.028, (["less accurate"], [])), (0.036, ([], ["more accurate"]))],
)
def test_metrics_of_edges_are_small_and_judged_by_their_share(now, found):
    assert words(old_row(metrics={"edge_f1": 0.032}), old_row(metrics={"edge_f1": now})) == found


def test_files_that_grew():
    assert words(old_row(bytes=1000), old_row(bytes=1009)) == ([], [])
    assert words(old_row(bytes=1000), old_row(bytes=1011)) == (["larger"], [])
    assert words(old_row(bytes=1000), old_row(bytes=900)) == ([], ["smaller"])


@pytest.mark.parametrize(
    ("lost", "found"),
    [({"fps": None, "latency_ms": None}, "untimed"), ({"bytes": None}, "no size")],
)
def test_a_figure_that_is_gone_is_a_regression(lost, found):
    assert words(old_row(), old_row(**lost)) == ([found], [])
    assert words(old_row(**lost), old_row()) == ([], [])
    assert words(old_row(), old_row(**lost), Limits(speed=False))[0] == [found] * ("bytes" in lost)


def test_failures():
    assert words(old_row(), failed_row()) == (["fails"], [])
    assert words(failed_row(), old_row()) == ([], ["works"])


def test_rows_that_come_and_go():
    old, new = (results(old_row(), old_row(name)) for name in ("unet128", "unet256"))
    same, gone, added = compare(old, new)
    assert (same.worse, [word for word, _ in gone.worse], added.worse) == ((), ["missing"], ())
    assert verdict([same, gone, added]) == "REGRESSION in 1 of 3 rows: 1 missing"
    assert verdict([same, added]) == "no regression in 2 rows, none changed beyond noise"


@pytest.mark.parametrize(
    "change",
    [
        {"size": [240, 320]},
        {"threads": 1},
        {"batch": 2},
        {"fold": False},
        {"weights": "mine"},
        {"precision": "int8"},
        {"sample_hash": "0" * 12},
        {"scenario": "server", "queries": {"n": 9, "samples": 1, "rate": 5.0}},
    ],
)
def test_unlike_rows_are_not_compared(change):
    found = compare(results(new_row()), results(new_row(**change)))
    assert [(each.old is None, each.new is None) for each in found] == [
        (False, True),
        (True, False),
    ]


def test_the_best_batch_offline_may_change():
    old, new = (new_row(scenario="offline", batch=batch) for batch in (8, 16))
    assert words(old, new) == ([], [])


def test_a_server_that_no_longer_keeps_up():
    calm, late = (
        new_row(scenario="server", queries={"n": 9, "samples": 1, "rate": 5.0, "overloaded": over})
        for over in (False, True)
    )
    assert words(calm, late) == (["overloaded"], [])


def test_rows_that_measure_the_same_are_told_apart_by_their_order():
    rows = [old_row(), old_row(p50=200)]
    assert all(not each.worse for each in compare(results(*rows), results(*rows)))


@pytest.fixture
def files(tmp_path):
    """Writes two results files and answers with their names."""

    def write(old, new):
        paths = [tmp_path / "old.json", tmp_path / "new.json"]
        for path, content in zip(paths, (old, new), strict=True):
            path.write_text(json.dumps(content))
        return [str(path) for path in paths]

    return write


def test_the_command_tells_by_its_exit_status(files, capsys):
    assert main(["compare", *files(report(old_row()), report(old_row()))]) == 0
    assert capsys.readouterr().out.endswith("no regression in 1 row, none changed beyond noise\n")
    worse = report(old_row(p50=130.0), busy=True, other_load=2.0)
    assert main(["compare", *files(report(old_row()), worse)]) == 1
    said = capsys.readouterr().out
    assert "0.77x" in said
    assert "#1 unet128-dws: slower: 10.0 -> 7.69 frames/s, -23.1 %; noise 5.0 %" in said
    assert "new.json: BUSY MACHINE: other processes used 2.0 cores" in said
    assert said.endswith("REGRESSION in 1 of 1 row: 1 slower\n")


def test_other_machines_compare_in_accuracy_alone(files, capsys):
    old, new = report(old_row()), report(old_row(p50=900.0, threads=8), cpu="another")
    assert main(["compare", *files(old, new)]) == 2
    assert "--other-machine" in capsys.readouterr().err
    assert main(["compare", *files(old, new), "--other-machine"]) == 0
    assert "frames/s" not in capsys.readouterr().out
    new["rows"][0]["metrics"]["d1"] = 0.5
    assert main(["compare", *files(old, new), "--other-machine"]) == 1


@pytest.mark.parametrize("wrong", ["NaN", "1e999", "0", "-1", "1e300", "true", '"10"'])
def test_what_is_no_figure_is_never_compared(files, wrong, capsys):
    good, bad = files(report(old_row()), report(old_row(fps=12345.0)))
    path = Path(bad)
    path.write_text(path.read_text().replace("12345.0", wrong))
    for names in ((good, bad), (bad, good)):
        assert main(["compare", *names]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert bad in line


@pytest.mark.parametrize(
    "words", ["--tolerance nan", "--error-tolerance inf", "--tolerance -1", "--error-tolerance 1"]
)
def test_tolerances_that_cannot_be(files, words, capsys):
    assert main(["compare", *files(report(old_row()), report(old_row())), *words.split()]) == 2
    assert "must be 0 to below 1" in capsys.readouterr().err


def test_misuse_is_one_line(files, capsys):
    for words in (["a.json"], ["a.json", "b.json"], files(report({}), report(old_row()))):
        assert main(["compare", *words]) == 2
        error = capsys.readouterr().err
        assert error.startswith("fastdepth-bench compare: ")
        assert error.count("\n") == 1


def test_an_old_file_in_other_words_is_compared():
    old, new = (
        old_row(protocol_description=f"mean of {word} and mirror; of each {word} by scale")
        for word in ("picture", "image")
    )
    assert words(old, new) == ([], [])


def aligned(name, **changes):
    told = f"protocol eigen; alignment {name}; crop of Eigen"
    return old_row(alignment=name, protocol_description=told, **changes)


def test_other_alignments_are_refused(files, capsys):
    assert main(["compare", *files(report(old_row()), report(aligned("median")))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "scored under different alignments (none and median), which do not compare" in line


def test_rows_of_one_alignment_are_compared_with_each_other():
    old = results(old_row(), aligned("median", metrics={"d1": 0.8}))
    new = results(aligned("median", metrics={"d1": 0.7}), old_row())
    none, median = compare(old, new)
    assert (none.worse, [word for word, _ in median.worse]) == ((), ["less accurate"])
    (kept, gone) = compare(old, results(old_row()))
    assert (kept.worse, [word for word, _ in gone.worse]) == ((), ["missing"])
    assert verdict(compare(old, old)).startswith("no regression in 2 rows")


def test_a_metric_that_an_old_file_lacks_is_not_compared():
    old = old_row()
    del old["metrics"]["silog"]
    assert words(old, old_row(metrics={"silog": 99.0})) == ([], [])


def test_help_shows_how(capsys):
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    assert "fastdepth-bench compare old.json new.json" in capsys.readouterr().out
