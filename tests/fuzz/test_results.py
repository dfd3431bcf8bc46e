from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re

import pytest
from hostile import HOSTILE_TEXT, Family, as_json, damaged, spoiled
from hypothesis import strategies as st
from made_up_results import ENVIRONMENT, failed_row, latency, new_row, old_row, report
from rich.console import Console

from fastdepth.streams import printable
from fastdepth_bench.cli import main
from fastdepth_bench.report.plots import plot
from fastdepth_bench.report.render import print_report, to_csv, to_markdown
from fastdepth_bench.report.table import tables_to_markdown
from fastdepth_bench.results.file import Report, read_report

EVERYTHING = {
    "scenario": "server",
    "queries": {"n": 9, "samples": 1, "rate": 5.0, "p99_ms": 7.0, "overloaded": True},
    "from_disk": {"pictures": 4, "failed": 1, "fps": 31.0},
    "against": {"name": "unet128", "ratio": 2.0, "low": 1.9, "high": 2.1, "size": [480, 640]},
    "model": {"file": "a.onnx", "normalise": None, "output": "metres", "hash": "0" * 64},
    "metrics_minus_torch": {"d1": -0.001},
    "max_difference_to_torch": 1e-6,
    "peak_gpu_bytes": 10**9,
}
GPU = {"gpus": ["NVIDIA X, driver 1"], "gpu_clocks": [{"sm": 1000.0, "power": None}]}
FOLDING_ROW = {
    **{key: old_row()[key] for key in ("variant", "weights", "weights_hash", "untrained", "size")},
    **{key: old_row()[key] for key in ("batch", "deployed_params", "gmac", "bytes", "warm_up")},
    "form": "plain",
    "ceiling_ms": {"arithmetic": 200.0, "memory": 5.0, "binds": "multiply-adds"},
    "ceiling_share": 0.4,
    **{"fps": 2.0, "latency_ms": latency(500.0), "n": 25, "cv": 0.02},
    "speedup": {"value": 2.0, "low": 1.9, "high": 2.1},
    **{"difference_to_plain": 0.0, "difference_to_float64": 7e-6},
}
FOLDING = {
    "schema": 1,
    "environment": ENVIRONMENT,
    "rates": {"macs_per_second": 200e9, "bytes_per_second": 10e9, "threads": 3},
    **{"data": "nyu", "samples": 10, "sample_hash": "903e649ece66"},
    "rows": [FOLDING_ROW, FOLDING_ROW | {"form": "folded"}],
}
GOOD = [
    report(new_row(), old_row("unet128"), failed_row("unet256")),
    report(new_row(**EVERYTHING), new_row("effb5-256"), new_row("unet128-dws", 50.0), **GPU),
    FOLDING,
]
WHOLE = [json.dumps(each).encode() for each in GOOD]


@st.composite
def retold(draw):
    """A good document of which texts say something hostile."""

    def tell(node):
        if isinstance(node, dict):
            return {key: tell(value) for key, value in node.items()}
        if isinstance(node, list):
            return [*map(tell, node)]
        return (
            draw(HOSTILE_TEXT) if isinstance(node, str) and draw(st.integers(0, 9)) == 0 else node
        )

    return tell(draw(st.sampled_from(GOOD)))


ENCODINGS = ("utf-16", "utf-8-sig")
FAMILY = Family(
    "results",
    st.one_of(
        spoiled(GOOD, most=4).map(as_json),
        spoiled(GOOD, most=1).map(as_json),
        retold().map(as_json),
        retold().map(as_json),
        damaged(WHOLE, most=2),
        st.integers(1, 10**5).map(lambda depth: b'{"schema":1,"rows":' + b"[" * depth),
        st.sampled_from([each.decode().encode(code) for each in WHOLE for code in ENCODINGS]),
    ),
    lambda data, folder: read(data, folder),
)
FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def read(data, folder):
    path = folder / "results.json"
    path.write_bytes(data)
    found = read_report(path)
    for row in found.rows:
        figures = (row.fps, row.n, row.bytes, row.params, *row.size, row.threads, row.batch)
        assert all(0 < each < math.inf for each in figures if each is not None)
        assert all(map(math.isfinite, (row.metrics or {}).values()))
    shown = show(found)
    in_markdown = to_markdown(found) + tables_to_markdown([found])
    for text in (shown, in_markdown):
        check_printable(text)
    assert not re.search(r"<[a-zA-Z/!?]", in_markdown)
    check_tables(in_markdown)
    check_csv(to_csv({str(path): found}))
    check_comparison(found, path, folder)
    if sum(data) % 50 == 0:  # a second each
        plot([found], folder / "plots")


def show(found: Report) -> str:
    """What a terminal shows of it."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    print_report(found, console)
    return console.file.getvalue()


def check_printable(text):
    assert all(line == printable(line) for line in text.split("\n"))


def check_tables(text):
    """Every line of a table has as many cells as its heading."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table.splitlines()}
        assert len(counts) == 1, table


def check_csv(text):
    check_printable(text)
    for cell in (cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line):
        assert not FORMULA.match(cell) or math.isfinite(float(cell)), cell


def check_comparison(found, path, folder):
    """Whatever lacks a figure that an earlier file has is no success."""
    good = folder / "good.json"
    good.write_text(json.dumps(report(new_row(), old_row("unet128"), failed_row("unet256"))))
    for names in ((path, path), (good, path), (path, good)):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            status = main(["compare", *map(str, names), "--other-machine"])
        assert status in (0, 1)
        check_printable(text.getvalue())
        assert ("REGRESSION" in text.getvalue()) == status
    before = {(row.name, row.target): row for row in read_report(good).rows}
    now = {(row.name, row.target): row for row in found.rows}
    if any(now[key].bytes is None for key in now.keys() & before.keys() if before[key].bytes):
        assert main(["compare", str(good), str(path), "--other-machine"]) == 1


@pytest.mark.thorough
def test_results(try_to_break):
    try_to_break(FAMILY)
