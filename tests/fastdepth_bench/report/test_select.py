from __future__ import annotations

from pathlib import Path

from made_up_results import failed_row, new_row, old_row, read_rows, results

from fastdepth_bench.report.select import (
    meant_for,
    names,
    representatives,
    scored,
    shipped_together,
    weights_of,
)


def test_rows_are_named_by_what_differs():
    def called(*rows):
        return names(read_rows(*rows))

    assert called(old_row(), old_row(precision="int8"), old_row(runtime="torch")) == [
        "unet128-dws onnxruntime",
        "unet128-dws onnxruntime int8",
        "unet128-dws torch",
    ]
    assert called(new_row(), new_row(fold=False)) == ["unet128-dws", "unet128-dws:plain"]
    assert called(old_row(), old_row("unet128", size=[48, 64])) == ["unet128-dws", "unet128"]
    assert called(old_row(), old_row(size=[48, 64]))[1] == "unet128-dws 64x48"
    assert called(old_row(), old_row(weights="mine")) == [
        "unet128-dws unet128-dws.nyu",
        "unet128-dws mine",
    ]
    assert called(old_row(), old_row(alignment="median"))[1] == "unet128-dws median"
    served = new_row(scenario="server", queries={"rate": 20.0, "n": 100, "samples": 1})
    assert called(new_row(), served) == ["unet128-dws", "unet128-dws server 20/s"]
    assert names([]) == []


def test_the_best_row_stands_for_a_network():
    learnt = new_row(p50=10.0, data="nyu train", weights="eight")
    trained = new_row(p50=20.0)
    rows = [failed_row(), learnt, trained, new_row(runtime="torch"), new_row(scenario="offline")]
    (found,) = representatives([results(*rows)], ["unet128-dws"]).values()
    assert (found.row.fps, scored(found.row)) == (50.0, True)
    (aligned,) = representatives([results(new_row(alignment="affine"))], ["unet128-dws"]).values()
    assert not scored(aligned.row)
    (only,) = representatives([results(learnt)], ["unet128-dws"]).values()
    assert (weights_of(only.row), scored(only.row)) == ("eight (over-fits)", False)
    other = {"file": "unet128-dws.onnx", "normalise": None, "output": "metres", "hash": "0"}
    assert representatives([results(failed_row(), new_row(model=other))], ["unet128-dws"]) == {}


def test_scores_of_more_networks_together_stand_before_speeds_of_more():
    names = ("unet256", "unet128", "unet128-dws")
    untrained = {"untrained": True, "weights": "untrained", "metrics": None}
    timed = results(*(new_row(name, 9.0, **untrained) for name in names[:2]), new_row())
    judged = results(new_row("unet128", weights="mine"), new_row(weights="mine"))
    for reports in ([timed, judged], [judged, timed]):
        found = representatives(reports, names)
        assert {name: weights_of(found[name].row) for name in names} == {
            "unet256": "untrained",
            "unet128": "mine",
            "unet128-dws": "mine",
        }


def test_networks_that_ship_are_shown_from_one_run_alone():
    one = results(new_row("mnv2-64-dws", 9.0), new_row("unet128-dws", 99.0))
    quicker = results(new_row("mnv2-64-dws", 1.0))
    mixed = results(new_row("mnv2-64-dws", 2.0), new_row("unet128-dws", 3.0, threads=8))
    found = shipped_together([quicker, mixed, one], ["unet128-dws", "mnv2-64-dws"])
    assert [(each.row.variant, each.row.latency_ms.p50) for each in found] == [
        ("mnv2-64-dws", 9.0),
        ("unet128-dws", 99.0),
    ]
    assert shipped_together([], ["unet128-dws"]) == []


def test_a_file_is_for_the_section_that_ends_its_name():
    files = {
        Path(f"a.b{end}"): results(old_row(weights=end))
        for end in (".json", ".third-party.json", ".published.json")
    }
    assert [each.rows[0].weights for each in meant_for(files, "results")] == [".json"]
    found = meant_for(files, "third-party", "published")
    assert [each.rows[0].weights for each in found] == [".third-party.json", ".published.json"]
