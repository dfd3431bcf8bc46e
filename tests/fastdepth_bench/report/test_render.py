"""What the tables show, and what they never put side by side."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from any_row import values
from hypothesis import HealthCheck, Phase, given, settings
from made_up_results import failed_row, new_row, old_row, results
from rich.console import Console

from fastdepth.errors import UsageError
from fastdepth_bench.report.columns import FOLDING, LEVER, RESULTS, THIRD_PARTY, WIDEST
from fastdepth_bench.report.compare import compare
from fastdepth_bench.report.render import (
    between,
    markdown_table,
    marks,
    print_report,
    to_csv,
    to_markdown,
)
from fastdepth_bench.report.select import Step
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row

QUERIES = {"n": 100, "samples": 1, "rate": 9.0, "p99_ms": 700.0, "overloaded": True}
DISK = {"pictures": 400, "failed": 2, "fps": 31.0}


def show(report: Report, width: int = 250) -> str:
    console = Console(width=width, record=True, stderr=True, quiet=False, file=io.StringIO())
    print_report(report, console)
    return console.export_text()


def flat(text: str) -> str:
    return " ".join(text.split())


def cells(report: Report, columns: Any = RESULTS) -> list[dict[str, str]]:
    """Cells by heading of each row of a report's first table in Markdown."""
    lines = to_markdown(report, columns).split("\n\n")[0].splitlines()
    headings, _, *rows = ([cell.strip() for cell in line[2:-1].split(" | ")] for line in lines)
    return [dict(zip(headings, row, strict=True)) for row in rows]


# shrinking rows of a hundred fields takes minutes
@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(row=values(Row), other=values(Row), environment=values(Environment))
def test_any_row_is_rendered(row: Row, other: Row, environment: Environment) -> None:
    report = Report(environment, (row, other))
    assert show(report, 80).count("──\n") >= 1
    for columns in (RESULTS, THIRD_PARTY, FOLDING):
        (*tables,) = (
            line for line in to_markdown(report, columns).splitlines() if line[:4] == "| --"
        )
        assert tables and all(line.count(" | ") < WIDEST for line in tables)
    assert len(list(csv.reader(io.StringIO(to_csv({"": report}), newline="")))) == 3
    assert len(markdown_table(LEVER, [Step(row, other), Step(row, row)]).splitlines()) == 4
    assert compare(report, report)


# terminal


@pytest.mark.parametrize("width", [80, 120, 250])
def test_every_figure_is_there(width: int) -> None:
    rows = [new_row("unet128-dws-75", 65.43, runtime=name) for name in ("torch", "onnxruntime")]
    text = show(results(*rows, failed_row("unet128-dws-75")), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for heading in ("network", "runtime", "input", "frames/s", "p50", "p99", "GMAC", "AbsRel"):
        assert heading in text
    for figure in ("15.3 [15.0, 15.6]", "65.4", "85.1", "11.6", "300", "40 %", "0.600", "0.200"):
        assert figure in text
    assert "#3: failed: no memory" in text


def test_as_few_tables_as_the_terminal_is_wide() -> None:
    report = results(new_row("unet128-dws-75", 65.43), new_row("mnv2-64-dws"))
    assert [show(report, width).count("──\n") for width in (80, 120, 250)] == [3, 2, 1]


def test_columns_of_which_no_row_has_anything_are_left_out() -> None:
    text = show(results(old_row(metrics=None, untrained=True)))
    assert not any(heading in text for heading in ("scenario", "times as", "AbsRel", "roofline"))
    assert "untrained: random weights, so accuracy is left empty" in text


def test_how_many_times_as_fast_stands_beside_the_speed() -> None:
    other = {"name": "unet128-dws:plain", "ratio": 4.5, "low": 4.2, "high": 4.9}
    whole = {"end_to_end_ratio": 4.25, "end_to_end_low": 4.0, "end_to_end_high": 4.75}
    text = show(results(new_row(against=other | whole)))
    assert "4.50 [4.20, 4.90]" in text and "4.25 [4.00, 4.75]" in text
    assert "times as fast: as unet128-dws:plain, timed in turns" in text


def test_the_roofline_is_named_with_the_rates_that_it_comes_from() -> None:
    text = show(results(new_row()))
    assert "#1: roofline of 100.0 * 10^9 multiply-adds/s" in text
    assert "10.0 GB/s (copy), measured in the same run: multiply-adds bind" in text


def test_data_sets_and_protocols_never_share_a_table() -> None:
    changes = [{"data": "rooms"}, {"protocol_description": "another"}, {"sample_hash": "0" * 12}]
    report = results(new_row(), *(new_row(**change) for change in changes))
    text = show(report)
    assert text.count("──\n") == to_markdown(report).count("| network |") == 4
    assert text.count("another.") == 1


def test_lines_below_say_how_to_repeat_it() -> None:
    rows = [new_row(), new_row(runtime="torch"), failed_row(), failed_row("eigen", "a [b] c")]
    text = flat(show(results(*rows), 80))
    for part in (
        "nyu (in-painted), 498 samples, hash 903e649ece66; protocol eigen; alignment none; crop of",
        "cpu, 2 threads, batch 1.",
        "Model of the CPU; 4 of 8 cores",
        "torch 2.9.0",
        "#3: failed: no memory",
        "#4: failed: a [b] c",
        "#1 #2: weights unet128-dws.nyu, hash 0123456789ab",
    ):
        assert part in text
    assert "BUSY" not in text


def test_doubts_are_printed() -> None:
    warm = {"n": 1, "seconds": 1.0, "stable": False}
    wrong = {"nonfinite": 2}
    rows = [
        new_row(warm_up=warm | {"n": 50}, noisy=True),
        new_row(scenario="server", queries=QUERIES, metrics=wrong),
        new_row(scenario="offline", batch=16, from_disk=DISK),
        new_row(warm_up=warm | {"n": 49}),  # five processes of ten each can tell
    ]
    text = flat(show(results(*rows, busy=True, other_load=2.9)))
    for part in (
        "#1: unsteady: the median still moved",
        "#4: unsteady: inferences were too few to tell",
        "#1: noisy: times vary by more than 15 %",
        "#2: overloaded: queries came faster",
        "#2: NaN or infinite at 2 of 9 pixels",
        "#3: from disk, decoded and resized too: 31.0 images/s over 400 images, 2 of them",
        "BUSY MACHINE: other processes used 2.9 cores",
    ):
        assert part in text


def test_what_is_true_of_all_rows_is_said_once() -> None:
    text = show(results(new_row(noisy=True), new_row(noisy=True, runtime="torch")))
    assert "all rows: noisy" in text


# Markdown


def test_a_row_is_a_line_of_what_a_reader_decides_by() -> None:
    first, failed = cells(results(new_row(), failed_row("eigen")))
    assert first == {
        "network": "unet128-dws",
        "runtime": "onnxruntime",
        "input": "640x480",
        "frames/s": "10.0 [9.80, 10.2]",
        "file MB": "11.6",
        "d1": "0.600",
        "AbsRel": "0.200",
        "end-to-end frames/s": "9.17",
    }
    assert set(list(failed.values())[3:]) == {""}


def test_what_matters_less_makes_room() -> None:
    other = {"name": "unet128", "ratio": 2.0, "low": 1.9, "high": 2.1}
    (row,) = cells(results(new_row(against=other, batch=2, max_difference_to_against=1e-6)))
    assert len(row) == WIDEST
    assert list(row)[-1] == "d1"
    assert (row["scenario"], row["times as fast"]) == ("batch 2", "2.00 [1.90, 2.10]")


def test_differences_of_depth_are_shown_where_there_is_room() -> None:
    far = {"max_difference_to_against": 4.3e-6, "max_difference_to_float64": 0.0}
    (row,) = cells(results(old_row(metrics=None, **far)))
    assert (row["to the other m"], row["to float64 m"]) == ("4.3e-06", "0")


def test_what_is_needed_to_repeat_it_stands_below() -> None:
    text = to_markdown(results(failed_row(error="out of luck"), new_row(noisy=True), busy=True))
    assert "unet128-dws: failed: out of luck." in text
    assert "; protocol eigen; alignment none; crop of Eigen. onnxruntime, cpu, 2 threads" in text
    assert "Measured on Model of the CPU" in text and "BUSY MACHINE" in text
    assert "frames/s: at the median latency, network input in host memory" in text


def test_data_are_told_once_for_tables_that_share_them() -> None:
    rows = [new_row(), new_row(threads=8), new_row(data="rooms")]
    text = to_markdown(results(*rows))
    assert text.count("nyu (in-painted), 498 samples") == 1
    assert "Data and protocol as above. onnxruntime, cpu, 8 threads" in text
    assert text.count("rooms (in-painted), 498 samples") == 1


def test_a_cell_with_a_bar_or_a_new_line_does_not_break_the_table() -> None:
    (row,) = results(new_row(initialisation="a | b\nc")).rows
    assert "| a \\| b c |" in markdown_table(THIRD_PARTY, [row])


def test_a_section_takes_the_place_between_its_marks() -> None:
    begin, end = marks("results")
    page = f"before\n{begin}\nold\n{end}\nafter\n"
    new = between(page, "results", "new\n", "README.md")
    assert new == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    assert between(new, "results", "new", "README.md") == new
    for broken in (begin, end, ""):
        with pytest.raises(UsageError, match=r"a page lacks the lines <!-- results: begin -->"):
            between(broken, "results", "", "a page")


# CSV


def read(**files: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(files))))


HOSTILE = "=cmd|'/c calc'!A0`\x1b[2J\u202e<script>x</script>[a](javascript:b)\\"


def test_what_a_file_says_is_shown_and_not_obeyed() -> None:
    texts = ("variant", "weights", "runtime", "data", "depth_kind", "protocol_description")
    row = old_row(**dict.fromkeys(texts, HOSTILE), metrics={HOSTILE: 1.0})
    report = results(row, failed_row(error=HOSTILE), cpu=HOSTILE)
    markdown, terminal, table = to_markdown(report), show(report, 5000), to_csv({"@x": report})
    for text in (markdown, terminal, table):
        assert "\\x1b[2J" in text
        assert not {"\x1b", "\u202e"} & {*text}
    assert "<script" not in markdown
    assert "](" not in markdown
    for found in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        ends = [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in found.splitlines()]
        assert len({*ends}) == 1
    (first, _) = csv.DictReader(io.StringIO(table))
    assert {first["file"][:2], first["variant"][:2], first["environment.cpu"][:2]} == {"'@", "'="}
    assert not any(cell.startswith(("=", "+", "@", "\t")) for cell in first.values())


def test_a_number_below_zero_is_no_formula() -> None:
    (row,) = read(a=results(old_row(d1_minus_torch=-0.5)))
    assert row["d1_minus_torch"] == "-0.5"


def test_one_line_a_row_with_units_in_the_headings() -> None:
    report = results(new_row(), failed_row(error='no "memory", at all'), gpus=["one", "two"])
    first, failed = read(a=report)
    assert first["file"] == "a"
    assert float(first["latency_ms.p50 [ms]"]) == 100
    assert float(first["fps [1/s]"]) == 10
    assert float(first["fps_interval.low [1/s]"]) == 9.8
    assert (first["size.height [px]"], first["size.width [px]"]) == ("480", "640")
    assert (first["metrics.rmse [m]"], first["metrics.d1"]) == ("0.8", "0.6")
    assert first["bytes [B]"] == "11600000"
    assert first["peak_resident_bytes [B]"] == "300000000"
    assert float(first["stages_ms.inference [ms]"]) == 100
    assert first["environment.gpus"] == "one; two"
    assert first["error"] == ""
    assert failed["error"] == 'no "memory", at all'
    assert failed["fps [1/s]"] == ""


def test_old_and_new_files_share_columns() -> None:
    old, new = read(a=results(old_row()), b=results(new_row()))
    assert old.keys() == new.keys()
    assert (old["restarts"], new["restarts"]) == ("", "5")
    machine = [heading.startswith("environment.") for heading in old]
    assert machine == sorted(machine)


def test_every_number_of_a_row_is_there() -> None:
    def numbers(value: Any) -> list[float]:
        if isinstance(value, dict | list):
            parts = value.values() if isinstance(value, dict) else value
            return [number for each in parts for number in numbers(each)]
        return [] if value is None or isinstance(value, str) else [float(value)]

    (line,) = read(a=results(new_row()))
    written = {
        float(value) for value in line.values() if re.fullmatch(r"\d+(\.\d+)?(e[-+]\d+)?", value)
    }
    assert {*numbers(new_row())} - {0.0, 1.0} <= written


EDGES = {"edge_f1": 0.0123, "dbe_accuracy": 2.5, "dbe_completeness": 7.25}


def test_edges_stand_in_a_table_of_their_own() -> None:
    report = results(new_row(metrics=EDGES), new_row("unet256"))
    whole, _, own, below, *_ = to_markdown(report).split("\n\n")
    assert "edge" not in whole and whole.count("\n") == 3
    assert own.splitlines()[0].endswith(
        "| d1 | AbsRel | edge F1 | DBE accuracy px | DBE completeness px |"
    )
    assert own.splitlines()[2:] == [
        "| unet128-dws | onnxruntime | 640x480 | 0.600 | 0.200 | 0.0123 | 2.50 | 7.25 |"
    ]
    assert "A depth camera's edges are not exact" in below
    assert "edge F1" not in to_markdown(results(new_row()))
    said = show(report)
    assert "0.0123" in said and "DBE completeness px: how far true edges lie" in flat(said)
    headings = next(csv.reader(io.StringIO(to_csv({"": report}))))
    assert {"metrics.edge_f1", "metrics.dbe_accuracy [px]"} <= {*headings}


def test_edges_of_two_files_of_one_network_are_told_apart() -> None:
    said = to_markdown(results(new_row(metrics=EDGES), new_row(metrics=EDGES, precision="fp16")))
    for runtime in ("onnxruntime", "onnxruntime fp16"):
        assert f"| unet128-dws | {runtime} | 640x480 | 0.600 | 0.200 | 0.0123 |" in said


def test_edges_of_drawn_rooms_are_exact() -> None:
    for drawn in ({"data": "rooms"}, {"depth_kind": "drawn, exact"}):
        said = to_markdown(results(new_row(metrics=EDGES, **drawn)))
        assert "edge F1" in said and "not exact" not in said


def test_edges_compare_by_the_table_of_metrics() -> None:
    with_edges, without = results(new_row(metrics=EDGES)), results(new_row())
    worse = results(new_row(metrics=EDGES | {"edge_f1": 0.005, "dbe_accuracy": 3.0}))
    (found,) = compare(with_edges, worse)
    assert "edge F1 0.0123 -> 0.0050, DBE accuracy px 2.5000 -> 3.0000" in str(found.worse)
    (lost,) = compare(with_edges, without)
    assert "no longer measured: edge F1" in str(lost.worse)
    (gained,) = compare(without, with_edges)
    assert not gained.worse
    (other,) = compare(with_edges, results(new_row(metrics=EDGES)))
    assert not other.worse
    apart = compare(with_edges, results(new_row(metrics=EDGES, depth_kind="drawn, exact")))
    assert len(apart) == 2  # rows of two sources are no pair
